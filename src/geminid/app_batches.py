"""The part of the composition root that answers batches: answers, money and files in, their acts out.

Only the composition root imports it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

from geminid.bulk.answering import Copier, GenerateAnswerer
from geminid.bulk.embedding import EmbedAnswerer
from geminid.bulk.job import Sizes
from geminid.bulk.runner import RunConfig, Runner
from geminid.bulk.work import Answerer
from geminid.config import BulkConfig, Config
from geminid.core import ids
from geminid.core.batch import BatchKind
from geminid.fetch.fetcher import FetchConfig, Fetcher
from geminid.fetch.networks import read_networks
from geminid.service.batch_limits import BatchLimits
from geminid.service.batch_work import BatchWork
from geminid.service.batches import Batches
from geminid.service.embed import Embeddings
from geminid.service.files import Files
from geminid.service.generate import Generator
from geminid.service.meter import Meter
from geminid.service.signatures import Signer
from geminid.store.blobs import Blobs
from geminid.store.database import Database
from geminid.wire.lines import Formats

AHEAD_BYTES = 8 * 1024 * 1024
"""Of long lines fewer are read ahead: what they ask is kept in memory until they are answered."""


class Means(NamedTuple):
    """What batches stand on. embeddings: None where nothing is embedded."""

    database: Database
    blobs: Blobs
    files: Files
    meter: Meter
    generator: Generator
    signer: Signer
    embeddings: Embeddings | None = None


@asynccontextmanager
async def batching(config: Config, means: Means, formats: Formats) -> AsyncIterator[Batches]:
    """Build the acts on batches, and answer their lines until the end. formats: how lines may be spelled
    beside Google's."""
    bulk = config.bulk
    limits = BatchLimits(
        jobs_max=bulk.jobs_max,
        tokens_max=bulk.tokens_max,
        file_bytes_max=bulk.file_bytes_max,
        line_bytes_max=config.server.body_bytes_max,
        expiry_ms=bulk.expiry_s * 1000,
        keep_ms=bulk.keep_s * 1000,
    )
    generator, meter = means.generator, means.meter

    def known(model: str, kind: BatchKind) -> object:
        served = generator.served
        return served.resolve(model) if kind == "generate" else served.resolve_embedding(model)

    batches = Batches(means.database, means.blobs, means.files, limits, known)
    work = BatchWork(
        means.database,
        means.blobs,
        meter.owner,
        file_ttl_ms=config.files.ttl_s * 1000,
        hooks=(bulk.webhook,) if bulk.webhook else (),
    )
    copier = Copier(meter, bulk.duplicates, ids.response_id)
    answering = partial(
        GenerateAnswerer,
        generator,
        copier,
        means.signer,
        meter,
        strict=config.server.strict,
        check_signatures=config.server.signatures == "check",
    )
    sizes = Sizes(config.server.body_bytes_max, bulk.lines_ahead, AHEAD_BYTES)
    answerers: dict[str, Answerer] = {"generate": answering()}
    answerers |= {name: answering(lines=lines) for name, lines in formats.answers.items()}
    if means.embeddings is not None:
        embedding = partial(EmbedAnswerer, means.embeddings, copier)
        answerers["embed"] = embedding()
        answerers |= {name: embedding(lines=lines) for name, lines in formats.vectors.items()}
    runner = Runner(batches, work, answerers, meter, RunConfig(bulk.concurrency, sizes))
    await runner.start()
    try:
        yield batches
    finally:
        await runner.close()


def guard(bulk: BulkConfig) -> Fetcher:
    """Return what sends to addresses that callers gave; raises InvalidArgument for networks that are none."""
    return Fetcher(FetchConfig(allow=read_networks(bulk.webhook_allow)))
