"""Tables with ruling lines: found by pdfplumber's search for cells, filled with the page's own words.

It knows lines and runs, no file. Invariant: a run is in one table at most, whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from geminid.media.ocr_layout import laid_out
from geminid.media.office_table import markdown_table
from geminid.media.pdf_glyphs import Glyph, Run, part_of
from geminid.media.pdf_objects import Edge

EDGES_MIN = 4
EDGES_MAX = 600
"""Lines of a page after those that touch have become one; the search takes their product in time."""
CROSSINGS_MAX = 4_000
TOLERANCE = 3.0
"""Points between lines that are meant to meet."""
FILLED_MIN = 0.4
"""Of a table's cells; the grid of a chart has fewer with words in them."""

Box = tuple[float, float, float, float]


class Table(NamedTuple):
    """A table: where it is, what it says, and the runs that it is made of."""

    left: float
    top: float
    right: float
    bottom: float
    markdown: str
    runs: tuple[Run, ...]


def tables_of(edges: Sequence[Edge], runs: Sequence[Run]) -> list[Table]:
    """Return the ruled tables of a page."""
    if sum(edge.level for edge in edges) < 2 or len(edges) < EDGES_MIN or not runs:
        return []
    tables: list[Table] = []
    taken: set[int] = set()
    for cells in _grids(edges):
        free = [run for run in runs if id(run) not in taken]
        if table := _table(cells, free):
            tables.append(table)
            taken |= {id(run) for run in table.runs}
    return tables


def _grids(edges: Sequence[Edge]) -> list[list[Box]]:
    from pdfplumber import table as search

    joined = search.merge_edges([_as_dict(edge) for edge in edges], *[TOLERANCE] * 4)
    if len(joined) > EDGES_MAX:
        return []
    crossings = search.edges_to_intersections(joined, TOLERANCE, TOLERANCE)
    if len(crossings) > CROSSINGS_MAX:
        return []
    grids: Any = search.cells_to_tables(search.intersections_to_cells(crossings))
    return sorted((list(grid) for grid in grids), key=len, reverse=True)


def _as_dict(edge: Edge) -> dict[str, Any]:
    return {
        "x0": edge.left,
        "x1": edge.right,
        "top": edge.top,
        "bottom": edge.bottom,
        "width": edge.right - edge.left,
        "height": edge.bottom - edge.top,
        "orientation": "h" if edge.level else "v",
        "object_type": "line",
    }


def _table(cells: list[Box], runs: Sequence[Run]) -> Table | None:
    """Fill a grid; None when it has too few cells or words to be a table."""
    lefts, tops = sorted({cell[0] for cell in cells}), sorted({cell[1] for cell in cells})
    if len(lefts) < 2 or len(tops) < 2:
        return None
    left, top = lefts[0], tops[0]
    right, bottom = max(cell[2] for cell in cells), max(cell[3] for cell in cells)
    inside = [run for run in runs if all(_within((left, top, right, bottom), g) for g in run.glyphs)]
    words: dict[Box, list[Run]] = {cell: [] for cell in cells}
    for run in inside:
        for cell, part in _parts(run, cells):
            words[cell].append(part)
    said = {
        (cell[1], cell[0]): laid_out([p.span for p in parts], tight=True) for cell, parts in words.items()
    }
    if sum(map(bool, said.values())) < FILLED_MIN * len(cells):
        return None
    rows = [[said.get((row, column), "") for column in lefts] for row in tops]
    return Table(left, top, right, bottom, markdown_table(rows), tuple(inside))


def _parts(run: Run, cells: Sequence[Box]) -> Iterator[tuple[Box, Run]]:
    """Cut a run where it goes on in another cell."""
    row: list[Glyph] = []
    home: Box | None = None
    for glyph in run.glyphs:
        cell = home if glyph.text.isspace() else next((c for c in cells if _within(c, glyph)), home)
        if cell != home and row:
            if home and (part := part_of(run, row)):
                yield home, part
            row = []
        home = cell
        row.append(glyph)
    if home and (part := part_of(run, row)):
        yield home, part


def _within(box: Box, glyph: Glyph) -> bool:
    x, y = (glyph.left + glyph.right) / 2, (glyph.top + glyph.bottom) / 2
    return box[0] - 1 <= x <= box[2] + 1 and box[1] - 1 <= y <= box[3] + 1
