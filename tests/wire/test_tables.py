"""Tables as files: every cell comes back exactly, and a few rows are in memory at a time."""

import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from arro3.io import read_parquet
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.errors import FailedPrecondition, InvalidArgument
from geminid.wire import tables
from geminid.wire.tables import Column, write_table

COLUMNS = (
    Column("name"),
    Column("count", "integer"),
    Column("cost", "dollars"),
    Column("time", "time"),
    Column("labels", "json"),
)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(
    st.tuples(
        st.none() | WORDS,
        st.none() | NUMBERS,
        st.none() | NUMBERS,
        st.none() | st.integers(0, 253_402_300_799_999),
        st.dictionaries(WORDS, WORDS, max_size=2),
    ),
    max_size=20,
)


def written(form, rows):
    file = io.BytesIO()
    assert write_table(form, COLUMNS, iter(rows), file) == len(rows)
    return file.getvalue()


def dollars(nano):
    return None if nano is None else Decimal(nano).scaleb(-9)


def moment(ms):
    return None if ms is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def exact(text):
    return Decimal(text) if text else None


@given(ROWS)
def test_json_lines_say_every_cell(rows):
    said = [json.loads(line) for line in written("jsonl", rows).decode().split("\n")[:-1]]
    assert [
        (
            line["name"],
            line["count"],
            exact(line["cost"]),
            line["time"] and datetime.fromisoformat(line["time"]),
            line["labels"],
        )
        for line in said
    ] == [(name, count, dollars(cost), moment(time), labels) for name, count, cost, time, labels in rows]


@given(ROWS)
def test_csv_says_every_cell(rows):
    read = list(csv.DictReader(io.StringIO(written("csv", rows).decode(), newline="")))
    assert [(exact(line["count"]), exact(line["cost"]), json.loads(line["labels"])) for line in read] == [
        (count, dollars(cost), labels) for _, count, cost, _, labels in rows
    ]
    for line, row in zip(read, rows, strict=True):
        assert line["name"] in (row[0] or "", f"'{row[0]}")
        assert not line["name"].startswith(("=", "+", "-", "@"))


@settings(max_examples=30)
@given(ROWS)
def test_parquet_keeps_every_cell_in_its_own_type(rows):
    table = read_parquet(io.BytesIO(written("parquet", rows))).read_all()
    columns = [[cell.as_py() for cell in table[column.name]] for column in COLUMNS]
    assert [tuple(cells) for cells in zip(*columns, strict=True)] == [
        (
            name,
            count,
            dollars(cost),
            moment(time),
            json.dumps(labels, separators=(",", ":"), ensure_ascii=False),
        )
        for name, count, cost, time, labels in rows
        if labels is not None
    ]


def rows(count, fail_at=-1):
    for number in range(count):
        if number == fail_at:
            raise InvalidArgument("It ends here.")
        yield f"row {number}", number, number, number, {}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_what_goes_wrong_with_the_rows_is_told_as_it_was(form):
    with pytest.raises(InvalidArgument, match="It ends here"):
        write_table(form, COLUMNS, rows(20_000, fail_at=7_000), io.BytesIO())


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_memory_does_not_grow_with_the_rows(form, tmp_path):
    def peak(count):
        tracemalloc.start()
        with (tmp_path / "out").open("wb") as file:
            write_table(form, COLUMNS, rows(count), file)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(10_000) < peak(1_000) + 64 * 1024


def test_parquet_says_how_to_get_it_where_it_is_not(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "arro3.io", None)
    with pytest.raises(FailedPrecondition, match=r"geminid\[parquet\]"):
        written("parquet", [])


def test_a_file_that_is_written_to_stays_open():
    file = io.BytesIO()
    for form in tables._WRITERS:
        write_table(form, COLUMNS, rows(1), file)
    assert not file.closed
