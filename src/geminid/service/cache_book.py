"""Cached contents as operators see them: which there are, how often they were used, what they cost and saved.

It knows no engine: a server that has them ready notices within seconds that they were ended here. Invariant:
what is ended here is billed as if its project had deleted it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection

from geminid.core.cache import CachePlace
from geminid.core.errors import NotFound
from geminid.core.money import Nano
from geminid.service.acting import NowMs, Page, now_ms, trace, wrong
from geminid.service.cache_money import EndCache, Moved
from geminid.service.cache_storage import storage_of
from geminid.store import caches as rows
from geminid.store.caches import NO_USE, CacheRow, Use
from geminid.store.database import Database
from geminid.store.hot import Hot

__all__ = ["CacheBook", "CacheReport", "CacheRow", "UnknownCacheId"]


class UnknownCacheId(NotFound):
    """No project has cached contents of this id, or they have ended."""

    def __init__(self, cache_id: str) -> None:
        super().__init__(f"There are no cached contents {cache_id[:64]} here.")


class CacheReport(msgspec.Struct, frozen=True):
    """Cached contents, how they were used, and what keeping them has cost so far; None without a price."""

    row: CacheRow
    use: Use
    storage_nano: Nano | None


class CacheBook:
    """The cached contents of one database."""

    def __init__(
        self, database: Database, now_ms: NowMs = now_ms, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._database = database
        self._now_ms = now_ms
        self._now_ns = now_ns

    async def page(self, size: int, after: str = "", project: str = "") -> Page[CacheReport]:
        """Return ``size`` at most, the newest first, of all projects or of one."""
        place, now = _place(after), self._now_ns()

        def act(connection: Connection) -> Page[CacheReport]:
            found = rows.page(connection, project, now, place, size + 1)
            shown = found[:size]
            more = f"{shown[-1].created_ns}.{shown[-1].id}" if len(found) > size and shown else ""
            return Page(tuple(_reports(connection, shown, now)), more)

        return await self._database.read(act)

    async def get(self, cache_id: str) -> CacheReport:
        """Return cached contents of whichever project; raises UnknownCacheId."""
        now = self._now_ns()

        def act(connection: Connection) -> CacheReport | None:
            row = rows.find_anywhere(connection, cache_id, now)
            return None if row is None else next(iter(_reports(connection, [row], now)))

        found = await self._database.read(act)
        if found is None:
            raise UnknownCacheId(cache_id)
        return found

    async def end(self, actor: str, cache_id: str) -> None:
        """End cached contents now; raises UnknownCacheId."""
        hot = Hot(self._database.engine, self._now_ms)
        try:
            row = await self._ended(hot, cache_id)
        finally:
            await hot.close()

        def note(connection: Connection) -> None:
            said = {"asked": row.asked, "tokens": row.usage.prompt}
            trace(connection, self._now_ms(), actor, "caches.delete", cache_id, row.project, **said)

        await self._database.write(note)

    async def _ended(self, hot: Hot, cache_id: str) -> CacheRow:
        while True:
            row = (await self.get(cache_id)).row
            try:
                if await hot.do(EndCache(row, self._now_ns())) is None:
                    raise UnknownCacheId(cache_id)
            except Moved:
                continue
            return row


def _reports(connection: Connection, found: Sequence[CacheRow], now_ns: int) -> Sequence[CacheReport]:
    by_project: dict[str, list[str]] = defaultdict(list)
    for row in found:
        by_project[row.project].append(row.id)
    uses = {
        key: use
        for project, ids in by_project.items()
        for key, use in rows.uses(connection, project, ids).items()
    }
    costs = [storage_of(row, now_ns) for row in found]
    return [
        CacheReport(row, uses.get(row.id, NO_USE), None if cost is None else cost.total_nano)
        for row, cost in zip(found, costs, strict=True)
    ]


def _place(after: str) -> CachePlace | None:
    if not after:
        return None
    created, _, cache_id = after.partition(".")
    if not created.isdecimal() or len(created) > 19 or not cache_id:
        raise wrong("pageToken", "was not given by this server")
    return CachePlace(int(created), cache_id)
