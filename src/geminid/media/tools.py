"""What readers share within one reader process: models that are loaded once, when first needed.

Protocols, so that a reader can be tested without its models.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import msgspec

from geminid.core.speech import Listen, Segment, Understood

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


class Heard(msgspec.Struct, frozen=True):
    """One stretch of speech. Times count from the beginning of what was given."""

    start_ms: int
    end_ms: int
    text: str


class Transcript(msgspec.Struct, frozen=True):
    """All speech of a sound; ``language`` is an ISO 639-1 code, empty when nobody spoke."""

    language: str
    heard: tuple[Heard, ...]


class Ocr(Protocol):
    """Reads printed text."""

    def read(self, image: Image) -> str:
        """Return the text of an image in reading order, its layout kept with spaces and line breaks."""


class Speech(Protocol):
    """Understands speech."""

    def transcribe(self, samples: np.ndarray) -> Transcript:
        """Return what is said in mono samples, float32 from -1 to 1 at 16 kHz."""

    def listen(self, samples: np.ndarray, listen: Listen) -> Iterator[Segment | Understood]:
        """Yield what is said in such samples as it is heard, and what language that was at the end.

        Raises ``Unreadable`` for a language that is not known.
        """

    def prompt_tokens(self, listen: Listen) -> int:
        """Return how many tokens of the prompt are taken."""


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The models of one process. ``speech`` is None when its weights are not on this machine."""

    ocr: Ocr
    speech: Speech | None = None
