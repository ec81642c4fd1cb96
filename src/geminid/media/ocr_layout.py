"""Where words stand becomes plain text: lines, gaps, columns.

It knows neither pictures nor PDF, only boxes with words in them; y grows downwards. Invariant: every
span's text is in the result exactly once.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

COLUMNS_MAX = 160
"""No line is laid out over more characters than this, words themselves excepted."""
COLUMN_LINES_MIN = 4
COLUMN_CHARACTERS_MIN = 18
COLUMN_FILL_MIN = 0.75
LETTERS_SHARE_MIN = 0.6
"""What makes a column one of prose: so many lines, so long, so full of letters. Tables have none."""
GUTTERS_TRIED = 41
PARAGRAPH_PITCH = 1.5
"""Lines this much further apart than usual have an empty line between them."""
TIGHT = 0.12
"""Spans nearer than this share of their height are one word in a PDF that was set glyph by glyph."""


class Span(NamedTuple):
    """Words in a box."""

    left: float
    top: float
    right: float
    bottom: float
    text: str

    @property
    def middle(self) -> float:
        """The vertical centre."""
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.bottom - self.top


Line = list[Span]


def laid_out(spans: Sequence[Span], *, tight: bool = False) -> str:
    """Return the words in reading order; gaps are runs of spaces as wide as they were.

    tight: whether touching spans may be parts of one word.
    """
    known = [span for span in spans if span.text.strip()]
    unit = _unit(known)
    return "\n\n".join(_block(block, unit, tight) for block in _blocks(known) if block)


def _unit(spans: Sequence[Span]) -> float:
    """The usual width of a character."""
    if not spans:
        return 1.0
    widths = [(span.right - span.left) / len(span.text) for span in spans if len(span.text) > 2]
    page = max(span.right for span in spans) - min(span.left for span in spans)
    return max(statistics.median(widths) if widths else 1.0, page / COLUMNS_MAX, 0.01)


def _block(spans: Sequence[Span], unit: float, tight: bool) -> str:
    lines = lines_of(spans)
    left = min(span.left for span in spans)
    middles = [statistics.mean(span.middle for span in line) for line in lines]
    pitches = [after - before for before, after in pairwise(middles)]
    usual = statistics.median(pitches) if pitches else 0.0
    said = [_line(lines[0], left, unit, tight)]
    for line, pitch in zip(lines[1:], pitches, strict=True):
        if pitch > PARAGRAPH_PITCH * max(usual, line[0].height):
            said.append("")
        said.append(_line(line, left, unit, tight))
    return "\n".join(said)


def _line(line: Line, left: float, unit: float, tight: bool) -> str:
    said, end = "", None
    for span in line:
        column = min(round((span.left - left) / unit), COLUMNS_MAX)
        if end is None:
            said = " " * column
        elif tight and span.left - end < TIGHT * span.height:
            pass
        elif span.left - end < 1.5 * unit:
            said = said.rstrip(" ") + " "
        else:
            said += " " * max(2, column - len(said))
        said += span.text
        end = span.right
    return said.rstrip()


def lines_of(spans: Sequence[Span]) -> list[Line]:
    """Return spans by line, from top to bottom and from left to right."""
    lines: list[Line] = []
    for span in sorted(spans, key=lambda each: each.middle):
        home = next((line for line in reversed(lines[-3:]) if _beside(line, span)), None)
        if home is None:
            lines.append([span])
        else:
            home.append(span)
    return [sorted(line, key=lambda each: each.left) for line in lines]


def _beside(line: Line, span: Span) -> bool:
    """Whether a span stands on a line: its nearest neighbour and it have their middles in each other."""
    near = min(line, key=lambda each: max(each.left - span.right, span.left - each.right))
    return near.top < span.middle < near.bottom and span.top < near.middle < span.bottom


def _blocks(spans: Sequence[Span]) -> list[list[Span]]:
    """Cut a page into what is read one after the other: columns of prose, and all else line by line."""
    ordered = sorted(spans, key=lambda each: each.top)
    if len(ordered) < 2 * COLUMN_LINES_MIN:
        return [ordered]
    left, right = min(span.left for span in ordered), max(span.right for span in ordered)
    best: tuple[int, int, int, float] = (0, 0, 0, 0.0)
    for step in range(GUTTERS_TRIED):
        x = left + (right - left) * (0.2 + 0.6 * step / (GUTTERS_TRIED - 1))
        best = max(best, *_runs(ordered, x), key=lambda run: run[0])
    size, begin, end, x = best
    if not size:
        return [ordered]
    run = ordered[begin:end]
    before, behind = ordered[:begin], ordered[end:]
    parts = [before, [s for s in run if s.right <= x], [s for s in run if s.right > x], behind]
    return [
        block for part in parts if part for block in (_blocks(part) if len(part) < len(ordered) else [part])
    ]


def _runs(ordered: Sequence[Span], x: float) -> list[tuple[int, int, int, float]]:
    """Return stretches of a page with columns on both sides of x: size, begin, end, x."""
    crossing = [i for i, span in enumerate(ordered) if span.left < x < span.right]
    edges = [-1, *crossing, len(ordered)]
    stretches = ((before + 1, after) for before, after in pairwise(edges))
    return [
        (end - begin, begin, end, x)
        for begin, end in stretches
        if end - begin >= 2 * COLUMN_LINES_MIN
        and _prose([span for span in ordered[begin:end] if span.right <= x])
        and _prose([span for span in ordered[begin:end] if span.right > x])
    ] or [(0, 0, 0, x)]


def _prose(spans: Sequence[Span]) -> bool:
    """Whether spans on one side of a gutter are running text: long lines, full of letters."""
    lines = lines_of(spans)
    if len(lines) < COLUMN_LINES_MIN:
        return False
    said = "".join(span.text for span in spans)
    letters = sum(character.isalpha() for character in said)
    if len(said) < COLUMN_CHARACTERS_MIN * len(spans) or letters < LETTERS_SHARE_MIN * len(said):
        return False
    width = max(span.right for span in spans) - min(span.left for span in spans)
    fills = [sum(span.right - span.left for span in line) / width for line in lines]
    return statistics.median(fills) >= COLUMN_FILL_MIN
