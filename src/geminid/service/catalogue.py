"""The acts on what is offered: prices with their dates, and the names that mean models.

It knows neither wire nor engines. Invariants: a price that has begun is never changed, so that a bill can
be made again; a name means one model at any moment, and a retired one means none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from geminid.billing.prices import PriceBook, PriceSheet
from geminid.catalog.names import is_name
from geminid.catalog.served import Served
from geminid.core.alias import Alias
from geminid.core.errors import NotFound, Problem
from geminid.core.price import PRICE_TIERS, Price
from geminid.service.acting import TIME_MS_MAX, NowMs, Page, now_ms, paged, trace, wrong
from geminid.store import aliases as alias_rows
from geminid.store import prices as price_rows
from geminid.store.database import Database
from geminid.store.prices import EnteredPrice

__all__ = ["Aliases", "EnteredPrice", "Following", "PriceList", "PriceSheet"]

FOLLOW_S = 1.0
"""How soon a name that another process changed, or whose time is over, means something else here."""

log = logging.getLogger("geminid.catalogue")


class Book(Protocol):
    """Whatever knows the prices in force: :class:`geminid.service.prices.Book`."""

    book: PriceBook

    async def refresh(self) -> None:
        """Take up prices that were entered since."""


class UnknownAlias(NotFound):
    """No operator gave this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no alias {name}.")


class PriceList:
    """The prices of one database, over those of presets and files."""

    def __init__(self, database: Database, book: Book, now_ms: NowMs = now_ms) -> None:
        self._database = database
        self._book = book
        self._now_ms = now_ms

    async def set(self, actor: str, price: Price, from_ms: int | None = None) -> EnteredPrice:
        """Add a price, from now or from a time to come on. Raises InvalidArgument."""
        now_ms = self._now_ms()
        if not is_name(price.key):
            raise wrong("key", "must be a name of lower case letters, digits, '.', '_' and '-'")
        if from_ms is not None and not now_ms <= from_ms <= TIME_MS_MAX:
            raise wrong("effectiveTime", "must not be in the past: what was billed never changes")
        if price.kind == "storage" and price.tier != "standard":
            raise wrong("tier", "must be standard: keeping tokens costs the same in every tier")
        if price.kind in ("output", "storage") and price.modality != "text":
            raise wrong("modality", f"must be text: {price.kind} has no price of its own for sound")
        set_from = msgspec.structs.replace(price, effective_from_ms=now_ms if from_ms is None else from_ms)

        def act(connection: Connection) -> EnteredPrice:
            entry = price_rows.add(connection, set_from, now_ms, actor)
            trace(connection, now_ms, actor, "price.set", price.key, price=set_from)
            return entry

        entry = await self._database.write(act)
        await self._book.refresh()
        return entry

    async def history(self, key: str, size: int, after: str = "") -> Page[EnteredPrice]:
        """Return what was set for a key, in its order; a key for which nothing was set has none."""
        if after and (not after.isdecimal() or len(after) > 18):
            raise wrong("pageToken", "was not given by this server")
        found = await self._database.read(lambda c: price_rows.page(c, key, int(after or 0), size + 1))
        return paged(found, size, lambda entry: str(entry.seq))

    async def sheets(self, size: int, after: str = "") -> Page[tuple[PriceSheet, ...]]:
        """Return the prices in force now, beside the list's, key by key: one sheet for each tier."""
        await self._book.refresh()
        keys = [key for key in self._book.book.keys if key > after][: size + 1]
        more = keys[size - 1] if len(keys) > size else ""
        return Page(tuple(self._of(key) for key in keys[:size]), more)

    def _of(self, key: str) -> tuple[PriceSheet, ...]:
        found = (self._book.book.sheet(key, tier, self._now_ms()) for tier in PRICE_TIERS)
        return tuple(sheet for sheet in found if sheet is not None)


class Aliases:
    """The names that operators of one database gave. models: what a name may mean, by the catalogue."""

    def __init__(self, database: Database, models: Collection[str], now_ms: NowMs = now_ms) -> None:
        self._database = database
        self._models = models
        self._now_ms = now_ms

    async def every(self) -> tuple[Alias, ...]:
        """Return all of them."""
        return await self._database.read(alias_rows.every)

    async def get(self, name: str) -> Alias:
        """Return a name; raises UnknownAlias."""
        found = await self._database.read(lambda c: alias_rows.find(c, name))
        if found is None:
            raise UnknownAlias(name)
        return found

    async def page(self, size: int, after: str = "") -> Page[Alias]:
        """Return ``size`` names at most, in alphabetical order, beginning after one."""
        found = await self._database.read(lambda c: alias_rows.page(c, after, size + 1))
        return paged(found, size, lambda alias: alias.name)

    async def put(self, actor: str, alias: Alias) -> Alias:
        """Pin, move or retire a name. Raises InvalidArgument."""
        self._check(alias)
        now_ms = self._now_ms()

        def act(connection: Connection) -> None:
            alias_rows.put(connection, alias, now_ms)
            trace(connection, now_ms, actor, "alias.put", alias.name, alias=alias)

        await self._database.write(act)
        return alias

    async def delete(self, actor: str, name: str) -> None:
        """Forget a name; raises UnknownAlias."""
        now_ms = self._now_ms()

        def act(connection: Connection) -> None:
            if not alias_rows.remove(connection, name):
                raise UnknownAlias(name)
            trace(connection, now_ms, actor, "alias.delete", name)

        await self._database.write(act)

    def retired(self, alias: Alias) -> bool:
        """Return whether a name is not to be found any more."""
        return alias.retired_at(self._now_ms())

    async def over(self, served: Served) -> Served:
        """Return what is served with these names over it, as they are now."""
        now_ms = self._now_ms()
        found = await self.every()
        return msgspec.structs.replace(
            served,
            pins={alias.name: alias.target for alias in found if not alias.retired_at(now_ms)},
            retired=frozenset(alias.name for alias in found if alias.retired_at(now_ms)),
        )

    def _check(self, alias: Alias) -> None:
        if not is_name(alias.name):
            raise wrong("name", "must be a name of lower case letters, digits, '.', '_' and '-'")
        if alias.target and alias.target not in self._models:
            raise wrong("target", f"must be a model of the catalogue or empty, not {alias.target}")
        if alias.name in self._models and alias.target != alias.name:
            raise wrong("target", f"must be {alias.name}: a model's own name means that model")
        if alias.retires_ms is not None and not 0 <= alias.retires_ms <= TIME_MS_MAX:
            raise wrong("retireTime", "must be a time after 1970 and before the year 10000")


class Following:
    """Keeps what is served up to date with the names that operators give, in whichever process."""

    def __init__(self, aliases: Aliases, served: Served, take: Callable[[Served], None]) -> None:
        self._aliases = aliases
        self._served = served
        self._take = take
        self._task: asyncio.Task[None] | None = None

    async def now(self) -> None:
        """Take up what has changed."""
        self._take(await self._aliases.over(self._served))

    async def start(self) -> None:
        """Take up what there is, and go on doing so."""
        await self.now()
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                await self.now()
            except Problem as problem:
                log.warning("names of models cannot be read now: %s", problem.message)
