"""Contents of steps: words and media to core's parts.

Invariant: every content comes out whole or is noted as wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from geminid.core.content import Blob, FileRef, Text
from geminid.wire.interactions.media import read_medium
from geminid.wire.interactions.mistakes import Mistakes
from geminid.wire.interactions.schema import (
    AudioContent,
    ImageContent,
    MediumContent,
    TextContent,
    VideoContent,
)
from geminid.wire.lenient import Json
from geminid.wire.protojson import Reader
from geminid.wire.scalars import clip

Spoken = Text | Blob | FileRef

_TEXT = Reader(TextContent)
_MEDIA: dict[str, Reader[MediumContent]] = {
    "image": Reader[MediumContent](ImageContent),
    "audio": Reader[MediumContent](AudioContent),
    "video": Reader[MediumContent](VideoContent),
    "document": Reader(MediumContent),
}
TYPES = ("text", *_MEDIA)
"""The types of content."""


def read_contents(value: Json, path: str, mistakes: Mistakes) -> Iterator[Spoken]:
    """Yield what a list of contents says and shows; a string is its only text, an object its only content."""
    if isinstance(value, str):
        yield Text(value)
        return
    items = value if isinstance(value, list) else [value]
    for index, item in enumerate(items):
        if mistakes.full:
            return
        where = f"{path}[{index}]" if isinstance(value, list) else path
        if (spoken := read_content(item, where, mistakes)) is not None:
            yield spoken


def read_content(value: Json, path: str, mistakes: Mistakes) -> Spoken | None:
    """Return one content; what is wrong with it is noted."""
    kind = type_of(value, path, mistakes)
    if kind in _MEDIA:
        medium = mistakes.read(_MEDIA[kind], value, path)
        return None if medium is None else read_medium(medium, path, mistakes)
    if kind != "text":
        if kind is not None:
            mistakes.refuse(f"{path}.type", f"'{clip(kind)}' is not a type of content; use {listed(TYPES)}.")
        return None
    content = mistakes.read(_TEXT, value, path)
    if content is None:
        return None
    if content.text is None:
        mistakes.refuse(f"{path}.text", "text is required.")
        return None
    return Text(content.text)


def type_of(value: Json, path: str, mistakes: Mistakes) -> str | None:
    """Return what an object says it is, or None where it is none."""
    if not isinstance(value, dict):
        mistakes.refuse(path, "an object with a type is expected.")
        return None
    kind = value.get("type")
    if not isinstance(kind, str):
        mistakes.refuse(f"{path}.type", "type is required.")
        return None
    return kind


def listed(names: tuple[str, ...]) -> str:
    """Return names as a sentence lists them."""
    return f"{', '.join(names[:-1])} or {names[-1]}"
