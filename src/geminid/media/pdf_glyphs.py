"""Glyphs of a PDF page become runs: words of one line that stand together.

It knows pdfium's text page. Coordinates come out as on the upright page, y downwards, in points.
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from geminid.media.ocr_layout import Span

GLYPHS_MAX = 200_000
"""Of a page; a dense one has ten thousand."""
GAP = 1.0
"""Glyphs further apart than this share of their height are in different runs."""
BACK = 0.6
"""And those that end this much further left than the one before."""
LEVEL = math.radians(20)
"""Text at larger angles runs along a margin, or across the page."""
ANGLES_LOOKED = 200
HYPHENS = {0x02, 0xAD, 0xFFFE}
"""As what pdfium tells the hyphen at the end of a line."""
LIGATURES = str.maketrans(
    {
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "ﬅ": "st",
        "ﬆ": "st",
        "\u00a0": " ",
        "\u200b": "",
    }
)


class Glyph(NamedTuple):
    """A character and where it is. ``text`` is a space where words end, and a line break where lines do."""

    left: float
    top: float
    right: float
    bottom: float
    text: str


class Run(NamedTuple):
    """Glyphs in a row, and the box around them."""

    span: Span
    glyphs: tuple[Glyph, ...]

    @property
    def text(self) -> str:
        """Its words."""
        return self.span.text


class Glyphs(NamedTuple):
    """The runs of a page, and those that do not stand upright on it.

    turned: by how many degrees, clockwise, the page must be turned for its text to stand upright. What
    the page itself says of that is for people, who see at once when it is wrong.
    """

    runs: list[Run]
    sideways: list[Run]
    turned: int


def glyphs_of(page: Any) -> Glyphs:
    """Return the text of a page."""
    text_page = page.get_textpage()
    try:
        turned = _turned(text_page.raw)
        return Glyphs(*_runs(text_page, turned), turned)
    finally:
        text_page.close()


def _turned(raw: Any) -> int:
    """Return the turn in which most of the text stands upright."""
    count = pdfium.FPDFText_CountChars(raw)
    looked = range(0, count, max(1, count // ANGLES_LOOKED))
    angles = Counter(_degrees(raw, at) for at in looked if pdfium.FPDFText_GetUnicode(raw, at) > 32)
    return angles.most_common(1)[0][0] if angles else 0


def _degrees(raw: Any, index: int) -> int:
    """Return the turn that a character needs, to the nearest quarter; pdfium's angles go clockwise."""
    angle = pdfium.FPDFText_GetCharAngle(raw, index)
    return int(-round(max(0.0, angle) / math.radians(90)) % 4 * 90)


def _runs(text_page: Any, turned: int) -> tuple[list[Run], list[Run]]:
    upright: list[Run] = []
    sideways: list[Run] = []
    row: list[Glyph] = []
    askew = False
    for index, glyph in _glyphs(text_page, turned):
        if row and (glyph.text == "\n" or (not askew and _apart(row[-1], glyph))):
            (sideways if askew else upright).extend(_run(row))
            row = []
        if glyph.text == "\n":
            continue
        if not row:
            askew = _askew(text_page, index, turned)
        row.append(glyph)
    (sideways if askew else upright).extend(_run(row))
    return upright, sideways


def _glyphs(text_page: Any, turned: int) -> Iterator[tuple[int, Glyph]]:
    """Yield characters in the order of the file. Spaces have no box of their own worth having."""
    raw, box, place = text_page.raw, pdfium.FS_RECTF(), ctypes.byref
    unicode_of, box_of = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetLooseCharBox
    count = pdfium.FPDFText_CountChars(raw)
    if count > GLYPHS_MAX:
        raise ValueError(f"{count} glyphs")
    at = place(box)
    before, half = Glyph(0, 0, 0, 0, ""), 0
    for index in range(count):
        code = unicode_of(raw, index)
        if code in (10, 13):
            yield index, before._replace(text="\n")
            continue
        if 0xD800 <= code < 0xDC00:
            half = code
            continue
        if half and 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((half - 0xD800) << 10) + (code - 0xDC00)
        half = 0
        if code == 32 or not box_of(raw, index, at):
            yield index, before._replace(left=before.right, text=" ")
            continue
        before = _placed(box, turned, _character(code))
        if before.text:
            yield index, before


def _character(code: int) -> str:
    if code in HYPHENS:
        return "-"
    if code >= 0xF0000 or 0xD800 <= code < 0xE000 or code < 32:
        return "\ufffd"
    return chr(code).translate(LIGATURES)


def _placed(box: Any, turned: int, text: str) -> Glyph:
    left, right, bottom, top = box.left, box.right, box.bottom, box.top
    if turned == 90:
        return Glyph(bottom, left, top, right, text)
    if turned == 180:
        return Glyph(-right, bottom, -left, top, text)
    if turned == 270:
        return Glyph(-top, -right, -bottom, -left, text)
    return Glyph(left, -top, right, -bottom, text)


def _apart(before: Glyph, glyph: Glyph) -> bool:
    height = max(before.bottom - before.top, glyph.bottom - glyph.top, 0.1)
    middle = (glyph.top + glyph.bottom) / 2
    if not before.top - 0.3 * height < middle < before.bottom + 0.3 * height:
        return True
    if glyph.left - before.right > GAP * height:
        return True
    return before.right - glyph.right > BACK * height


def _askew(text_page: Any, index: int, turned: int) -> bool:
    angle = pdfium.FPDFText_GetCharAngle(text_page.raw, index)
    if angle < 0:
        return False
    shown = (angle + math.radians(turned)) % (2 * math.pi)
    return bool(LEVEL < shown < 2 * math.pi - LEVEL)


def _run(row: list[Glyph]) -> Iterator[Run]:
    while row and row[-1].text.isspace():
        row = row[:-1]
    solid = [glyph for glyph in row if not glyph.text.isspace()]
    if solid:
        yield Run(_span(solid, " ".join("".join(glyph.text for glyph in row).split())), tuple(row))


def _span(glyphs: list[Glyph], text: str) -> Span:
    return Span(
        min(glyph.left for glyph in glyphs),
        min(glyph.top for glyph in glyphs),
        max(glyph.right for glyph in glyphs),
        max(glyph.bottom for glyph in glyphs),
        text,
    )


def part_of(run: Run, glyphs: list[Glyph]) -> Run | None:
    """Return the run of some of a run's glyphs."""
    return next(_run(glyphs), None)
