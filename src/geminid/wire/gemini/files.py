"""Files on the Gemini wire: the resource, lists of it, and what a client says of a new one.

It knows no bytes and no host; addresses are made over a base that comes in as a value.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from geminid.core.file import File, NewFile, Place
from geminid.wire.gemini import answers, pages
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.protojson import FreeForm, Message, Reader
from geminid.wire.scalars import Int32, Int64, clip

PAGE_SIZE = 10
PAGE_SIZE_MAX = 100
NAME_CHARACTERS_MAX = 512
INVALID_ARGUMENT = 3
"""The number of this code in google.rpc.Code."""

_NAME = re.compile(r"files/([a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?)", re.ASCII)
_MIME_TYPE = re.compile(r"[a-z0-9][\w!#$&^.+-]{0,100}/[a-z0-9][\w!#$&^.+-]{0,100}", re.ASCII)
_SHORT_TYPES = {"jsonl": "application/jsonl"}
"""Words that are no MIME types, and what they mean: the guides to batches upload their requests so."""
_PLACE = re.compile(r"(\d{1,18}):([a-z0-9-]{1,40})", re.ASCII)
_CREATE = "CreateFileRequest"
_LIST = "ListFilesRequest"
_NAME_FORM = "it must be files/ and 1 to 40 characters of a-z, 0-9 and -, with no - at either end."


class VideoMetadata(Message):
    """What is known of a film."""

    video_duration: str | None = None


class Status(Message):
    """Why a file has failed."""

    code: Int32 | None = None
    message: str | None = None
    details: list[FreeForm] | None = None


class FileResource(Message, kw_only=True):
    """A file, as it is told."""

    name: str
    display_name: str | None = None
    mime_type: str
    size_bytes: str
    create_time: str
    update_time: str
    expiration_time: str
    sha256_hash: str
    uri: str
    download_uri: str
    state: str
    source: str
    video_metadata: VideoMetadata | None = None
    error: Status | None = None


class AnnouncedFile(Message):
    """A file, as a client announces it. What is the server's to say is ignored if it is sent back."""

    name: str | None = None
    display_name: str | None = None
    mime_type: str | None = None
    size_bytes: Int64 | None = None
    create_time: FreeForm | None = None
    update_time: FreeForm | None = None
    expiration_time: FreeForm | None = None
    sha256_hash: FreeForm | None = None
    uri: FreeForm | None = None
    download_uri: FreeForm | None = None
    state: FreeForm | None = None
    source: FreeForm | None = None
    video_metadata: FreeForm | None = None
    error: FreeForm | None = None


class CreateFileRequest(Message):
    """The body that announces a file."""

    file: AnnouncedFile | None = None


class CreateFileResponse(Message):
    """The answer to a finished upload."""

    file: FileResource


class ListFilesResponse(Message):
    """One page of files."""

    files: list[FileResource] | None = None
    next_page_token: str | None = None


_READER = Reader(CreateFileRequest)


def read_create(body: bytes, around: NewFile) -> NewFile:
    """Return what a client says of a new file.

    around: what was said beside the body, which counts before what the body says of type and size.
    Raises InvalidArgument for names, types and sizes that cannot be.
    """
    said = _READER.read(body).file or AnnouncedFile()
    complaints = Complaints(_CREATE)
    mime_type = (around.mime_type or said.mime_type or "").partition(";")[0].strip().lower()
    mime_type = _SHORT_TYPES.get(mime_type, mime_type)
    if mime_type and not _MIME_TYPE.fullmatch(mime_type):
        complaints.refuse("file.mime_type", f"{clip(mime_type)!r} is no MIME type.")
    if len(said.display_name or "") > NAME_CHARACTERS_MAX:
        complaints.refuse("file.display_name", f"it may have {NAME_CHARACTERS_MAX} characters.")
    name = _NAME.fullmatch(said.name) if said.name else None
    if said.name and name is None:
        complaints.refuse("file.name", f"{clip(said.name)!r} is no name; {_NAME_FORM}")
    size_bytes = said.size_bytes if around.size_bytes is None else around.size_bytes
    if size_bytes is not None and size_bytes < 0:
        complaints.refuse("file.size_bytes", "it must not be negative.")
    complaints.settle()
    return NewFile(
        id=name[1] if name else "",
        display_name=said.display_name or "",
        mime_type=mime_type,
        file_name=around.file_name,
        size_bytes=size_bytes,
    )


def read_page(page_size: str | None, page_token: str | None) -> tuple[int, Place | None]:
    """Return (size, place to begin after) of the page that the query asks for.

    No size, or 0, is 10; more than 100 is 100. Raises InvalidArgument for what is no size, and for a
    token that this server did not give.
    """
    size = pages.read_size(page_size, _LIST, usual=PAGE_SIZE, most=PAGE_SIZE_MAX)
    if not page_token:
        return size, None
    found = pages.read_token(page_token, _PLACE, _LIST)
    return size, Place(int(found[1]), found[2])


def write_file(file: File, base: str) -> bytes:
    """Return the resource. ``base`` is the server's address, without the version and a slash at its end."""
    return answers.pretty(_resource(file, base))


def write_created(file: File, base: str) -> bytes:
    """Return the answer to an upload that is complete."""
    return answers.pretty(CreateFileResponse(file=_resource(file, base)))


def write_list(files: Sequence[File], following: Place | None, base: str) -> bytes:
    """Return one page, with the token of the page after it if there is one."""
    token = pages.write_token(f"{following.created_us}:{following.id}") if following else None
    resources = [_resource(file, base) for file in files]
    return answers.pretty(ListFilesResponse(files=resources or None, next_page_token=token))


def _resource(file: File, base: str) -> FileResource:
    uri = f"{base}/v1beta/files/{file.id}"
    return FileResource(
        name=f"files/{file.id}",
        display_name=file.display_name or None,
        mime_type=file.mime_type,
        size_bytes=str(file.size_bytes),
        create_time=_time(file.created_us),
        update_time=_time(file.updated_us),
        expiration_time=_time(file.expires_us),
        sha256_hash=base64.b64encode(file.sha256_hex.encode()).decode(),  # of the text, as Google does
        uri=uri,
        download_uri=f"{uri}:download?alt=media",
        state=file.state.upper(),
        source=file.source.upper(),
        video_metadata=_film(file),
        error=Status(code=INVALID_ARGUMENT, message=file.fault) if file.state == "failed" else None,
    )


def _film(file: File) -> VideoMetadata | None:
    if file.duration_ms is None or not file.mime_type.startswith("video/"):
        return None
    seconds, rest = divmod(file.duration_ms, 1000)
    return VideoMetadata(video_duration=f"{seconds}.{rest:03d}s" if rest else f"{seconds}s")


def _time(us: int) -> str:
    seconds, rest = divmod(us, 1_000_000)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:06d}Z" if rest else f"{whole}Z"
