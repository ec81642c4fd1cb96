"""Cached contents over a real database, a scripted engine and a clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

import make
from geminid.billing.prices import PriceBook
from geminid.catalog.served import Served
from geminid.core.cache import Expiration, NewCache
from geminid.core.caller import Caller
from geminid.core.content import Text, Turn
from geminid.core.money import parse_dollars
from geminid.core.price import Price
from geminid.core.request import GenerateRequest
from geminid.engines.scripted import Rule, ScriptedEngine
from geminid.service.cache_keeper import CacheKeeper
from geminid.service.cache_limits import CacheLimits
from geminid.service.cache_making import CacheMaker
from geminid.service.caches import Caches
from geminid.service.generate import Generator, RequestRecord
from geminid.store import caches as rows
from money import MODEL, Clock, House, Prices, house
from unit_fakes import NoMedia

NS = 1_000_000_000
HOUR_S = 3600
WORDS = 1_200
CARD = make.card(MODEL, engine="scripted", input_tokens_max=100_000, context_tokens_max=100_000)
OTHER = make.card("other", engine="scripted", input_tokens_max=100_000, context_tokens_max=100_000)
RULES = (Rule(match="^sixty", text=" w", repeat=60),)


class CachePrices(Prices):
    """A dollar for a million tokens in, a tenth of that for cached ones, 36 for keeping a million for an hour:
    so a token costs 1,000 to read, 100 from a cache, 10 a second to keep."""

    def __init__(self, *, storage_dollars: str | None = "36") -> None:
        lines = (("input", "1"), ("output", "2"), ("cached", "0.1"), ("storage", storage_dollars))
        self.book = PriceBook.of(
            Price(key=MODEL, kind=kind, nano_per_million=parse_dollars(dollars))
            for kind, dollars in lines
            if dollars is not None
        )


class Engine(ScriptedEngine):
    """The scripted engine, which has loaded the model of these tests."""

    def states(self):
        """Return one state, under the model's name."""
        return [msgspec.structs.replace(state, model=MODEL) for state in super().states()]


class Den:
    """One server's worth of cached contents."""

    def __init__(self, home: House, engine: ScriptedEngine, limits: CacheLimits, ids: Any = None) -> None:
        self.home = home
        self.engine = engine
        self.observed: list[RequestRecord] = []
        served = Served((CARD, OTHER), ("alias",))
        engines = {"scripted": engine}
        self.keeper = CacheKeeper(
            home.database, home.meter, lambda: served, engines, self.now_ns, look_every_s=0.02
        )
        self.maker = CacheMaker(
            home.database,
            home.meter,
            self.keeper,
            lambda: served,
            engines,
            NoMedia(),
            limits,
            self.observed.append,
            now_ns=self.now_ns,
        )
        self.caches = Caches(home.database, home.meter, self.keeper, self.maker, limits, self.now_ns)
        self.generator = Generator(served, engines, lambda record: None, resolver=NoMedia(), meter=home.meter)
        self.generator.caches = self.caches

    def now_ns(self) -> int:
        return self.home.clock() * 1_000_000

    async def make(self, caller: Caller, words: int = WORDS, ttl_s: float = HOUR_S, model: str = MODEL):
        """Make cached contents of so many tokens; return them."""
        return (await self.caches.create(caller, wanted(words, ttl_s, model))).cache

    async def row(self, cache) -> rows.CacheRow | None:
        """What the database says of them, expired or not."""
        return await self.home.database.read(lambda c: rows.find(c, cache.project, cache.id, 0))

    async def storage_rows(self, project: str = "p"):
        """The bills for keeping."""
        return [row for row in await self.home.rows(project) if row.verb == "storage"]

    def prefixes(self) -> int:
        """How many the engine keeps."""
        return self.engine.states()[0].prefixes

    async def until(self, condition) -> None:
        """Wait until something holds that happens in the background."""
        for _ in range(1_000):
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it did not happen")


def wanted(words: int = WORDS, ttl_s: float = HOUR_S, model: str = MODEL) -> NewCache:
    """What a caller wants cached."""
    text = " ".join(f"w{number}" for number in range(words))
    request = GenerateRequest(model=model, turns=(Turn("user", (Text(text),)),))
    return NewCache(request=request, expiration=Expiration(ttl_ns=int(ttl_s * NS), field="ttl"))


@asynccontextmanager
async def den(
    url: str,
    *,
    clock: Clock | None = None,
    owner: str = "one",
    engine: ScriptedEngine | None = None,
    prices: Any = None,
    start: bool = True,
    **limits: int,
) -> AsyncIterator[Den]:
    """Open it as a server does."""
    async with house(url, prices=prices or CachePrices(), clock=clock, owner=owner) as home:
        bounds = CacheLimits(**{"ttl_s_min": 1, **limits})
        made = Den(home, engine or Engine(RULES), bounds)
        try:
            if start:
                await made.keeper.start()
            yield made
        finally:
            await made.keeper.close()
            await made.maker.close()
