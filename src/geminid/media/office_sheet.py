"""Workbooks (xlsx) to Markdown: a table for each sheet, values as people see them.

It knows no other office format. Invariant: no cell with a value is left out; a file larger than the bounds
is refused.
"""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import openpyxl

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.office_pictures import OfficePictures
from geminid.media.office_table import markdown_table
from geminid.media.office_told import Told

ROWS_MAX = 1_048_576
"""Excel's own limit."""
CELLS_MAX = 2_000_000
DIGITS = 15
"""Of a number, as Excel has them: 0.1 + 0.2 is 0.3 there."""
UNCALCULATED = re.compile(rb"<f[^>]{0,300}(?:/>|>[^<]{0,9000}</f>)\s*(?:<v\s*/>|<v></v>|</c>)")
SCANNED_BYTES, OVERLAP_BYTES = 1 << 20, 16 * 1024
FIXED = re.compile(r"(#,##)?0(?:\.(0+))?(%)?")
"""Formats of numbers that are followed: digits behind the point, groups of thousands, per cent."""
MEDIA = "xl/media/"


def read_workbook(source: Path, bounds: Bounds, pictures: OfficePictures) -> Told:
    """Return a workbook as Markdown. Raises ``Unreadable``, and what its parser raises."""
    with zipfile.ZipFile(source) as archive:
        uncalculated = _uncalculated(archive)
        for name in sorted(archive.namelist()):
            if name.startswith(MEDIA):
                pictures.add(archive.read(name))
    budget = _Budget()
    with ExitStack() as opened:
        values = opened.enter_context(_workbook(source, data_only=True))
        formulas = opened.enter_context(_workbook(source, data_only=False)) if uncalculated else None
        sheets = [_sheet(name, values, formulas, budget) for name in values.sheetnames]
    notes = (
        (f"{uncalculated} formulas had no value stored and are given as they are",) if uncalculated else ()
    )
    count = f"{len(sheets)} sheet{'' if len(sheets) == 1 else 's'}"
    return Told(f"Workbook, {count}", "\n\n".join(sheets), notes)


@contextmanager
def _workbook(source: Path, *, data_only: bool) -> Iterator[Any]:
    """Open a workbook by its bytes: a path without the usual suffix would be refused."""
    with source.open("rb") as stream:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=data_only, keep_links=False)
        try:
            yield book
        finally:
            book.close()


class _Budget:
    """Counts the cells of a file."""

    def __init__(self) -> None:
        self.cells = 0

    def spend(self, cells: int) -> None:
        self.cells += cells
        if self.cells > CELLS_MAX:
            raise Unreadable(f"The workbook has more than {CELLS_MAX:,} cells.")


def _sheet(name: str, values: Any, formulas: Any, budget: _Budget) -> str:
    sheet = values[name]
    title = f"## Sheet: {name}{'' if sheet.sheet_state == 'visible' else ' (hidden)'}"
    if not hasattr(sheet, "reset_dimensions"):
        return f"{title}\n\n(a chart)"
    others = _rows(formulas[name]) if formulas else None
    rows = list(_said(_rows(sheet), others, budget))
    table = markdown_table(rows)
    return f"{title}\n\n{table or '(empty)'}"


def _rows(sheet: Any) -> Iterator[Sequence[Any]]:
    sheet.reset_dimensions()  # what a file says of its size may be wrong
    for number, row in enumerate(sheet.iter_rows(), 1):
        if number > ROWS_MAX:
            raise Unreadable(f"A sheet has more than {ROWS_MAX:,} rows.")
        yield row


def _said(
    rows: Iterable[Sequence[Any]], others: Iterator[Sequence[Any]] | None, budget: _Budget
) -> Iterator[list[str]]:
    """Yield the words of each row; a formula in the place of a value that was never calculated."""
    for row in rows:
        formulas = next(others, ()) if others else ()
        words = [shown(cell.value, getattr(cell, "number_format", "")) for cell in row]
        for at, cell in enumerate(formulas[: len(words)]):
            if not words[at] and cell.value is not None:
                words[at] = str(cell.value)
        while words and not words[-1]:
            words.pop()
        budget.spend(len(words))
        yield words


def shown(value: Any, number_format: str = "General") -> str:
    """Return a cell's value as Excel would show it, with dates in ISO form."""
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return _number(value, number_format)
        case datetime.datetime():
            whole = value.time() == datetime.time()
            return (
                value.date().isoformat()
                if whole
                else value.isoformat(" ", "minutes" if not value.second else "seconds")
            )
        case datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)


def _number(value: float, number_format: str) -> str:
    bare = number_format.split(";")[0].replace("\\", "").strip(' _)"€$£')
    if not (found := FIXED.fullmatch(bare)) or (bare == "0" and value % 1 != 0):
        return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
    thousands, decimals, percent = "," if found[1] else "", len(found[2] or ""), found[3] or ""
    return f"{value:{thousands}.{decimals}{percent or 'f'}}"


def _uncalculated(archive: zipfile.ZipFile) -> int:
    """Return how many formulas were never calculated, as in files that no Excel has ever saved."""
    found = 0
    for member in archive.infolist():
        if member.filename.startswith("xl/worksheets/") and member.filename.endswith(".xml"):
            with archive.open(member) as part:
                kept = b""
                while chunk := part.read(SCANNED_BYTES):
                    window = kept + chunk
                    ends = [match.end() for match in UNCALCULATED.finditer(window)]
                    found += len(ends)
                    kept = window[max(ends[-1] if ends else 0, len(window) - OVERLAP_BYTES) :]
    return found
