"""Media of an input: inside the request, or elsewhere by address.

It knows no bytes' meaning and fetches nothing. Invariant: a medium comes out whole or is noted as wrong.
"""

from __future__ import annotations

import base64
import re
from fractions import Fraction

from geminid.core.content import Blob, FileRef, Look
from geminid.core.content import Resolution as CoreResolution
from geminid.wire.gemini.media import APPLICATION_TYPES, FAMILIES, FPS_MAX
from geminid.wire.interactions.mistakes import Mistakes
from geminid.wire.interactions.schema import (
    ImageContent,
    MediumContent,
    Resolution,
    StaticProcessing,
    VideoContent,
)
from geminid.wire.protojson import FreeForm, Reader
from geminid.wire.scalars import clip

ANY_TYPE = "application/octet-stream"
"""Says nothing: what a file is, its bytes decide."""
_RESOLUTIONS: dict[Resolution | None, CoreResolution | None] = {
    None: None,
    Resolution.LOW: "low",
    Resolution.MEDIUM: "medium",
    Resolution.HIGH: "high",
    Resolution.ULTRA_HIGH: "ultra_high",
}
_PROCESSING = Reader(StaticProcessing)
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)s", re.ASCII)
_ONE_OF = "exactly one of data and uri must be set."
_DATA_URI = "a data: URI needs base64 in it."


def read_medium(content: MediumContent, path: str, mistakes: Mistakes) -> Blob | FileRef | None:
    """Return the medium of a content; ``path`` is that of the content."""
    look, name = _look(content, path, mistakes), getattr(content, "name", None) or ""
    mime_type = _mime_type(content.mime_type, f"{path}.mime_type", mistakes)
    if (content.data is None) == (content.uri is None):
        mistakes.refuse(path, _ONE_OF)
        return None
    if content.uri is not None:
        return _elsewhere(content.uri, mime_type, look, name, f"{path}.uri", mistakes)
    if not content.data:
        mistakes.refuse(f"{path}.data", "data must not be empty.")
        return None
    return Blob(mime_type or ANY_TYPE, content.data, look, f"{path}.data", name)


def _elsewhere(
    uri: str, mime_type: str, look: Look, name: str, path: str, mistakes: Mistakes
) -> Blob | FileRef | None:
    """Return a reference to media elsewhere, or the media that a ``data:`` URI has in it (RFC 2397)."""
    if not uri:
        mistakes.refuse(path, "uri must not be empty.")
        return None
    if uri[:5].lower() != "data:":
        return FileRef(uri, mime_type, look, path, name)
    head, comma, body = uri[5:].partition(",")
    said, *parameters = head.split(";")
    try:
        data = base64.b64decode(body, validate=True) if comma and "base64" in parameters else b""
    except ValueError:
        data = b""
    if not data:
        mistakes.refuse(path, _DATA_URI)
        return None
    return Blob(mime_type or _mime_type(said, path, mistakes) or ANY_TYPE, data, look, path, name)


def _mime_type(said: str | None, path: str, mistakes: Mistakes) -> str:
    bare = (said or "").partition(";")[0].strip().lower()
    if bare and not bare.startswith(FAMILIES) and bare not in APPLICATION_TYPES:
        mistakes.say(path, f"Unsupported MIME type: {clip(said or '')}")
    return bare


def _look(content: MediumContent, path: str, mistakes: Mistakes) -> Look:
    resolution = None
    if isinstance(content, ImageContent | VideoContent):
        resolution = _RESOLUTIONS[content.resolution]
    if not isinstance(content, VideoContent) or content.processing is None:
        return Look(resolution=resolution)
    film = _stretch(content.processing, f"{path}.processing", mistakes)
    return Look(start_ms=film.start_ms, end_ms=film.end_ms, fps=film.fps, resolution=resolution)


def _stretch(processing: FreeForm, path: str, mistakes: Mistakes) -> Look:
    """Return the stretch of a film that is meant; ``static`` is how every film is looked at."""
    said = processing.value
    if said == "static":
        return Look()
    if not isinstance(said, dict) or said.get("type", "static") != "static":
        mistakes.refuse(path, "films are looked at in frames here; use static.")
        return Look()
    film = mistakes.read(_PROCESSING, said, path) or StaticProcessing()
    start_ms = _offset_ms(film.start_offset, f"{path}.start_offset", mistakes) or 0
    end_ms = _offset_ms(film.end_offset, f"{path}.end_offset", mistakes)
    if end_ms is not None and end_ms <= start_ms:
        mistakes.say(path, f"Invalid input at '{path}'.")  # the live service says no more
    if film.fps is not None and not 0 < film.fps <= FPS_MAX:
        mistakes.refuse(f"{path}.fps", f"fps must be above 0 and at most {FPS_MAX}.")
    return Look(start_ms=start_ms, end_ms=end_ms, fps=film.fps)


def _offset_ms(said: str | None, path: str, mistakes: Mistakes) -> int | None:
    if said is None:
        return None
    if not (found := _DURATION.fullmatch(said)):
        mistakes.refuse(path, "a duration is a number of seconds that ends with 's'.")
        return None
    return int(Fraction(found[1]) * 1000)
