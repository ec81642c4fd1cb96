"""Rows of words as a Markdown table. It knows no format."""

from __future__ import annotations

from collections.abc import Sequence

COLUMNS_MAX = 1_000


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first row is its head. Empty rows and columns at its edges are cut, and
    rows are as long as the widest; beyond ``COLUMNS_MAX`` columns each row keeps its own length."""
    kept = _trimmed(rows)
    if not kept:
        return ""
    width = max(map(len, kept))
    if width <= COLUMNS_MAX:
        kept = [[*row, *[""] * (width - len(row))] for row in kept]
    head, *body = (_line([cell_text(cell) for cell in row]) for row in kept)
    return "\n".join([head, _line(["---"] * len(kept[0])), *body])


def cell_text(words: str) -> str:
    """Return the words of a cell on one line."""
    return " ".join(words.split()).replace("|", "\\|")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _trimmed(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Cut what is empty on all four sides."""
    said = [[str(cell) for cell in row] for row in rows]
    full = [at for at, row in enumerate(said) if any(cell.strip() for cell in row)]
    if not full:
        return []
    within = said[full[0] : full[-1] + 1]
    left = min(
        next(at for at, cell in enumerate(row) if cell.strip())
        for row in within
        if any(c.strip() for c in row)
    )
    return [_cut(row[left:]) for row in within]


def _cut(row: list[str]) -> list[str]:
    end = len(row)
    while end and not row[end - 1].strip():
        end -= 1
    return row[:end]
