"""The text layer of a PDF page: glyphs to words, words to reading order, ruled tables to Markdown.

It knows no OCR and no file. Invariant: every glyph that the page shows is in its text
once; rows of dots, which are none, are cut short.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from geminid.media.ocr_layout import Span, laid_out
from geminid.media.pdf_glyphs import Run, glyphs_of
from geminid.media.pdf_objects import Drawn, drawn_on
from geminid.media.pdf_tables import Table, tables_of

LETTERS_MIN = 25
"""Pages with fewer letters, but with pictures or drawings, are looked at."""
LETTERS_OVER_PICTURE_MIN = 200
"""Stamps and page numbers that a scanner or its software puts over a page have fewer."""
COVERED_MIN = 0.5
"""A page of which pictures cover more than this is a scan, unless it has text enough."""
PICTURED_MIN = 0.05
OUTLINES_MIN = 20
"""So many drawings on a page without text may be letters."""
SOUP_SHARE_MAX = 0.2
"""Of a page whose fonts do not tell what their glyphs mean."""
LEADERS = re.compile(r"(?: ?[.·…_]){8,}")
"""Dots between a title and its page number."""
HOLD = 0xF0000
"""A plane of private characters, none of which is left in the text; a table stands in the layout as one."""
HOLD_LENGTH = 24


class PageText(msgspec.Struct, frozen=True, kw_only=True):
    """What the text layer of a page has.

    letters: visible characters. soup: the share of them that mean nothing. covered: the share of the page
    that pictures cover. drawings: lines, curves and areas.
    """

    text: str
    letters: int
    soup: float
    covered: float
    drawings: int

    @property
    def pictured(self) -> bool:
        """Whether there are pictures that the text says nothing of."""
        return self.covered >= PICTURED_MIN


def needs_ocr(page: PageText) -> bool:
    """Whether more can be read of the page by looking at it."""
    if page.letters and page.soup > SOUP_SHARE_MAX:
        return True
    if page.letters < LETTERS_MIN:
        return page.covered > 0 or page.drawings >= OUTLINES_MIN
    return page.letters < LETTERS_OVER_PICTURE_MIN and page.covered >= COVERED_MIN


def page_text(page: Any) -> PageText:
    """Return the text of a page."""
    runs, sideways, turned = glyphs_of(page)
    drawn = drawn_on(page, turned)
    said = "".join(run.text for run in [*runs, *sideways])
    visible = [c for c in said if not c.isspace()]
    return PageText(
        text=_laid_out(runs, sideways, drawn),
        letters=len(visible),
        soup=sum(map(_means_nothing, visible)) / len(visible) if visible else 0.0,
        covered=drawn.covered,
        drawings=drawn.drawings,
    )


def _means_nothing(character: str) -> bool:
    return character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn", "Cc", "Cs")


def _laid_out(runs: Sequence[Run], sideways: Sequence[Run], drawn: Drawn) -> str:
    tables = tables_of(drawn.edges, runs)
    inside = {id(run) for table in tables for run in table.runs}
    spans = [run.span for run in runs if id(run) not in inside]
    spans += [_hold(table, number) for number, table in enumerate(tables)]
    text = _put_in(LEADERS.sub(" ...", laid_out(spans, tight=True)), tables)
    margin = "\n".join(run.text for run in sideways)
    return "\n\n".join(filter(None, (text, margin)))


def _hold(table: Table, number: int) -> Span:
    """Return what keeps a table's place among the words: one line of it, at its top."""
    height = min(table.bottom - table.top, 10.0)
    return Span(table.left, table.top, table.right, table.top + height, chr(HOLD + number) * HOLD_LENGTH)


def _put_in(text: str, tables: Sequence[Table]) -> str:
    for number, table in enumerate(tables):
        before, behind = text.split(chr(HOLD + number) * HOLD_LENGTH)
        text = f"{before.rstrip()}\n\n{table.markdown}\n\n{behind.lstrip()}".strip("\n")
    return text
