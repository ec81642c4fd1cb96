"""The results of a job in the order of its lines, put together when it has ended. Blocking, for threads.

Invariant: each line has one result, in its place; a line that was not answered has one that says so.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from geminid.bulk.index import Index
from geminid.bulk.journal import Journal
from geminid.service.batch_work import Output
from geminid.store.lines import RawLine, raw_lines

BLOCK_BYTES = 1024 * 1024

Unanswered = Callable[[int, RawLine], bytes]
"""(number of a line, the line) → the result of one that was not answered."""


def write_output(
    path: Path, journal: Journal, index: Index, lines: Path, line_bytes_max: int, unanswered: Unanswered
) -> Output:
    """Write the results and have them on the disk; raises ``OSError`` like files do."""
    digest, size = hashlib.sha256(), 0
    with ExitStack() as stack:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        file = stack.enter_context(os.fdopen(handle, "wb", BLOCK_BYTES))
        asked: Iterator[tuple[int, RawLine]] | None = None
        for number, place in enumerate(index.places()):
            if place is not None:
                result = journal.at(place).result
            else:
                if asked is None:
                    source = stack.enter_context(lines.open("rb", BLOCK_BYTES))
                    asked = enumerate(raw_lines(source, line_bytes_max))
                result = unanswered(number, next(raw for at, raw in asked if at == number))
            digest.update(result)
            size += file.write(result)
        file.flush()
        os.fsync(file.fileno())
    return Output(size, digest.hexdigest())
