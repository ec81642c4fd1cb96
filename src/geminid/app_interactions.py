"""The part of the composition root that keeps interactions and stores of vectors: answers and the database
in, their acts out.

Only the composition root imports it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from geminid.config import Config
from geminid.service.embed import Embeddings
from geminid.service.generate import Generator
from geminid.service.interaction_limits import DAY_MS, InteractionLimits
from geminid.service.interaction_shelf import Shelf
from geminid.service.interactions import Interactions
from geminid.service.meter import Meter, wall_ms
from geminid.service.resolve import Resolver
from geminid.service.vector_indexing import Indexer
from geminid.service.vector_limits import VectorLimits
from geminid.service.vector_searching import named
from geminid.service.vectors import VectorStores
from geminid.store.database import Database

GRACE_MS_MAX = 5_000
"""Requests of callers have been waited for before, so that nobody waits for a server to end."""


@asynccontextmanager
async def interacting(
    config: Config, database: Database, meter: Meter, generator: Generator
) -> AsyncIterator[Interactions]:
    """Build the acts on interactions, and run those in the background until the end."""
    settings = config.interactions
    limits = InteractionLimits(
        ttl_ms=settings.ttl_days * DAY_MS,
        depth_max=settings.depth_max,
        bytes_max=settings.project_bytes_max,
        running_max=settings.running_max,
        waiting_max=settings.waiting_max,
        run_ms=config.server.request_ms_max,
        grace_ms=min(config.server.shutdown_ms, GRACE_MS_MAX),
    )
    interactions = Interactions(generator, Shelf(database, limits, meter.owner), limits)
    await interactions.start()
    try:
        yield interactions
    finally:
        await interactions.close()


@asynccontextmanager
async def searching(
    config: Config,
    database: Database,
    meter: Meter,
    generator: Generator,
    embeddings: Embeddings,
    resolver: Resolver,
) -> AsyncIterator[VectorStores]:
    """Build the acts on stores of vectors, and index files until the end."""
    settings = config.vectors
    limits = VectorLimits(
        files_max=settings.files_max, bytes_max=settings.project_bytes_max, at_once=settings.indexing_max
    )
    indexer = Indexer(
        database,
        resolver,
        embeddings,
        meter,
        limits,
        meter.owner,
        lambda model: named(generator.served, model),
        wall_ms,
    )
    await indexer.start()
    try:
        yield VectorStores(database, embeddings, indexer, lambda: generator.served, limits)
    finally:
        await indexer.close()
