"""Cached contents between their making and their end: ready in the engines, and ended to the second.

A timer ends what expires, and what a deleted project leaves; whatever other servers on the same database have
made, prolonged or deleted is seen within seconds, and at once by whoever uses it. After a start, living
contents are computed again in the background, once their model is loaded. It knows no wire. Invariant: being
late costs nobody anything: what has expired is refused by its time and billed until its time, whenever that
is noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from geminid.catalog.served import Served
from geminid.core.card import EngineKind, ModelCard
from geminid.core.errors import Problem, UnknownCache, UnknownModel
from geminid.core.request import GenerateRequest, Tier
from geminid.core.usage import Usage
from geminid.engines.protocol import Engine, Prefix
from geminid.service.cache_contents import CachedContents, Contents, Memory, decode
from geminid.service.cache_limits import NS
from geminid.service.cache_money import EndCache, Moved
from geminid.store import caches as rows
from geminid.store.caches import CacheRow
from geminid.store.database import Database
from geminid.store.hot import Act
from geminid.store.usage import UsageRow

LOOK_EVERY_S = 5.0
"""How often it is looked for what others have changed; the next end is waited for by itself."""
RETRY_S = 1.0

T = TypeVar("T")
log = logging.getLogger("geminid.caches")


class Does(Protocol):
    """Whatever does acts of money: :class:`geminid.service.meter.Meter`."""

    def do(self, act: Act[T]) -> Awaitable[T]:
        """Do an act in a transaction."""


class CacheKeeper:
    """Keeps cached contents ready in this server's engines. Used on one event loop only."""

    def __init__(
        self,
        database: Database,
        meter: Does,
        served: Callable[[], Served],
        engines: Mapping[EngineKind, Engine],
        now_ns: Callable[[], int],
        memory: Memory | None = None,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database = database
        self._meter = meter
        self._served = served
        self._engines = engines
        self._now_ns = now_ns
        self._memory = memory or Memory()
        self._look_every_s = look_every_s
        self._kept: dict[str, ModelCard] = {}
        self._computing: dict[tuple[str, Tier], asyncio.Task[Usage]] = {}
        self._making: set[str] = set()
        self._refused: set[str] = set()
        self._changed = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """End what has expired while no server ran, and go on tending."""
        await self._end_expired()
        self._tending = asyncio.create_task(self._tend())

    def look(self) -> None:
        """Have it looked at once for what has changed, such as the next end."""
        self._changed.set()

    async def ready(self, row: CacheRow, card: ModelCard, tier: Tier = "standard") -> CachedContents:
        """Return cached contents once the engine of their model has them ready. tier: how urgent that is.

        Raises ``UnknownCache`` when they were deleted this very moment, and what the engine refuses with.
        """
        contents = self._memory.get(row.id)
        if contents is None:
            read = partial(rows.content, project=row.project, cache_id=row.id)
            encoded = await self._database.read(read)
            if encoded is None:
                raise UnknownCache
            contents = await asyncio.to_thread(decode, encoded)
            self._memory.put(row.id, contents, len(encoded))
        await self._compute(row.id, card, contents.request(card.name, row.project, tier))
        return CachedContents(row, contents)

    async def make(self, cache_id: str, card: ModelCard, request: GenerateRequest) -> Usage:
        """Compute contents whose row is written later, with :meth:`remember`, or never, with :meth:`drop`."""
        self._making.add(cache_id)
        return await self._compute(cache_id, card, request)

    async def _compute(self, cache_id: str, card: ModelCard, request: GenerateRequest) -> Usage:
        """Have the engine keep contents, and return the usage of their prompt. Whoever asks at the same time
        and as urgently waits for the same; an engine that has them answers at once."""
        key = cache_id, request.tier
        task = self._computing.get(key)
        if task is None:
            prefix = Prefix(id=cache_id, request=request)
            task = asyncio.create_task(self._engines[card.engine].keep(card, prefix))
            self._computing[key] = task
            task.add_done_callback(partial(self._computed, key, card))
        return await asyncio.shield(task)

    def remember(self, row: CacheRow, contents: Contents, size_bytes: int) -> None:
        """Take contents that were just made, so that they need not be read again."""
        self._memory.put(row.id, contents, size_bytes)
        self._making.discard(row.id)

    async def end(self, row: CacheRow, now_ns: int, *, expired: bool = False) -> UsageRow | None:
        """End cached contents and return the bill for keeping them.

        None when somebody else has ended them, or has moved their end and ``expired`` is all that is wanted.
        """
        seen: CacheRow | None = row
        while seen is not None:
            try:
                bill = await self._meter.do(EndCache(seen, now_ns, expired=expired))
            except Moved:
                find = partial(rows.find, project=row.project, cache_id=row.id, now_ns=0)
                seen = await self._database.read(find)
                continue
            if bill is None:
                return None
            if (card := self._kept.get(row.id)) is not None:
                await self.drop(row.id, card)
            return bill
        return None

    async def drop(self, cache_id: str, card: ModelCard) -> None:
        """Have the engine forget contents, also while it computes them."""
        self._memory.forget(cache_id)
        self._making.discard(cache_id)
        computing = [task for (name, _), task in self._computing.items() if name == cache_id]
        for task in computing:
            task.cancel()
        await asyncio.gather(*computing, return_exceptions=True)
        self._kept.pop(cache_id, None)
        self._refused.clear()  # there is room now
        await self._engines[card.engine].drop(card, cache_id)

    async def close(self) -> None:
        """Stop; cached contents stay, and their time goes on."""
        tasks = [task for task in (self._tending, self._warming, *self._computing.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- tending -----------------------------------------------------------------------------------

    def _computed(self, key: tuple[str, Tier], card: ModelCard, task: asyncio.Task[Usage]) -> None:
        self._computing.pop(key, None)
        if not task.cancelled() and task.exception() is None:
            self._kept[key[0]] = card

    async def _tend(self) -> None:
        while True:
            self._changed.clear()
            try:
                pause_s = await self._round()
            except Problem as problem:
                log.warning("cached contents are looked at again soon: %s", problem)
                pause_s = RETRY_S
            except Exception:
                log.exception("cached contents are looked at again soon")
                pause_s = RETRY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()

    async def _round(self) -> float:
        """Do what is due, and return in how many seconds something will be."""
        await self._end_expired()
        for row in await self._database.read(rows.forsaken):
            await self.end(row, self._now_ns())
        written = {each: card for each, card in self._kept.items() if each not in self._making}
        living = await self._database.read(partial(rows.living, now_ns=self._now_ns()))
        there = {row.id for row in living}
        for cache_id in written.keys() - there:
            await self.drop(cache_id, written[cache_id])
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._warm(living))
        next_ns = min((row.expires_ns for row in living), default=None)
        if next_ns is None:
            return self._look_every_s
        return min(self._look_every_s, max((next_ns - self._now_ns()) / NS, 0.001))

    async def _end_expired(self) -> None:
        def act(connection: Connection) -> tuple[CacheRow, ...]:
            return rows.expired(connection, self._now_ns())

        for row in await self._database.read(act):
            await self.end(row, self._now_ns(), expired=True)

    async def _warm(self, living: Iterable[CacheRow]) -> None:
        """Have the engines compute what they do not have, those that live longest first."""
        for row in living:
            card = self._card(row)
            if card is None or row.id in self._kept or row.id in self._refused or not self._loaded(card):
                continue
            try:
                await self.ready(row, card, "batch")
            except Problem as problem:
                self._refused.add(row.id)
                log.warning("cached contents %s are not ready: %s", row.id, problem)

    def _card(self, row: CacheRow) -> ModelCard | None:
        """Return the card that they were computed for, if it is served and their name still means it."""
        try:
            card = self._served().resolve(row.asked)
        except UnknownModel:
            return None
        return card if card.name == row.model else None

    def _loaded(self, card: ModelCard) -> bool:
        states = self._engines[card.engine].states()
        return any(state.model == card.name and state.phase == "ready" for state in states)
