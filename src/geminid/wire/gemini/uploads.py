"""The protocols of an upload: what the headers and the query of a request ask for.

Three come from Google's front end: ``X-Goog-Upload-*`` headers in pieces (resumable), one request with
nothing but bytes (raw), one with two parts (multipart). ``location`` is the older form in pieces, with
``Location`` and ``Content-Range``. It knows no bytes. Header names are lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, NamedTuple

from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.file import NewFile
from geminid.wire.gemini.files import NAME_CHARACTERS_MAX
from geminid.wire.scalars import INT64_MAX, clip

Protocol = Literal["resumable", "location", "raw", "multipart"]
Said = Mapping[str, str]

HOW = (
    "This request says of no upload protocol. Send X-Goog-Upload-Protocol: resumable with "
    "X-Goog-Upload-Command: start, or raw with the bytes, or multipart with metadata and bytes."
)
FILE_NAME = "x-goog-upload-file-name"
COMMAND = "x-goog-upload-command"
OFFSET = "x-goog-upload-offset"

_NEW: Mapping[str, Protocol] = {"resumable": "resumable", "raw": "raw", "multipart": "multipart"}
_OLD: Mapping[str, Protocol] = {"resumable": "location", "media": "raw", "multipart": "multipart"}
_TYPE_HEADERS: Mapping[Protocol, tuple[str, ...]] = {
    "resumable": ("x-goog-upload-header-content-type",),
    "location": ("x-upload-content-type",),
    "raw": ("x-goog-upload-header-content-type", "content-type"),
    "multipart": ("x-goog-upload-header-content-type",),
}
_LENGTH_HEADERS: Mapping[Protocol, tuple[str, ...]] = {
    "resumable": ("x-goog-upload-header-content-length",),
    "location": ("x-upload-content-length",),
    "raw": ("x-goog-upload-header-content-length", "content-length"),
    "multipart": ("x-goog-upload-header-content-length",),
}
_TOGETHER: frozenset[frozenset[str]] = frozenset(
    frozenset(each) for each in (("upload",), ("upload", "finalize"), ("finalize",), ("query",), ("cancel",))
)
_NUMBER = re.compile(r"\d{1,19}", re.ASCII)
_RANGE = re.compile(r"bytes (?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)", re.ASCII)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")


class ContentRange(NamedTuple):
    """Which bytes come. ``start`` and ``length`` None: none do; ``total`` None: not known yet."""

    start: int | None
    length: int | None
    total: int | None


def read_protocol(headers: Said, query: Said) -> Protocol:
    """Return how a file is to be uploaded; raises InvalidArgument when nothing tells."""
    said = (headers.get("x-goog-upload-protocol") or query.get("upload_protocol") or "").lower()
    old = (query.get("uploadType") or "").lower()
    if said:
        if said not in _NEW:
            raise _refusal("X-Goog-Upload-Protocol", said, "resumable, raw and multipart are known.")
        return _NEW[said]
    if old:
        if old not in _OLD:
            raise _refusal("uploadType", old, "resumable, media and multipart are known.")
        return _OLD[old]
    if headers.get(COMMAND):
        return "resumable"
    if headers.get("content-type", "").lower().startswith("multipart/"):
        return "multipart"
    raise InvalidArgument(HOW, violations=(FieldViolation(HOW),))


def read_announcement(headers: Said, protocol: Protocol) -> NewFile:
    """Return what the headers say of a new file; raises InvalidArgument for a length that is none.

    Raises it too for a first command other than ``start`` where the protocol has one.
    """
    command = headers.get(COMMAND, "start").strip().lower()
    if protocol == "resumable" and command != "start":
        raise _refusal("X-Goog-Upload-Command", command, "it must be start where there is no upload_id.")
    lengths = [headers[name] for name in _LENGTH_HEADERS[protocol] if headers.get(name)]
    types = [headers[name] for name in _TYPE_HEADERS[protocol] if headers.get(name)]
    return NewFile(
        mime_type=types[0] if types else "",
        file_name=_file_name(headers.get(FILE_NAME, "")),
        size_bytes=_number("length of the file", lengths[0]) if lengths else None,
    )


def read_commands(headers: Said) -> frozenset[str]:
    """Return what a request to an upload wants: ``upload`` or ``finalize`` or both, ``query``, ``cancel``."""
    said = headers.get(COMMAND, "")
    commands = frozenset(word.strip().lower() for word in said.split(","))
    if commands not in _TOGETHER:
        raise _refusal(
            "X-Goog-Upload-Command", said, "upload, finalize, both of them, query and cancel are known."
        )
    return commands


def read_offset(headers: Said) -> int:
    """Return where the bytes of a request belong; raises InvalidArgument when it is not said."""
    return _number("X-Goog-Upload-Offset", headers.get(OFFSET, ""))


def read_content_range(said: str) -> ContentRange:
    """Return what a Content-Range says; raises InvalidArgument for what says nothing."""
    found = _RANGE.fullmatch(said.strip())
    if found is None:
        raise _refusal("Content-Range", said, "bytes FIRST-LAST/TOTAL or bytes */TOTAL is expected.")
    total = None if found[3] == "*" else int(found[3])
    if found[1] is None:
        return ContentRange(None, None, total)
    start, end = int(found[1]), int(found[2]) + 1
    if end <= start or (total is not None and end > total):
        raise _refusal("Content-Range", said, "its numbers do not fit together.")
    return ContentRange(start, end - start, total)


def _file_name(said: str) -> str:
    """Return a file's own name. Headers arrive as Latin-1, whatever was sent."""
    with suppress(UnicodeError):
        said = said.encode("latin-1").decode()
    return _UNSEEN.sub("", said.replace("\\", "/").rpartition("/")[2])[:NAME_CHARACTERS_MAX]


def _number(what: str, said: str) -> int:
    if not _NUMBER.fullmatch(said.strip()) or int(said) > INT64_MAX:
        raise _refusal(what, said, "a number of bytes is expected.")
    return int(said)


def _refusal(what: str, said: str, reason: str) -> InvalidArgument:
    message = f"Invalid {what} {clip(said)!r}: {reason}"
    return InvalidArgument(message, violations=(FieldViolation(message),))
