"""Tables as files: rows of named columns → CSV, JSON lines, Parquet, a row or a batch in memory at a time.

It knows no meaning of a column but its kind. Invariant: money is an exact decimal in every format, a string
in text and ``DECIMAL(19, 9)`` in Parquet, and never a float.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Literal, NamedTuple

import msgspec

from geminid.core.errors import FailedPrecondition
from geminid.core.money import decimal_dollars

Kind = Literal["text", "integer", "dollars", "time", "json"]
"""What a cell is in memory: str, int, nano-dollars, milliseconds since 1970, anything that JSON can say. None
is a cell of each kind but json."""

Format = Literal["csv", "jsonl", "parquet"]
Row = Sequence[Any]
BATCH_ROWS = 5_000
GROUP_ROWS = 50_000
"""Rows that Parquet keeps together: as many are in memory at a time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Column(NamedTuple):
    """A column's name and kind."""

    name: str
    kind: Kind = "text"


def write_table(form: Format, columns: Sequence[Column], rows: Iterable[Row], file: IO[bytes]) -> int:
    """Write rows as they come; return how many there were.

    Raises ``FailedPrecondition`` for Parquet where its writer is not installed.
    """
    source = _Counted(rows)
    _WRITERS[form](columns, source, file)
    return source.count


def _csv(columns: Sequence[Column], rows: _Counted, file: IO[bytes]) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)  # as RFC 4180 ends lines: with "\n" alone, a "\r" in a cell would not be quoted
    try:
        writer.writerow(column.name for column in columns)
        for row in rows:
            writer.writerow(_plain(column, cell) for column, cell in zip(columns, row, strict=True))
    finally:
        text.detach()


def _jsonl(columns: Sequence[Column], rows: _Counted, file: IO[bytes]) -> None:
    for row in rows:
        cells = zip(columns, row, strict=True)
        said = {column.name: cell if column.kind == "json" else _said(column, cell) for column, cell in cells}
        file.write(_encode(said) + b"\n")


def _parquet(columns: Sequence[Column], rows: _Counted, file: IO[bytes]) -> None:
    try:
        from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
        from arro3.io import write_parquet
    except ImportError as error:
        raise FailedPrecondition(
            "Parquet is written by arro3-io, which is not installed.\nhint: pip install 'geminid[parquet]'"
        ) from error
    # as each kind is handed over, and what it becomes
    kinds = {
        "text": (DataType.utf8(), DataType.utf8()),
        "json": (DataType.utf8(), DataType.utf8()),
        "integer": (DataType.int64(), DataType.int64()),
        "dollars": (DataType.utf8(), DataType.decimal128(19, 9)),
        "time": (DataType.int64(), DataType.timestamp("ms", tz="UTC")),
    }
    schema = Schema([Field(column.name, kinds[column.kind][1], nullable=True) for column in columns])

    def batches() -> Iterator[Any]:
        while batch := list(itertools.islice(rows, BATCH_ROWS)):
            arrays = []
            for place, column in enumerate(columns):
                given, wanted = kinds[column.kind]
                cells = [_stored(column, row[place]) for row in batch]
                arrays.append(Array(cells, given).cast(wanted))
            yield RecordBatch.from_arrays(arrays, schema=schema)

    reader = RecordBatchReader.from_batches(schema, batches())
    try:
        write_parquet(reader, file, compression="zstd(3)", max_row_group_size=GROUP_ROWS)
    except Exception as error:
        raise rows.failure or error from None


class _Counted:
    """Rows that are counted on their way; keeps what went wrong with them, which the writer hides."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self.count = 0
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        try:
            row = next(self._rows)
        except StopIteration:
            raise
        except Exception as error:
            self.failure = error
            raise
        self.count += 1
        return row


def _said(column: Column, cell: Any) -> Any:
    """Return what a cell says in text; an integer stays one."""
    if cell is None:
        return None
    match column.kind:
        case "dollars":
            return decimal_dollars(cell)
        case "time":
            time = _EPOCH + timedelta(milliseconds=cell)
            return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case "json":
            return _encode(cell).decode()
    return cell


def _plain(column: Column, cell: Any) -> Any:
    """Return what a cell says in CSV. What a spreadsheet would take for a formula is marked as text: names
    and labels are other people's."""
    said = _said(column, cell)
    if column.kind == "text" and isinstance(said, str) and said.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{said}"
    return said


def _stored(column: Column, cell: Any) -> Any:
    return cell if column.kind == "time" else _said(column, cell)


_WRITERS: dict[Format, Callable[[Sequence[Column], _Counted, IO[bytes]], None]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
