"""What is to be answered, as values: lines that ask the same, and what is known of their answer.

It knows no engine and no disk.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, Protocol

import msgspec

from geminid.core.batch import Job
from geminid.core.errors import Unavailable
from geminid.service.meter import Charge
from geminid.store.usage import UsageRow
from geminid.wire.lines import Line, LineFormat


class BrokenOff(Unavailable):
    """The engine was lost in the middle of an answer, perhaps because of it."""


class Prepared(NamedTuple):
    """A request that was read. digest: what all requests have in common that are answered alike, empty where
    each is an answer of its own. near: requests of which this begins alike are answered side by side."""

    request: Any
    telling: Any
    digest: bytes
    near: str


class Asked(NamedTuple):
    """A line of a job that asks something."""

    number: int
    line: Line


class Name(NamedTuple):
    """What a line is charged as. fresh: it was certainly never charged as that before."""

    request_id: str
    fresh: bool


class Known(NamedTuple):
    """An answer that is there: its body on one line, and the row of its usage."""

    body: bytes
    row: UsageRow | None


class Answered(NamedTuple):
    """An answer, and its charge, which is to be paid once the answer is kept."""

    body: bytes
    charge: Charge | None

    @property
    def known(self) -> Known:
        """What other lines may have of it."""
        return Known(self.body, self.charge.due if self.charge is not None else None)


class Work(msgspec.Struct, kw_only=True, eq=False):
    """Lines that ask the same. known: once the first was answered. tries: how often its engine failed in the
    middle. again: its first line was begun before. active: somebody is at it."""

    prepared: Prepared
    lines: deque[Asked]
    known: Known | None = None
    tries: int = 0
    again: bool = False
    active: bool = True


class Answerer(Protocol):
    """Whoever can answer the lines of one kind of jobs."""

    @property
    def lines(self) -> LineFormat:
        """How lines and their results are spelled."""

    def prepare(self, job: Job, request: bytes) -> Prepared:
        """Read a request; raises ``InvalidArgument``. For threads."""

    async def answer(self, job: Job, prepared: Prepared, name: Name) -> Answered:
        """Answer a request. Raises a ``Problem``; what was left is not charged."""

    async def copy(self, job: Job, known: Known, name: Name) -> Answered:
        """Answer with what is known, under a receipt of its own; charge it as the policy says."""
