"""Media parts of the wire: inline data, file data, and how they are to be looked at.

It knows no bytes' meaning and fetches nothing. Invariant: a part comes out whole or is complained about.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from fractions import Fraction

from geminid.core.content import Blob, FileRef, Look, Resolution
from geminid.wire.gemini import content as wire
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.enums import MediaResolution
from geminid.wire.scalars import clip

FPS_MAX = 24
RESOLUTIONS: Mapping[MediaResolution | None, Resolution | None] = {
    None: None,
    MediaResolution.UNSPECIFIED: None,
    MediaResolution.LOW: "low",
    MediaResolution.MEDIUM: "medium",
    MediaResolution.HIGH: "high",
    MediaResolution.ULTRA_HIGH: "ultra_high",
}

FAMILIES = ("text/", "image/", "audio/", "video/")
APPLICATION_TYPES = frozenset(
    f"application/{name}"
    for name in (
        *("pdf", "json", "xml", "rtf", "csv", "javascript", "x-javascript", "typescript", "x-typescript"),
        *("x-python-code", "x-python", "x-ipynb+json", "yaml", "x-yaml", "toml", "jsonl", "x-ndjson"),
        *("xhtml+xml", "ogg", "mp4", "octet-stream"),
        "vnd.openxmlformats-officedocument.wordprocessingml.document",
        "vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "vnd.openxmlformats-officedocument.presentationml.presentation",
    )
)
"""Types beside the families that may hold something readable; what a file really is, its bytes decide."""

_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)s", re.ASCII)
_ALONE = "it needs inline_data or file_data beside it."


class MediaReader:
    """Reads the media of one request, whose parts are looked at with ``resolution`` unless they say more."""

    def __init__(self, resolution: Resolution | None, complaints: Complaints) -> None:
        self._resolution = resolution
        self._complaints = complaints

    def read(self, part: wire.Part, path: str) -> Blob | FileRef | None:
        """Return the medium of a part, or None when it has none or a wrong one."""
        look = self._look(part, path)
        if part.inline_data is not None:
            return self.blob(part.inline_data, f"{path}.inline_data", look)
        if part.file_data is not None:
            return self.file(part.file_data, f"{path}.file_data", look)
        if part.video_metadata is not None:
            self._complaints.refuse(f"{path}.video_metadata", _ALONE)
        return None

    def blob(self, blob: wire.Blob, path: str, look: Look | None = None) -> Blob | None:
        """Return media that came inside the request."""
        if not blob.data:
            self._complaints.refuse(f"{path}.data", "data must not be empty.")
            return None
        if not blob.mime_type:
            self._complaints.refuse(f"{path}.mime_type", "mime_type must not be empty.")
            return None
        return Blob(
            mime_type=self._mime_type(blob.mime_type, path),
            data=blob.data,
            look=look or Look(resolution=self._resolution),
            field=self._complaints.at(path),
            name=blob.display_name or "",
        )

    def file(self, file: wire.FileData, path: str, look: Look | None = None) -> Blob | FileRef | None:
        """Return a reference to media elsewhere, or the media that a ``data:`` URI has in it (RFC 2397)."""
        if not file.file_uri:
            self._complaints.refuse(f"{path}.file_uri", "file_uri must not be empty.")
            return None
        if file.file_uri[:5].lower() == "data:":
            return self._in_uri(file.file_uri, file, path, look)
        return FileRef(
            uri=file.file_uri,
            mime_type=self._mime_type(file.mime_type, path) if file.mime_type else "",
            look=look or Look(resolution=self._resolution),
            field=self._complaints.at(path),
            name=file.display_name or "",
        )

    def _in_uri(self, uri: str, file: wire.FileData, path: str, look: Look | None) -> Blob | None:
        head, comma, body = uri[5:].partition(",")
        said, *parameters = head.split(";")
        try:
            if not comma or "base64" not in parameters:
                raise ValueError
            data = base64.b64decode(body, validate=True)
        except ValueError:
            self._complaints.refuse(f"{path}.file_uri", "a data: URI needs a MIME type and base64 in it.")
            return None
        mime_type = file.mime_type or said
        return self.blob(
            wire.Blob(data=data, mime_type=mime_type, display_name=file.display_name), path, look
        )

    def _mime_type(self, said: str, path: str) -> str:
        bare = said.partition(";")[0].strip().lower()
        if not bare.startswith(FAMILIES) and bare not in APPLICATION_TYPES:
            self._complaints.say(f"{path}.mime_type", f"Unsupported MIME type: {clip(said)}")
        return bare

    def _look(self, part: wire.Part, path: str) -> Look:
        film = part.video_metadata or wire.VideoMetadata()
        start_ms = self._offset_ms(film.start_offset, f"{path}.video_metadata.start_offset")
        end_ms = self._offset_ms(film.end_offset, f"{path}.video_metadata.end_offset")
        if end_ms is not None and end_ms <= (start_ms or 0):
            self._complaints.refuse(f"{path}.video_metadata.end_offset", "it must be after start_offset.")
        if film.fps is not None and not 0 < film.fps <= FPS_MAX:
            self._complaints.refuse(
                f"{path}.video_metadata.fps", f"fps must be above 0 and at most {FPS_MAX}."
            )
        resolution = self._part_resolution(part, path)
        return Look(start_ms=start_ms or 0, end_ms=end_ms, fps=film.fps, resolution=resolution)

    def _part_resolution(self, part: wire.Part, path: str) -> Resolution | None:
        said = part.media_resolution
        if said is None:
            return self._resolution
        if said.num_tokens is not None:
            reason = "a number of tokens cannot be asked for; use level."
            self._complaints.refuse(f"{path}.media_resolution.num_tokens", reason)
        return RESOLUTIONS[said.level] or self._resolution

    def _offset_ms(self, said: str | None, path: str) -> int | None:
        if said is None:
            return None
        if not (found := _DURATION.fullmatch(said)):
            sentence = (
                f"Invalid value at '{path}' (type.googleapis.com/google.protobuf.Duration), "
                f"Field '{path.rpartition('.')[2]}', Illegal duration format; duration must end with 's'"
            )
            self._complaints.say(path, sentence)
            return None
        return int(Fraction(found[1]) * 1000)
