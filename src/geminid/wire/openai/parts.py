"""Parts of messages: words, pictures, sound and files to core's parts.

It knows no bytes' meaning and fetches nothing. Invariant: a part comes out whole or is refused.
"""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from geminid.core.content import Blob, FileRef, Look, Resolution, Text
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.schema import AudioPart, FilePart, ImagePart, RefusalPart, TextPart

Part = TextPart | ImagePart | AudioPart | FilePart | RefusalPart
Spoken = Text | Blob | FileRef

ANY_TYPE = "application/octet-stream"
"""Says nothing: what a file is, its bytes decide."""
_RESOLUTIONS: dict[str | None, Resolution | None] = {
    None: None,
    "auto": None,
    "low": "low",
    "high": "high",
    "original": "ultra_high",
}
_FILE_ID = "file-"
_BAD_DATA = "Invalid '{}': expected base64, or a data: URI with a MIME type and base64 in it."
_BAD_URL = "Invalid '{}': expected an https: URL, or a data: URI with a MIME type and base64 in it."


def read_content(content: str | Sequence[Part] | None, path: str) -> tuple[Spoken, ...]:
    """Return what a message says and shows; ``path`` is that of its ``content``."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_parts(content, path))


def read_text(content: str | Sequence[TextPart]) -> str:
    """Return what a message says that can only be words."""
    return content if isinstance(content, str) else "".join(part.text for part in content)


def _parts(parts: Sequence[Part], path: str) -> Iterator[Spoken]:
    for index, part in enumerate(parts):
        where = f"{path}[{index}]"
        match part:
            case TextPart():
                yield Text(part.text)
            case RefusalPart():
                yield Text(part.refusal)
            case ImagePart():
                image = part.image_url
                yield read_picture(image.url, image.detail, f"{where}.image_url.url")
            case AudioPart():
                audio = part.input_audio
                yield read_sound(audio.data, audio.format, f"{where}.input_audio.data")
            case FilePart():
                yield _file(part, f"{where}.file")


def read_picture(url: str, detail: str | None, path: str) -> Blob | FileRef:
    """Return a picture that is at an address or in a ``data:`` URI; ``path`` is that of the address."""
    look = look_of(detail)
    if (found := _in_uri(url, path)) is not None:
        return Blob(found.mime_type, found.data, look, path)
    if not url.partition(":")[2].strip("/"):
        raise Refused(_BAD_URL.format(path), path, "invalid_image_url")
    return FileRef(url, "", look, path)


def look_of(detail: str | None) -> Look:
    """Return how finely a picture is looked at."""
    return Look(resolution=_RESOLUTIONS[detail])


def read_sound(data: str, kind: str, path: str) -> Blob:
    """Return sound that is sent as base64; ``kind`` is its format, such as ``wav``."""
    return Blob(f"audio/{kind}", _decoded(data, path), Look(), path)


def _file(part: FilePart, path: str) -> Blob | FileRef:
    file = part.file
    if (file.file_id is None) == (file.file_data is None):
        raise Refused(
            f"Invalid '{path}': expected exactly one of 'file_id' and 'file_data'.", path, "invalid_value"
        )
    name = file.filename or ""
    if file.file_id is not None:
        return FileRef(uri_of(file.file_id), "", Look(), f"{path}.file_id", name)
    return read_file(file.file_data or "", name, f"{path}.file_data")


def read_file(data: str, name: str, path: str) -> Blob:
    """Return a file that is sent as base64 or in a ``data:`` URI; ``path`` is that of the data."""
    if (found := _in_uri(data, path)) is not None:
        return Blob(found.mime_type, found.data, Look(), path, name)
    return Blob(mimetypes.guess_type(name)[0] or ANY_TYPE, _decoded(data, path), Look(), path, name)


def uri_of(file_id: str) -> str:
    """Return how core refers to an uploaded file."""
    return f"files/{file_id.removeprefix('files/').removeprefix(_FILE_ID)}"


class _InUri(NamedTuple):
    """What a ``data:`` URI holds."""

    mime_type: str
    data: bytes


def _in_uri(uri: str, path: str) -> _InUri | None:
    """Return what a ``data:`` URI (RFC 2397) holds; None for anything else."""
    if uri[:5].lower() != "data:":
        return None
    head, comma, body = uri[5:].partition(",")
    mime_type, *parameters = head.split(";")
    if not comma or "base64" not in parameters:
        raise Refused(_BAD_URL.format(path), path, "invalid_value")
    return _InUri(mime_type.strip().lower() or ANY_TYPE, _decoded(body, path))


def _decoded(text: str, path: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if not data:
        raise Refused(_BAD_DATA.format(path), path, "invalid_value")
    return data
