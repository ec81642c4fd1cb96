"""Taking a job up: what its journal keeps is found again, and what was kept but not paid is paid.

Invariant: a line whose result is in the journal is not asked again, however often its job is taken up.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from geminid.bulk.index import Index
from geminid.bulk.journal import Journal, Kind
from geminid.bulk.planning import due_of
from geminid.store.usage import UsageRow


class Recovered(NamedTuple):
    """What a journal tells: results by kind, and rows that may not be paid yet."""

    counts: Counter[Kind]
    due: list[UsageRow]


def recover(journal: Journal, index: Index, told: int) -> Recovered:
    """Read a journal into a new index. Blocking.

    told: how many results the job's row tells of. They were paid before it told of them; all others may be.
    """
    counts: Counter[Kind] = Counter()
    due: list[UsageRow] = []
    for number, (offset, record) in enumerate(journal.recover()):
        index.put(record.number, offset)
        counts[record.kind] += 1
        if number >= told and (row := due_of(record)) is not None:
            due.append(row)
    return Recovered(counts, due)
