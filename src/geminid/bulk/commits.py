"""Results kept and paid, many at a time: first the journal, then the charges, then the next group.

An answer is on the disk before it is charged, so that a crash in between costs nobody an answer that he has
paid for; what was kept and not paid is paid when the job is taken up again. Invariant: nothing that went in
is forgotten while this process lives, however long disk or database are away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from geminid.bulk.index import Index
from geminid.bulk.journal import Journal, Kind, Record
from geminid.core.errors import Unavailable
from geminid.service.meter import Charge, Meter

GROUP_S = 0.05
"""Results are collected for so long: a sync of the disk for each would cost more than the answers do."""
AGAIN_S = 1.0

log = logging.getLogger("geminid.batches")
_encode = msgspec.msgpack.Encoder().encode


class Entry(NamedTuple):
    """A result, its charge if it has one, and what is to be done when both are settled."""

    number: int
    kind: Kind
    result: bytes
    charge: Charge | None = None
    done: Callable[[], None] | None = None


class Commits:
    """The results of one job. Used on one event loop. counts: lines that are settled, by what they are."""

    def __init__(self, journal: Journal, index: Index, meter: Meter | None) -> None:
        self._journal = journal
        self._index = index
        self._meter = meter
        self._waiting: list[Entry] = []
        self._group: list[Entry] = []
        self._kept = False
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._hurried = asyncio.Event()
        self._keeping: asyncio.Future[None] | None = None
        self.counts: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self.fault = ""
        self.on_settled: Callable[[], None] = lambda: None

    @property
    def backlog(self) -> int:
        """How many results are not settled yet."""
        return len(self._waiting) + len(self._group)

    def put(self, entry: Entry) -> None:
        """Take a result."""
        self._waiting.append(entry)
        self._idle.clear()
        self._wanted.set()

    async def flush(self) -> None:
        """Wait until everything that was put is settled."""
        self._hurried.set()
        await self._idle.wait()
        self._hurried.clear()

    async def close(self) -> None:
        """Wait until no thread is at the journal, after :meth:`run` has ended, and release what is held for
        results that are not in it: they are asked again."""
        if self._keeping is not None:
            await asyncio.wait([self._keeping])
        lost = self._waiting if self._kept else [*self._group, *self._waiting]
        if self._meter is not None:
            charges = [each.charge for each in lost if each.charge is not None]
            await asyncio.gather(*map(self._meter.give_up, charges), return_exceptions=True)

    async def run(self) -> None:
        """Settle what comes in, until this is cancelled."""
        while True:
            await self._wanted.wait()
            if not self._hurried.is_set():
                await asyncio.sleep(GROUP_S)
            self._wanted.clear()
            self._group, self._waiting = self._waiting, []
            await self._settle(self._group)
            self._group = []
            self.on_settled()
            if not self._waiting:
                self._idle.set()

    async def _settle(self, group: Sequence[Entry]) -> None:
        records, self._kept = [_record(each) for each in group], False
        while True:
            try:
                self._keeping = asyncio.ensure_future(asyncio.to_thread(self._keep, records))
                await asyncio.shield(self._keeping)
                break
            except OSError as error:
                self.fault = f"The results cannot be kept now: {error.strerror}."
                log.error("%s", self.fault)
                await asyncio.sleep(AGAIN_S)
        self.fault = ""
        await self._pay([each.charge for each in group if each.charge is not None])
        for each in group:
            self.counts[each.kind] += 1
            if each.done is not None:
                each.done()

    def _keep(self, records: Sequence[Record]) -> None:
        offsets = self._journal.append(records)
        self._kept = True
        for record, offset in zip(records, offsets, strict=True):
            self._index.put(record.number, offset)

    async def _pay(self, charges: Sequence[Charge]) -> None:
        if self._meter is None:
            return
        left = list(charges)
        while left:
            outcomes = await asyncio.gather(*map(self._meter.pay, left), return_exceptions=True)
            wrong = [(charge, why) for charge, why in zip(left, outcomes, strict=True) if _failed(why)]
            if not wrong:
                return
            for charge, why in wrong:
                if not isinstance(why, Unavailable):  # trying again would not help
                    log.error("request %s cannot be charged: %r", charge.asked.request, why)
            left = [charge for charge, why in wrong if isinstance(why, Unavailable)]
            if left:
                log.warning("%d requests of a batch cannot be charged yet: %s", len(left), wrong[0][1])
                await asyncio.sleep(AGAIN_S)


def _failed(outcome: object) -> bool:
    return isinstance(outcome, BaseException)


def _record(entry: Entry) -> Record:
    charge = entry.charge
    due = _encode(charge.due) if charge is not None and charge.due is not None else b""
    return Record(entry.number, entry.kind, due, entry.result)
