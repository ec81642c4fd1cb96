"""The part of the composition root that keeps cached contents: answers and the database in, their acts out.

Only the composition root imports it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from geminid.config import CachesConfig
from geminid.core.card import EngineKind
from geminid.engines.protocol import Engine
from geminid.service.cache_keeper import CacheKeeper
from geminid.service.cache_limits import CacheLimits
from geminid.service.cache_making import CacheMaker
from geminid.service.caches import Caches
from geminid.service.generate import Generator
from geminid.service.meter import Meter
from geminid.service.resolve import Resolver
from geminid.store.database import Database


@asynccontextmanager
async def caching(
    config: CachesConfig,
    database: Database,
    meter: Meter,
    generator: Generator,
    engines: Mapping[EngineKind, Engine],
    resolver: Resolver,
) -> AsyncIterator[Caches]:
    """Build the acts on cached contents, let ``generator`` use them, and keep them until the end."""
    async with AsyncExitStack() as stack:
        keeper = CacheKeeper(database, meter, lambda: generator.served, engines, time.time_ns)
        stack.push_async_callback(keeper.close)
        limits = CacheLimits(
            tokens_min=config.tokens_min,
            ttl_s=config.ttl_s,
            ttl_s_min=config.ttl_s_min,
            ttl_s_max=config.ttl_s_max,
            project_max=config.project_max,
        )
        maker = CacheMaker(
            database,
            meter,
            keeper,
            lambda: generator.served,
            engines,
            resolver,
            limits,
            generator.observe,
        )
        stack.push_async_callback(maker.close)
        await keeper.start()
        caches = generator.caches = Caches(database, meter, keeper, maker, limits)
        yield caches
