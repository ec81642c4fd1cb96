"""Reading ahead: some lines of a job at a time, those that begin alike next to each other.

Blocking, for threads. Invariant: every line that has no result yet is planned once, as something to be asked,
or as a result that needs no asking, since what it says is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from geminid.bulk.index import Index, Seen
from geminid.bulk.journal import Journal, Kind, Record
from geminid.bulk.work import Answerer, Asked, Known, Prepared
from geminid.core.batch import Job
from geminid.core.errors import Problem
from geminid.service.batch_work import request_id
from geminid.store.lines import RawLine, raw_lines
from geminid.store.usage import UsageRow
from geminid.wire.lines import Line, LineFormat

READ_BYTES = 1024 * 1024

_DUE = msgspec.msgpack.Decoder(UsageRow)


class Planned(NamedTuple):
    """A line that asks something. known: what another line, that asked the same, was answered."""

    asked: Asked
    prepared: Prepared
    known: Known | None = None


class Window(NamedTuple):
    """Some lines: what is to be asked, in the order in which it should be, and results that are there."""

    planned: list[Planned]
    results: list[Record]
    last: bool


class Planner:
    """Reads the lines of one job once, from the first to the last."""

    def __init__(
        self,
        job: Job,
        path: Path,
        journal: Journal,
        index: Index,
        seen: Seen,
        answerer: Answerer,
        *,
        line_bytes_max: int,
        lines_max: int,
        bytes_max: int,
    ) -> None:
        self._job = job
        self._journal = journal
        self._index = index
        self._seen = seen
        self._answerer = answerer
        self._line_bytes_max = line_bytes_max
        self._lines_max = lines_max
        self._bytes_max = bytes_max
        self._file = path.open("rb", READ_BYTES)
        self._raw = enumerate(raw_lines(self._file, line_bytes_max))
        self._places = index.places()

    def window(self) -> Window:
        """Return the next lines; raises ``OSError`` when they cannot be read."""
        planned: list[Planned] = []
        results: list[Record] = []
        size = 0
        for number, raw in self._unanswered():
            said = self._plan(number, raw)
            if isinstance(said, Record):
                results.append(said)
            else:
                planned.append(said)
            size += raw.size
            if len(planned) + len(results) >= self._lines_max or size >= self._bytes_max:
                break
        else:
            return Window(_neighbours(planned), results, last=True)
        return Window(_neighbours(planned), results, last=False)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _unanswered(self) -> Iterator[tuple[int, RawLine]]:
        for number, raw in self._raw:
            if next(self._places, None) is None:
                yield number, raw

    def _plan(self, number: int, raw: RawLine) -> Planned | Record:
        line, lines = self._line(number, raw), self._answerer.lines
        name = request_id(self._job, number)
        if line.fault is not None:
            return Record(number, Kind.UNREAD, b"", lines.failure(line, line.fault, name))
        try:
            prepared = self._answerer.prepare(self._job, line.request)
        except Problem as problem:
            return Record(number, Kind.ERROR, b"", lines.failure(line, problem, name))
        asked = Asked(number, msgspec.structs.replace(line, request=b""))  # its words are in ``prepared`` now
        return Planned(asked, prepared, self._known(number, prepared))

    def _line(self, number: int, raw: RawLine) -> Line:
        lines = self._answerer.lines
        if not raw.data:
            words = f"it has {raw.size} bytes; at most {self._line_bytes_max} are allowed."
            return lines.refused(number + 1, words)
        return lines.read(raw.data, number + 1)

    def _known(self, number: int, prepared: Prepared) -> Known | None:
        """Return what the first line that asked this was answered, if that is kept already."""
        if not prepared.digest:
            return None
        first = self._seen.first(prepared.digest, number)
        place = self._index.get(first) if first != number else None
        if place is None:
            return None
        record = self._journal.at(place)
        return known_of(record, self._answerer.lines) if record.kind is Kind.ANSWER else None


def known_of(record: Record, lines: LineFormat) -> Known:
    """Return the answer that a record keeps."""
    return Known(lines.body_of(record.result), due_of(record))


def due_of(record: Record) -> UsageRow | None:
    """Return what is to be paid for a record."""
    return _DUE.decode(record.due) if record.due else None


def _neighbours(planned: list[Planned]) -> list[Planned]:
    return sorted(planned, key=lambda each: each.prepared.near)
