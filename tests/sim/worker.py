"""One process of a round: the real generator, meter, store and recovery, and an engine of straw."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

import make
from geminid.billing.orders import Credit
from geminid.billing.prices import PriceBook
from geminid.billing.quota import decode
from geminid.catalog.served import Served
from geminid.core.caller import Caller
from geminid.core.errors import Problem
from geminid.core.money import parse_dollars
from geminid.core.price import Price
from geminid.service.credits import Credits
from geminid.service.generate import Generator
from geminid.service.keys import Keys
from geminid.service.meter import Charge, Meter
from geminid.service.recovery import Recovery
from geminid.service.resolve import Resolver
from geminid.store.database import Database
from geminid.store.hot import Hot
from geminid.store.owners import Owner
from geminid.store.tables import holds, quotas
from sim.journal import Journal
from sim.plan import MODELS, NOON_MS, SCALE, TTL_MS, Entry, Errand, Job
from sim.straw import RECEIPT, StrawEngine

AT_ONCE = 8
BEAT_S = 0.25
DOLLARS = {"tiny": ("1", "2"), "odd": ("0.333333333", "1.777777777"), "free": ("0", "0")}
"""By model: a million tokens in, and out."""
CARDS = tuple(make.card(name, engine="scripted", context_tokens_max=4_000) for name in MODELS)


class Clock:
    """Virtual milliseconds: fast, and off by what the plan says at each moment."""

    def __init__(self, origin_s: float, offsets: tuple[tuple[int, int], ...] = ()) -> None:
        self._origin_s = origin_s
        self._began_s = time.monotonic()
        self._offsets = offsets

    def __call__(self) -> int:
        now_s = time.monotonic()
        lived_ms = (now_s - self._began_s) * 1000
        offset = next((off for at_ms, off in reversed(self._offsets) if at_ms <= lived_ms), 0)
        return NOON_MS + int((now_s - self._origin_s) * 1000 * SCALE) + offset


class Prices:
    """What :data:`DOLLARS` says."""

    def __init__(self) -> None:
        self.book = PriceBook.of(
            Price(key=model, kind=kind, nano_per_million=parse_dollars(dollars))
            for model, amounts in DOLLARS.items()
            for kind, dollars in zip(("input", "output"), amounts, strict=True)
        )

    def sheet(self, names, tier, time_ms):
        return next((found for name in names if (found := self.book.sheet(name, tier, time_ms))), None)


class Worker:
    """Does a job."""

    def __init__(self, job: Job, database: Database, clock: Clock, journal: Journal, meter: Meter) -> None:
        self._job = job
        self._journal = journal
        engine = StrawEngine({str(errand.number): errand for errand in job.errands}, journal)
        resolver = Resolver(None, None, None, None, None)  # what has no media needs none of it
        self._generator = Generator(
            Served(CARDS),
            {"scripted": engine},
            lambda record: None,
            resolver=resolver,
            meter=meter,
            new_id=RECEIPT.get,
        )
        self._meter = meter
        self._credits = Credits(database, clock)
        self._keys = Keys(database, None, (), clock)
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Do everything; what is refused or fails is part of it."""
        errands = [self._errand(errand) for errand in self._job.errands]
        entries = [self._entry(entry) for entry in self._job.entries]
        await asyncio.gather(*entries, *errands)

    async def _errand(self, errand: Errand) -> None:
        async with self._turn:
            asking = asyncio.create_task(self._ask(errand))
            if errand.leaves_ms is not None:
                await asyncio.wait({asking}, timeout=errand.leaves_ms / 1000)
                asking.cancel()
                if errand.leaves_twice:
                    await asyncio.sleep(0)
                    asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask(self, errand: Errand) -> None:
        receipt = f"{self._job.owner}-{errand.number}"
        RECEIPT.set(receipt)
        request = errand.request or receipt
        self._journal.note(
            "asked", receipt, errand.project, request, errand.model, errand.prompt, time.monotonic()
        )
        ended = "ended"
        try:
            await self._read(errand, receipt)
        except Problem as problem:
            ended = problem.code
        except asyncio.CancelledError:
            ended = "left"
        except RuntimeError:
            ended = "bug"
        finally:
            late = self._meter._late or errand.leaves_twice  # then it ends behind our back
            self._journal.note("late" if late else "ended", receipt, ended)

    async def _read(self, errand: Errand, receipt: str) -> None:
        asked = make.request(
            str(errand.number),
            model=errand.model,
            tokens_max=errand.tokens_max,
            candidates=errand.candidates,
            tier=errand.tier,
        )
        caller = Caller(project=errand.project, key_id=errand.key_id)
        opened = self._generator.generate(
            asked,
            caller,
            deadline_ms=errand.deadline_ms,
            own_deadline=errand.own_deadline,
            request_id=errand.request,
            whole=errand.whole,
        )
        async with opened as generation:
            if not errand.whole:
                self._note_admitted(receipt, generation.charge)
            number = -1  # what was accepted is no chunk
            async for _ in generation.events:
                number += 1
                if number == errand.leaves_after:
                    return
            if errand.whole:
                self._note_admitted(receipt, generation.charge)
            self._journal.note("answered", receipt, generation.charge.cost_nano)

    def _note_admitted(self, receipt: str, charge: Charge) -> None:
        tickets = charge.admission.result().tickets
        told = [(model, ticket.time_ms, ticket.moves) for model, ticket in tickets]
        self._journal.note("admitted", receipt, told)

    async def _entry(self, entry: Entry) -> None:
        try:
            if entry.kind == "revoke":
                if entry.key_id and entry.number % 3 == 0:
                    await self._keys.revoke("sim", entry.project, entry.key_id)
                    self._journal.note("revoked", entry.project, time.monotonic())
            elif entry.kind == "refund":
                await self._credits.refund("sim", entry.project, f"~{entry.project}-{entry.key[-1]}")
            else:
                order = Credit(
                    kind=entry.kind, key=entry.key, amount_nano=entry.amount_nano, expires_ms=entry.expires_ms
                )
                entered = await self._credits.enter("sim", entry.project, order)
                self._journal.note("entered", entry.project, entered.transfer.id)
        except Problem as problem:
            self._journal.note("declined", entry.project, entry.kind, problem.message)


async def work(job: Job) -> None:
    """Live one life."""
    clock, journal = Clock(job.origin_s, job.offsets), Journal(Path(job.journal))
    database = await Database.open(job.url)
    pid = os.getpid()
    me = Owner(id=job.owner, host="sim", pid=pid, born_ms=born(pid), heartbeat_ms=0)
    recovery = Recovery(database, me, lives, now_ms=clock, beat_s=BEAT_S)
    hot = Hot(database.engine, clock)
    meter = Meter(hot, Prices(), owner=job.owner, ttl_ms=TTL_MS, now_ms=clock, pauses_s=(0.01, 0.1, 0.5))
    await recovery.start()
    await Worker(job, database, clock, journal, meter).run()
    await asyncio.gather(*meter._ending)
    if not meter._late:
        journal.note("left", job.owner, await database.read(lambda connection: _left(connection, job.owner)))
    if job.killed_at_end:
        os.kill(pid, signal.SIGKILL)
    await meter.close()
    await hot.close()
    await recovery.close()
    await database.close()


def _left(connection: Connection, owner: str) -> list[str]:
    """What a process that has ended all its requests still holds, or counts as running."""
    held = connection.execute(select(holds.c.request).where(holds.c.owner == owner)).scalars()
    counted = (
        f"{project} {model}"
        for project, model, state in connection.execute(select(quotas))
        if owner in {each.owner for each in decode(bytes(state)).running}
    )
    return [*held, *counted]


def born(pid: int) -> int:
    """When a process was started, in ticks of the kernel's; 0 for one that is dead, buried or not."""
    with contextlib.suppress(OSError):
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return 0 if state in "ZX" else int(rest[18])
    return 0


def lives(pid: int, born_ticks: int) -> bool:
    """Whether a process of this machine is still there."""
    return bool(born_ticks) and born(pid) == born_ticks


def run(line: bytes) -> None:
    """Do the job that a line tells, in a process that was just forked."""
    logging.disable(logging.WARNING)
    asyncio.run(work(msgspec.json.decode(line, type=Job)))
