"""The results of a job in the order of its lines, put together when it has ended. Blocking, for threads.

Invariant: each line has one result, in its place; a line that was not answered has one that says so, in a
file of its own where the format keeps those apart.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from geminid.bulk.index import Index
from geminid.bulk.journal import Journal, Kind
from geminid.bulk.planning import due_of
from geminid.core.usage import Usage
from geminid.service.batch_work import Output
from geminid.store.lines import RawLine, raw_lines

BLOCK_BYTES = 1024 * 1024

Unanswered = Callable[[int, RawLine], bytes]
"""(number of a line, the line) → the result of one that was not answered."""


class Source(msgspec.Struct, frozen=True):
    """The lines of a job, and what is known of them. ``unanswered`` writes what is not."""

    lines: Path
    line_bytes_max: int
    journal: Journal
    index: Index
    unanswered: Unanswered


class Results(NamedTuple):
    """What was put together; errors: None where they are not apart. usage: of all answers."""

    output: Output
    errors: Output | None
    usage: Usage


class _Writer:
    """One file of results, with its digest."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._file = stack.enter_context(os.fdopen(handle, "wb", BLOCK_BYTES))
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, result: bytes) -> None:
        self._digest.update(result)
        self._size += self._file.write(result)

    def end(self) -> Output:
        """Have it on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return Output(self._size, self._digest.hexdigest())


def write_output(path: Path, errors: Path | None, source: Source) -> Results:
    """Write the results and have them on the disk; raises ``OSError`` like files do.

    errors: where lines that were not answered are told of; None: among the others.
    """
    usage = Usage()
    with ExitStack() as stack:
        good = _Writer(path, stack)
        bad = good if errors is None else _Writer(errors, stack)
        raw = _raw(source, stack)
        for number, place in enumerate(source.index.places()):
            if place is None:
                bad.write(source.unanswered(number, next(each for at, each in raw if at == number)))
                continue
            record = source.journal.at(place)
            if record.kind is Kind.ANSWER:
                good.write(record.result)
                row = due_of(record)
                usage = usage if row is None else usage + row.usage
            else:
                bad.write(record.result)
        return Results(good.end(), None if errors is None else bad.end(), usage)


def _raw(source: Source, stack: ExitStack) -> Iterator[tuple[int, RawLine]]:
    """Yield the lines with their numbers; their file is opened by the first that is wanted."""
    file = stack.enter_context(source.lines.open("rb", BLOCK_BYTES))
    yield from enumerate(raw_lines(file, source.line_bytes_max))
