"""The acts on cached contents: make, find, list, prolong, delete, use.

It knows no wire. How they are made is :mod:`geminid.service.cache_making`'s, what they cost
:mod:`geminid.service.cache_money`'s, when they end by themselves :mod:`geminid.service.cache_keeper`'s.
Invariants: what is answered is in the database; cached contents that have expired, were deleted or belong to
another project are the same ``UnknownCache``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from geminid.core.cache import Cache, CachePlace, Expiration
from geminid.core.card import ModelCard
from geminid.core.errors import FailedPrecondition, InvalidArgument, UnknownCache
from geminid.core.request import GenerateRequest
from geminid.service.cache_contents import CachedContents
from geminid.service.cache_keeper import CacheKeeper
from geminid.service.cache_limits import CacheLimits, end_of
from geminid.service.cache_making import CacheMaker
from geminid.service.cache_money import Moved, ProlongCache
from geminid.service.meter import Meter
from geminid.store import caches as rows
from geminid.store.caches import CacheRow
from geminid.store.database import Database

__all__ = ["CachePage", "Caches"]

_ID = re.compile(r"[a-z0-9]{1,40}", re.ASCII)
TRIES = 8
"""How often an act is tried again because somebody else has changed the same cached contents in between."""


class CachePage(NamedTuple):
    """Some of a project's cached contents, and where the next page begins if there is one."""

    caches: tuple[Cache, ...]
    next: CachePlace | None


class Caches:
    """The cached contents of all projects. Used on one event loop only.

    create: see :meth:`CacheMaker.make`.
    """

    def __init__(
        self,
        database: Database,
        meter: Meter,
        keeper: CacheKeeper,
        maker: CacheMaker,
        limits: CacheLimits,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._database = database
        self._meter = meter
        self._keeper = keeper
        self._limits = limits
        self._now_ns = now_ns
        self.create = maker.make

    async def get(self, project: str, cache_id: str) -> Cache:
        """Return what is known of cached contents; raises ``UnknownCache``."""
        return await self._row(project, cache_id)

    async def page(self, project: str, size: int, after: CachePlace | None = None) -> CachePage:
        """Return ``size`` at most, the newest first, beginning after a place in that order."""
        found = await self._database.read(
            lambda connection: rows.page(connection, project, self._now_ns(), after, size + 1)
        )
        shown = found[:size]
        more = CachePlace(shown[-1].created_ns, shown[-1].id) if len(found) > size else None
        return CachePage(shown, more)

    async def prolong(self, project: str, cache_id: str, expiration: Expiration) -> Cache:
        """Move the end of cached contents, to either side.

        Raises ``UnknownCache``, ``InvalidArgument``, ``OutOfCredits``, ``QuotaExceeded``.
        """
        for _ in range(TRIES):
            row, now = await self._row(project, cache_id), self._now_ns()
            expires_ns = end_of(expiration, self._limits, now)
            try:
                changed = await self._meter.do(ProlongCache(row, expires_ns, now))
            except Moved:
                continue
            self._keeper.look()
            return changed
        raise Moved("The cached contents are being changed by others. Try again.")

    async def delete(self, project: str, cache_id: str) -> None:
        """End cached contents now; raises ``UnknownCache``. Answers that have begun are not disturbed."""
        row = await self._row(project, cache_id)
        if await self._keeper.end(row, self._now_ns()) is None:
            raise UnknownCache

    async def use(self, request: GenerateRequest, card: ModelCard, project: str) -> CachedContents:
        """Return the cached contents that a request names, ready in the engine of its model.

        Raises ``UnknownCache``, ``InvalidArgument`` for those of another model, and ``CachesFull`` where
        there is no room to compute them again.
        """
        row = await self._row(project, request.cached_content)
        if row.asked != request.model:
            raise InvalidArgument(
                f"Model used by GenerateContent request (models/{request.model}) and CachedContent "
                f"(models/{row.asked}) has to be the same."
            )
        if row.model != card.name:
            raise FailedPrecondition(
                f"models/{row.asked} is another model now than when this CachedContent was made; "
                "make it again."
            )
        return await self._keeper.ready(row, card)

    async def _row(self, project: str, cache_id: str) -> CacheRow:
        if not _ID.fullmatch(cache_id):
            raise UnknownCache  # no database needs to be asked, and some could not even be
        row = await self._database.read(
            partial(rows.find, project=project, cache_id=cache_id, now_ns=self._now_ns())
        )
        if row is None:
            raise UnknownCache
        return row
