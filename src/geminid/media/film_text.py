"""What is to be read on screen, told only when it changes. It knows no film and no model."""

from __future__ import annotations

from difflib import SequenceMatcher
from textwrap import dedent

ALIKE = 0.8
"""Lines that are as alike as this are one line, read twice a little differently."""


class OnScreen:
    """The text of the frames so far."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def news(self, text: str) -> str:
        """Return the lines of a frame's text that were not on the frame before; their order is kept, and
        how they stand to each other."""
        lines = [line.rstrip() for line in text.splitlines() if _bare(line)]
        new = [line for line in lines if not any(_alike(_bare(line), known) for known in self._lines)]
        self._lines = [_bare(line) for line in lines]
        return dedent("\n".join(new))


def _bare(line: str) -> str:
    return "".join(filter(str.isalnum, line.casefold()))


def _alike(line: str, known: str) -> bool:
    if line == known:
        return True
    if any(character.isdigit() for character in line + known):
        return False  # a counter that moves is news
    return SequenceMatcher(None, line, known, autojunk=False).ratio() >= ALIKE
