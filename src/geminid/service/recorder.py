"""The flight recorder: what happened to each of the last requests, phase by phase, in memory.

It is fed with what requests tell when they have ended and knows no words of theirs, neither asked nor
answered. Invariant: it keeps at most as many as it was made for, the latest.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator
from typing import Literal, get_args

import msgspec

from geminid.core.errors import NotFound
from geminid.core.money import Nano
from geminid.core.usage import Usage
from geminid.service.acting import NowMs, Page, now_ms
from geminid.service.generate import RequestRecord
from geminid.store.usage import UsageRow

PhaseName = Literal["read", "accept", "admit", "queue", "prefill", "decode", "settle"]
"""Reading of media; fitting, loading of the model, tokenising until the engine has the request; the meter's
decision; waiting in the engine's queue; computing until the first token; writing; charging."""

PHASES: tuple[PhaseName, ...] = get_args(PhaseName)


class Phase(msgspec.Struct, frozen=True):
    """A stretch of a request, in milliseconds since it came."""

    name: PhaseName
    start_ms: int
    took_ms: int


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """One request that has ended. id: its receipt. refused_by: limits, by Google's names, or ``credits``."""

    id: str
    project: str
    key_name: str
    model: str
    asked: str
    tier: str
    outcome: str
    refused_by: tuple[str, ...]
    created_ms: int
    took_ms: int
    usage: Usage
    cost_nano: Nano | None
    phases: tuple[Phase, ...]


class UnknownTimeline(NotFound):
    """No request of this project with this receipt is among the last ones."""

    def __init__(self, receipt: str) -> None:
        super().__init__(f"There is no timeline of {receipt[:64]}; only those of the last requests are kept.")


class Recorder:
    """Keeps the last ``size`` timelines; 0 keeps none."""

    def __init__(self, size: int, now_ms: NowMs = now_ms) -> None:
        self._size = size
        self._now_ms = now_ms
        self._kept: OrderedDict[str, Timeline] = OrderedDict()

    def observe(self, record: RequestRecord) -> None:
        """Take a request that has ended."""
        if not self._size:
            return
        if len(self._kept) >= self._size and record.id not in self._kept:
            self._kept.popitem(last=False)
        self._kept[record.id] = timeline_of(record, self._now_ms())

    def get(self, receipt: str, project: str = "") -> Timeline:
        """Return the timeline of a request; raises UnknownTimeline, also for another project's."""
        found = self._kept.get(receipt)
        if found is None or (project and found.project != project):
            raise UnknownTimeline(receipt)
        return found

    def page(self, size: int, after: str = "", project: str = "") -> Page[Timeline]:
        """Return ``size`` timelines at most, the latest first, after a receipt; those that were pushed out
        meanwhile are left out."""
        some = tuple(itertools.islice(self._after(after, project), size + 1))
        return Page(some[:size], some[size - 1].id if len(some) > size > 0 else "")

    def _after(self, after: str, project: str) -> Iterator[Timeline]:
        passed = not after
        if after and after not in self._kept:
            return
        for each in reversed(self._kept.values()):
            if passed and project in ("", each.project):
                yield each
            passed = passed or each.id == after


def timeline_of(record: RequestRecord, ended_ms: int) -> Timeline:
    """Return what a record tells."""
    whole_ms = _ms(max(record.took_s, record.settled_s))
    return Timeline(
        id=record.id,
        project=record.project,
        key_name=record.key_name,
        model=record.model,
        asked=record.asked,
        tier=record.tier,
        outcome=record.outcome,
        refused_by=record.refused_by,
        created_ms=ended_ms - whole_ms,
        took_ms=whole_ms,
        usage=record.usage,
        cost_nano=record.cost_nano,
        phases=told_phases(record),
    )


def told_phases(record: RequestRecord) -> tuple[Phase, ...]:
    """Return the phases that a record tells."""
    return tuple(
        phases_of(
            {
                "read": _reached(record.read_s),
                "accept": _reached(record.accepted_s),
                "admit": _reached(record.admitted_s),
                "queue": _reached(record.begun_s),
                "prefill": _reached(record.first_token_s),
                "decode": _ms(record.took_s),
                "settle": _reached(record.settled_s),
            }
        )
    )


def kept_phases(row: UsageRow) -> tuple[Phase, ...]:
    """Return the phases that a row of usage tells; when it was settled, it does not."""
    return tuple(
        phases_of(
            {
                "read": row.read_ms,
                "accept": row.accepted_ms,
                "admit": row.admitted_ms,
                "queue": row.begun_ms,
                "prefill": row.first_token_ms,
                "decode": row.took_ms,
                "settle": None,
            }
        )
    )


def phases_of(ends: dict[PhaseName, int | None]) -> Iterator[Phase]:
    """Yield the phases that end at these times, each from where the one before it ended.

    What never ended is left out. A request without a token was cut off in the phase that never ended, so
    what is called decode for others is called by that one.
    """
    start_ms = 0
    for name, end_ms in ends.items():
        if end_ms is None:
            continue
        yield Phase(_cut_off(ends) if name == "decode" else name, start_ms, max(end_ms - start_ms, 0))
        start_ms = max(end_ms, start_ms)


def _cut_off(ends: dict[PhaseName, int | None]) -> PhaseName:
    if ends["prefill"] is not None:
        return "decode"
    for name in ("read", "accept", "admit"):
        if ends[name] is None and not (name == "admit" and ends["queue"] is not None):
            return name
    return "prefill"


def _reached(seconds: float) -> int | None:
    return _ms(seconds) if seconds >= 0 else None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
