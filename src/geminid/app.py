"""The composition root: settings in, a running service out. The only file that knows every room.

Everything is built in one visible order and closed in reverse. Only the command line and the tests
import this module.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import msgspec
from starlette.types import ASGIApp

from geminid.app_batches import Means, batching, guard
from geminid.app_caches import caching
from geminid.app_engines import computing, served_of
from geminid.app_interactions import interacting, searching
from geminid.app_media import Readers, blobs_folder, fetcher_of, readers
from geminid.app_owner import lives, this_process
from geminid.app_speech import SpeechMeans, speaking
from geminid.catalog.catalog import Catalog
from geminid.catalog.pricebook import load_prices
from geminid.catalog.served import Served
from geminid.config import Config
from geminid.core import ids
from geminid.core.card import EngineKind, ModelCard
from geminid.core.errors import FailedPrecondition, Problem
from geminid.core.price import PriceTier
from geminid.core.request import GenerateRequest
from geminid.engines.protocol import Embedder, Engine
from geminid.fetch.post import post
from geminid.media.pool import ReaderPool
from geminid.service.administration import Administration, administration_of
from geminid.service.budgets import Budgets
from geminid.service.catalogue import Aliases, Following
from geminid.service.digests import Digester
from geminid.service.embed import Embeddings
from geminid.service.estimate import Estimate, estimate
from geminid.service.file_limits import FileLimits
from geminid.service.files import Files
from geminid.service.generate import Generator, Observe, RequestRecord
from geminid.service.hooks import HookSigner
from geminid.service.keys import Keys
from geminid.service.locate import Locator
from geminid.service.meter import Meter, wall_ms
from geminid.service.outbox import Outbox
from geminid.service.prices import Book
from geminid.service.recorder import Recorder
from geminid.service.recovery import Recovery
from geminid.service.resolve import Resolver
from geminid.service.retention import Retention
from geminid.service.signatures import KEY_FILE, Signer, kept_secret
from geminid.service.sweep import Sweeper
from geminid.service.uploads import Uploads
from geminid.service.vitals import Vitals
from geminid.store.backup import BLOBS_FOLDER, Backup
from geminid.store.backup import back_up as copy_files
from geminid.store.blobs import Blobs
from geminid.store.copying import Copied
from geminid.store.copying import copy as copy_tables
from geminid.store.database import Database, file_of
from geminid.store.hot import Hot
from geminid.telemetry import Telemetry
from geminid.tracing import tracing_to
from geminid.web import app as web
from geminid.web.admin.api import AdminApi
from geminid.web.anthropic.api import AnthropicApi
from geminid.web.app import Storage
from geminid.web.auth import Doorkeeper
from geminid.web.batches import batch_routes
from geminid.web.caches import CachesApi
from geminid.web.embed import EmbedApi
from geminid.web.gemini import DOUBLED, VERSIONS
from geminid.web.interactions import InteractionsApi
from geminid.web.openai.api import OpenAiApi
from geminid.web.openai.resources import FORMATS, Resources, resource_routes
from geminid.web.openai.responses import ResponsesApi
from geminid.web.openai.routing import Guard
from geminid.web.openai.vector_stores import VectorStoresApi

NO_PRESET = "none"
KV_GIB_MAX = 8
FETCHED_AHEAD = 2
"""Media of one request that are on their way while every reader process has one of it."""
HOLD_MARGIN_MS = 60_000
"""What a hold lives longer than the longest request."""

log = logging.getLogger("geminid")


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """What answers: the served models, their engines, and the act of generating. ``engine`` is the one behind
    the default model."""

    served: Served
    generator: Generator
    embeddings: Embeddings
    engine: Engine
    engines: Mapping[EngineKind, Engine]
    resolver: Resolver
    telemetry: Telemetry

    async def ready(self) -> None:
        """Load the default model and wait until it answers; raises a ``Problem`` if it cannot."""
        await self.engine.ready(self.served.default)


class Watching(msgspec.Struct, frozen=True):
    """Who is told of requests beside the metrics, and the figures of the database that these show."""

    vitals: Vitals | None = None
    observers: tuple[Observe, ...] = ()


class App(Answering, frozen=True, kw_only=True):
    """A whole server."""

    config: Config
    asgi: ASGIApp
    keys: Keys


@asynccontextmanager
async def running(config: Config, catalog: Catalog, default: ModelCard) -> AsyncIterator[App]:
    """Build the service around a default model, and take it down at the end.

    Beside the default, every model of the catalogue whose weights are on this machine is served and
    loaded when it is first asked for.
    """
    signer = Signer(kept_secret(config.data()))
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(readers(config, catalog))
        database = await stack.enter_async_context(keeping(config))
        storage = await stack.enter_async_context(storing(config, database, room.pool))
        book = book_of(config, database)
        vitals, recorder = Vitals(database), Recorder(config.telemetry.timelines)
        meter = await stack.enter_async_context(metering(config, database, book, vitals))
        models = (default.name, *catalog.by_name)
        acts = await administration_of(
            database, book, configured=config.server.keys, models=models, recorder=recorder
        )
        watching = Watching(vitals, (recorder.observe, *await stack.enter_async_context(tracing(config))))
        fetcher = fetcher_of(config.media)
        locator = Locator(storage.files, fetcher, room.incoming, ids.scratch_name)
        parts = await stack.enter_async_context(
            answering(config, catalog, default, room, locator, meter, watching)
        )
        generator = parts.generator
        caches = await stack.enter_async_context(
            caching(config.caches, database, meter, generator, parts.engines, parts.resolver)
        )
        following = Following(acts.aliases, parts.served, lambda served: setattr(generator, "served", served))
        stack.push_async_callback(following.close)
        await following.start()
        interactions = await stack.enter_async_context(interacting(config, database, meter, generator))
        vectors = await stack.enter_async_context(
            searching(config, database, meter, generator, parts.embeddings, parts.resolver)
        )
        blobs, embeddings = Blobs(blobs_folder(config)), parts.embeddings
        means = Means(database, blobs, storage.files, meter, generator, signer, embeddings)
        batches = await stack.enter_async_context(batching(config, means, FORMATS))
        doorkeeper = Doorkeeper(acts.keys)
        openai = OpenAiApi(generator, signer, doorkeeper, config.server)
        asgi = web.build(
            parts.generator,
            parts.engine,
            default,
            parts.telemetry,
            signer,
            config.server,
            storage,
            doorkeeper,
            [
                *AdminApi(acts, version("geminid")).routes(),
                *CachesApi(caches, doorkeeper, signer, config.server).routes(),
                *openai.late_routes(),
            ],
            first=[
                *AnthropicApi(generator, signer, doorkeeper, config.server).routes(),
                *openai.routes(),
                *await speaking(config, catalog, SpeechMeans(room, database, meter, generator, doorkeeper)),
                *InteractionsApi(interactions, signer, doorkeeper, config.server).routes(),
                *ResponsesApi(interactions, generator, vectors, signer, doorkeeper, config.server).routes(),
                *VectorStoresApi(vectors, Guard(doorkeeper), config.server).routes(),
                *resource_routes(Resources(embeddings, storage, batches), doorkeeper, config.server),
                *EmbedApi(embeddings, doorkeeper, config.server).routes(),
                *batch_routes(batches, doorkeeper, config.server, (*VERSIONS, *DOUBLED)),
            ],
            embeddings=embeddings,
        )
        yield App(**msgspec.structs.asdict(parts), config=config, asgi=asgi, keys=acts.keys)


@asynccontextmanager
async def administering(config: Config, catalog: Catalog) -> AsyncIterator[Administration]:
    """Open what administers the database, whether or not servers run on it."""
    async with keeping(config) as database:
        yield await administration_of(
            database, book_of(config, database), configured=config.server.keys, models=catalog.by_name
        )


async def is_open(config: Config) -> bool:
    """Return whether a server would take any key: there is none, neither in the settings nor kept."""
    async with keeping(config) as database:
        return await Keys(database, await Digester.open(database), config.server.keys).open()


@asynccontextmanager
async def answering_locally(config: Config, catalog: Catalog, default: ModelCard) -> AsyncIterator[Answering]:
    """Build what answers without a server; references mean files of this machine, and addresses."""
    async with readers(config, catalog, anywhere=True) as room:
        locator = Locator(None, fetcher_of(config.media), room.incoming, ids.scratch_name, local=True)
        async with answering(config, catalog, default, room, locator) as parts:
            yield parts


Estimating = Callable[[GenerateRequest, PriceTier], Awaitable[Estimate]]


@asynccontextmanager
async def estimating(config: Config, catalog: Catalog, default: ModelCard) -> AsyncIterator[Estimating]:
    """Build what tells the most that a request can cost, by the names and prices that hold now."""
    async with (
        keeping(config) as database,
        answering_locally(config, catalog, default) as parts,
    ):
        book, generator = book_of(config, database), parts.generator
        await book.refresh()
        generator.served = await Aliases(database, catalog.by_name).over(parts.served)
        yield lambda request, tier: estimate(generator, book, request, tier, wall_ms())


@asynccontextmanager
async def answering(
    config: Config,
    catalog: Catalog,
    default: ModelCard,
    room: Readers,
    locator: Locator,
    meter: Meter | None = None,
    watching: Watching | None = None,
) -> AsyncIterator[Answering]:
    """Build the engines and what asks them; without a meter, what they do is not counted."""
    watching = watching or Watching()
    async with computing(config) as (engines, embedders):
        served = served_of(config, catalog, default)
        computers: list[Engine | Embedder] = [*engines.values(), *embedders.values()]
        telemetry = Telemetry(
            lambda: [state for each in computers for state in each.states()], watching.vitals
        )
        observe = _all_of((telemetry.observe, *watching.observers))
        resolver = Resolver(
            room.pool,
            room.library,
            locator.open,
            room.incoming,
            ids.scratch_name,
            config.media.tokens,
            config.media.processes + FETCHED_AHEAD,
        )
        generator = Generator(
            served,
            engines,
            observe,
            resolver=resolver,
            meter=meter,
            long_input=config.engine.long_input,
            keep_words=bool(config.telemetry.otlp_endpoint) and config.telemetry.prompts,
        )
        yield Answering(
            served=served,
            generator=generator,
            embeddings=Embeddings(
                lambda: generator.served, embedders, observe, resolver=resolver, meter=meter
            ),
            engine=engines[default.engine],
            engines=engines,
            resolver=resolver,
            telemetry=telemetry,
        )


@asynccontextmanager
async def keeping(config: Config) -> AsyncIterator[Database]:
    """Open the database, and close it at the end."""
    config.data().mkdir(parents=True, exist_ok=True)
    database = await Database.open(config.database())
    try:
        yield database
    finally:
        await database.close()


def back_up(config: Config, folder: Path) -> Backup:
    """Copy what is kept into a folder that becomes a data directory, while servers run.

    Raises FailedPrecondition for a database that is not a file.
    """
    database = file_of(config.database())
    if database is None:
        raise FailedPrecondition(
            "This database is PostgreSQL's to back up.\nhint: pg_dump, and a copy of the data directory: "
            "see docs/operating/backup.md"
        )
    secret = config.data() / KEY_FILE
    return copy_files(
        database, config.data() / BLOBS_FOLDER, (secret,) if secret.exists() else (), folder.absolute()
    )


async def copy_store(config: Config, url: str, tell: Callable[[str], None]) -> Copied:
    """Copy the database into another, empty one."""
    if (file := file_of(config.database())) is not None and not file.exists():
        raise FailedPrecondition(f"There is no database {file}.")
    async with keeping(config) as source:
        target = await Database.open(url)
        try:
            return await asyncio.to_thread(copy_tables, source.engine, target.engine, wall_ms(), tell)
        finally:
            await target.close()


@asynccontextmanager
async def tracing(config: Config) -> AsyncIterator[tuple[Observe, ...]]:
    """Build what sends traces, if they are wanted anywhere, and send the last of them at the end."""
    if not config.telemetry.otlp_endpoint:
        yield ()
        return
    sent = tracing_to(config.telemetry.otlp_endpoint, prompts=config.telemetry.prompts)
    try:
        yield (sent.observe,)
    finally:
        await asyncio.to_thread(sent.close)


def _all_of(observers: Sequence[Observe]) -> Observe:
    """Tell each observer; one that fails must cost nobody an answer."""

    def observe(record: RequestRecord) -> None:
        for each in observers:
            try:
                each(record)
            except Exception:
                log.exception("request %s cannot be observed", record.id)

    return observe


@asynccontextmanager
async def metering(config: Config, database: Database, book: Book, vitals: Vitals) -> AsyncIterator[Meter]:
    """Build the meter, clear up after processes that died, and settle everything at the end."""
    me = this_process()
    async with AsyncExitStack() as stack:
        retention = Retention(database, config.billing.usage_days)
        outbox = Outbox(database, post, await HookSigner.open(database), guarded=guard(config.bulk).post)
        look = Budgets(database).look
        chores = (book.refresh, retention.sweep, look, outbox.send, vitals.refresh, database.checkpoint)
        recovery = Recovery(database, me, lives, chores=chores)
        stack.push_async_callback(recovery.close)
        hot = Hot(database.engine, wall_ms)
        stack.push_async_callback(hot.close)
        meter = Meter(hot, book, owner=me.id, ttl_ms=config.server.request_ms_max + HOLD_MARGIN_MS)
        stack.push_async_callback(meter.close)
        await book.refresh()
        await recovery.start()
        yield meter


def book_of(config: Config, database: Database) -> Book:
    """Return the price book: presets, the operator's file, and what was set in the database."""
    billing = config.billing
    use = {"": None, NO_PRESET: ""}.get(billing.preset, billing.preset)
    return Book(load_prices(Path(billing.prices).expanduser() if billing.prices else None, use), database)


@asynccontextmanager
async def storing(config: Config, database: Database, pool: ReaderPool) -> AsyncIterator[Storage]:
    """Open what is kept of files, clear up after the last process, and close it all at the end."""
    async with AsyncExitStack() as stack:
        blobs = Blobs(blobs_folder(config))
        files = Files(database, blobs, pool.probe)
        stack.push_async_callback(files.close)
        limits = FileLimits(
            ttl_s=config.files.ttl_s,
            file_bytes_max=config.files.file_bytes_max,
            project_bytes_max=config.files.project_bytes_max,
            upload_idle_s=config.files.upload_idle_s,
        )
        uploads = Uploads(database, blobs, files, limits)
        stack.push_async_callback(uploads.close)
        sweeper = Sweeper(files, uploads)
        stack.push_async_callback(sweeper.close)
        await sweeper.start()
        yield Storage(files, uploads, config.files)


async def keep_loading(app: Answering) -> None:
    """Load the default model in the background; failures are logged and tried again."""
    while True:
        try:
            await app.ready()
            return
        except Problem as problem:
            log.error("%s", problem.message)
            await asyncio.sleep(5)
