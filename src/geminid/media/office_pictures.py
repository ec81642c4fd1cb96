"""Pictures inside office files: the first few are read, or given to a model with eyes.

It knows no office format. Invariant: each picture is taken once, however often the file shows it.
"""

from __future__ import annotations

import hashlib
from io import BytesIO

from PIL import Image

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.picture_file import open_pictures, still
from geminid.media.reading import Ask, Passage, Still
from geminid.media.tools import Tools

PICTURES_MAX = 20
SIDE_MIN_PX = 32
"""Smaller ones are bullets, icons and lines."""


class OfficePictures:
    """Collects the pictures of one file as its parser meets them."""

    def __init__(self, ask: Ask, bounds: Bounds, tools: Tools) -> None:
        self._ask = ask
        self._bounds = bounds
        self._tools = tools
        self._names: dict[bytes, str] = {}
        self._taken: list[tuple[str, Image.Image]] = []
        self._tiny = self._beyond = self._unreadable = 0

    def add(self, content: bytes) -> str:
        """Take a picture; return what to call it in the text, empty when it is not taken."""
        digest = hashlib.sha256(content).digest()
        if digest not in self._names:
            self._names[digest] = self._take(content)
        return self._names[digest]

    def lost(self) -> None:
        """Count a picture that could not even be got at."""
        self._unreadable += 1

    def _take(self, content: bytes) -> str:
        if len(self._taken) >= PICTURES_MAX:
            self._beyond += 1
            return ""
        try:
            image = open_pictures(BytesIO(content), self._bounds).pages[0]
        except Unreadable:
            self._unreadable += 1
            return ""
        if min(image.size) < SIDE_MIN_PX:
            self._tiny += 1
            return ""
        self._taken.append((f"Picture {len(self._taken) + 1}", image))
        return self._taken[-1][0]

    def parts(self) -> tuple[Passage | Still, ...]:
        """Return what is in the pictures, in order."""
        return tuple(part for name, image in self._taken for part in self._part(name, image))

    def _part(self, name: str, image: Image.Image) -> tuple[Passage | Still, ...]:
        if self._ask.eyes:
            return Passage(f"[{name}:]", "image"), still(image, self._ask.look.resolution)
        text = self._tools.ocr.read(image)
        words = f"[{name}. Text in it, read by OCR:]\n{text}" if text else f"[{name}. No text in it.]"
        return (Passage(words, "document"),)

    def notes(self) -> tuple[str, ...]:
        """Return what was left out, in words."""
        said = (
            (self._beyond, f"{self._beyond} pictures beyond the first {PICTURES_MAX} were left out"),
            (self._tiny, f"{self._tiny} pictures of less than {SIDE_MIN_PX} pixels were left out"),
            (self._unreadable, f"{self._unreadable} pictures could not be read and were left out"),
        )
        return tuple(words for count, words in said if count)
