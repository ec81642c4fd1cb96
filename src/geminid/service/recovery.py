"""What a process leaves behind when it dies is put right by the next one, or by any other.

Each process writes a heartbeat. Holds of one that is gone, and holds whose time is over, are released; what
limits count as running there is forgotten. It decides nothing that billing does not. Invariant: no hold
outlives both its process and its time by more than a round of sweeping.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from geminid.billing import ledger, quota
from geminid.billing.orders import Declined, Past, Void
from geminid.billing.transfers import Transfer
from geminid.core.errors import Problem
from geminid.service.meter import wall_ms
from geminid.store import ledger as ledger_rows
from geminid.store import owners, quotas
from geminid.store.database import Database
from geminid.store.owners import Owner

BEAT_S = 5.0
STALE_MS = 60_000
"""A process on another machine whose heartbeat is older than this is gone."""

log = logging.getLogger("geminid.meter")

Chore = Callable[[], Awaitable[object]]


class Recovery:
    """Keeps this process's heartbeat, and clears up after others.

    me: this process. lives: tells whether a process of this machine (number, start in milliseconds) is
    still there. chores: what else is to be done as often. They do not wait for each other, nor does a
    heartbeat wait for them: one that is late would look like the end of this process.
    """

    def __init__(
        self,
        database: Database,
        me: Owner,
        lives: Callable[[int, int], bool],
        *,
        chores: Sequence[Chore] = (),
        now_ms: Callable[[], int] = wall_ms,
        beat_s: float = BEAT_S,
    ) -> None:
        self._database = database
        self._me = me
        self._lives = lives
        self._chores = chores
        self._now_ms = now_ms
        self._beat_s = beat_s
        self._began = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Say that this process lives, and clear up after those that do not; then do so again and again."""
        await self.beat()
        self._tasks = [asyncio.create_task(self._again(chore)) for chore in self._chores]
        self._tasks.append(asyncio.create_task(self._again(self.beat, self._beat_s)))

    async def beat(self) -> None:
        """Say that this process lives, and clear up after those that do not."""
        me = Owner(
            id=self._me.id,
            host=self._me.host,
            pid=self._me.pid,
            born_ms=self._me.born_ms,
            heartbeat_ms=self._now_ms(),
        )
        await self._database.write(lambda connection: owners.beat(connection, me))
        await self.sweep()

    async def sweep(self) -> int:
        """Release what nobody will settle any more; return how many holds that were."""
        everybody = await self._database.read(owners.everybody)
        gone = frozenset(each.id for each in everybody if not self._alive(each))
        everywhere, self._began = bool(gone) or not self._began, True
        return await self._clear(gone, everywhere=everywhere)

    async def close(self) -> None:
        """Stop; what this process has not settled by now is released like that of a dead one."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._clear(frozenset({self._me.id}), everywhere=True)
        except Problem as problem:
            log.warning("this process left things to others: %s", problem)

    def _alive(self, owner: Owner) -> bool:
        if owner.id == self._me.id:
            return True
        if owner.host == self._me.host:
            return self._lives(owner.pid, owner.born_ms)
        return owner.heartbeat_ms > self._now_ms() - STALE_MS

    async def _clear(self, gone: frozenset[str], *, everywhere: bool) -> int:
        """everywhere: look through all counts, which takes long, and not only for holds."""
        now_ms = self._now_ms()

        def look(connection: Connection) -> tuple[str, ...]:
            there = _there(connection, gone)
            lapsed = ledger_rows.projects_with_lapsed(connection, now_ms, there)
            counted = quotas.projects_of_others(connection, there) if everywhere else ()
            return tuple(sorted({*lapsed, *counted}))

        projects = await self._database.read(look)
        released = 0
        for project in projects:
            released += await self._database.write(_Clearing(project, gone, now_ms))
        for owner_id in gone:  # last, so that a crash in between loses nothing
            await self._database.write(partial(owners.remove, owner_id=owner_id))
        if released:
            log.warning("released %d holds of requests that nobody will settle", released)
        return released

    async def _again(self, chore: Chore, pause_s: float = 0) -> None:
        while True:
            await asyncio.sleep(pause_s)
            pause_s = self._beat_s
            try:
                await chore()
            except Problem as problem:
                log.warning("%s failed and is tried again: %s", _name(chore), problem)
            except Exception:
                log.exception("%s failed and is tried again", _name(chore))


def _name(chore: Chore) -> str:
    return getattr(chore, "__qualname__", repr(chore))


def _there(connection: Connection, gone: frozenset[str]) -> set[str]:
    return {owners.LASTING, *(each.id for each in owners.everybody(connection))} - gone


class _Clearing:
    """One project put right, in one transaction."""

    def __init__(self, project: str, gone: frozenset[str], now_ms: int) -> None:
        self._project, self._gone, self._now_ms = project, gone, now_ms

    def __call__(self, connection: Connection) -> int:
        balance = ledger_rows.lock(connection, self._project)
        holds = ledger_rows.open_holds(connection, self._project)
        # Read after the holds: who has begun a moment ago is there before it holds anything.
        there = _there(connection, self._gone)
        rows: list[Transfer] = []
        for hold, why in ledger.lapsed(holds, self._now_ms, {each.owner for each in holds} - there):
            order = Void(request=hold.subject, attempt=hold.attempt, note=why)
            outcome = ledger.void(balance, order, Past(hold), self._now_ms)
            if not isinstance(outcome, Declined):
                balance = outcome.balance
                rows += outcome.rows
        ledger_rows.enter(connection, balance, rows)
        for model, state in quotas.of_project(connection, self._project).items():
            left = state
            for owner in {each.owner for each in state.running} - there:
                left = quota.forget(left, owner)
            if left is not state:
                quotas.put(connection, self._project, model, left)
        return len(rows)
