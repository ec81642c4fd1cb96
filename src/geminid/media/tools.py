"""What readers share within one reader process: models that are loaded once, when first needed.

Protocols, so that a reader can be tested without its models; and the real ones, whose libraries take half a
second to load and are loaded with the first file that needs them.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

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


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The models of one process. ``speech`` is None when its weights are not on this machine."""

    ocr: Ocr
    speech: Speech | None = None


class LateOcr:
    """Reads printed text; ``threads`` 0 is one for each core."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def read(self, image: Image) -> str:
        """Return the text of an image."""
        return self._ocr.read(image)

    @cached_property
    def _ocr(self) -> Ocr:
        from geminid.media.ocr import PaddleOcr

        return PaddleOcr(threads=self._threads)


class LateSpeech:
    """Understands speech with the weights in ``folder``."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._threads = threads

    def transcribe(self, samples: np.ndarray) -> Transcript:
        """Return what is said in samples."""
        return self._speech.transcribe(samples)

    @cached_property
    def _speech(self) -> Speech:
        from geminid.media.speech import Whisper

        return Whisper(self._folder, threads=self._threads)
