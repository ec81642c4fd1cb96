"""The models that read print and speech, loaded with the first file that needs them.

Their libraries alone take half a second to load, and most reader processes meet one kind of file.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from geminid.core.speech import Listen, Segment, Understood
from geminid.media.tools import Ocr, Speech, Transcript

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


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

    def listen(self, samples: np.ndarray, listen: Listen) -> Iterator[Segment | Understood]:
        """Yield what is said in samples as it is heard."""
        return self._speech.listen(samples, listen)

    def prompt_tokens(self, listen: Listen) -> int:
        """Return how many tokens of the prompt are taken."""
        return self._speech.prompt_tokens(listen) if listen.prompt else 0

    @cached_property
    def _speech(self) -> Speech:
        from geminid.media.speech import Whisper

        return Whisper(self._folder, threads=self._threads)
