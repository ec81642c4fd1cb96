"""What is asked of a reader, and what it gives back: the values of this room.

They cross the link to the reader process. They know no wire, no model and no tokens.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from geminid.core.content import Look, Modality

Kind = Literal["image", "audio", "video", "pdf", "office", "text"]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """How to read a medium.

    mime_type: what the caller says it is, without parameters, lower case; empty when unsaid. look: which
    part of it and how finely. eyes: whether the model that will read it can see, so that pictures
    are wanted instead of what could be read from them.
    """

    mime_type: str
    look: Look = Look()
    eyes: bool = False


class Passage(msgspec.Struct, frozen=True, tag="passage"):
    """Text that was read, or words that say what was read from what."""

    text: str
    modality: Modality


class Still(msgspec.Struct, frozen=True, tag="still"):
    """A picture for a model with eyes: a PNG or JPEG file, encoded here, of bounded size."""

    data: bytes
    modality: Modality


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What there was, for counting as the hosted service does; 0 where it does not apply.

    images: still pictures. frames: of film, those at the asked rate, near-identical ones included.
    heard_ms, seen_ms: length of sound and of film within the asked stretch. pages: of a PDF.
    """

    images: int = 0
    frames: int = 0
    heard_ms: int = 0
    seen_ms: int = 0
    pages: int = 0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from a medium, in the order in which a model should see it.

    kind, mime_type: what it turned out to be. notes: what was left out, in words for the log.
    """

    kind: Kind
    mime_type: str
    parts: tuple[Passage | Still, ...]
    measures: Measures = Measures()
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All passages, one after the other."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Passage))
