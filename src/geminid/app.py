"""The composition root: settings in, a running service out. The only file that knows every room.

Everything is built in one visible order and closed in reverse. Only the command line and the tests
import this module.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import psutil
from starlette.types import ASGIApp

from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import located
from geminid.catalog.served import Served
from geminid.config import Config, EngineConfig
from geminid.core.card import EngineKind, ModelCard
from geminid.core.errors import Problem
from geminid.engines.openvino.fleet import Fleet, FleetConfig
from geminid.engines.openvino.watchdog import Patience
from geminid.engines.protocol import Engine
from geminid.engines.script import read_script
from geminid.engines.scripted import ScriptedEngine
from geminid.service.generate import Generator
from geminid.service.signatures import Signer, kept_secret
from geminid.telemetry import Telemetry
from geminid.web import app as web

GIB = 1024**3
KV_GIB_MAX = 8

log = logging.getLogger("geminid")


class App(msgspec.Struct, frozen=True, kw_only=True):
    """What was built. ``engine`` is the one behind the default model."""

    config: Config
    served: Served
    generator: Generator
    engine: Engine
    telemetry: Telemetry
    asgi: ASGIApp

    async def ready(self) -> None:
        """Load the default model and wait until it answers; raises a ``Problem`` if it cannot."""
        await self.engine.ready(self.served.default)


@asynccontextmanager
async def running(config: Config, catalog: Catalog, default: ModelCard) -> AsyncIterator[App]:
    """Build the service around a default model, and take it down at the end.

    Beside the default, every model of the catalogue whose weights are on this machine is served and
    loaded when it is first asked for.
    """
    cache = config.cache()
    signer = Signer(kept_secret(config.data()))
    async with AsyncExitStack() as stack:
        engines: dict[EngineKind, Engine] = {
            "openvino": Fleet(fleet_config(config.engine, cache), lambda card: located(card, cache)),
            "scripted": ScriptedEngine(
                read_script(Path(config.scripted.script)) if config.scripted.script else ()
            ),
        }
        for engine in engines.values():
            stack.push_async_callback(engine.close)
        served = Served((default, *_others(catalog, default, cache)), catalog.aliases)
        engine = engines[default.engine]
        telemetry = Telemetry(lambda: [state for each in engines.values() for state in each.states()])
        generator = Generator(served, engines, telemetry.observe, long_input=config.engine.long_input)
        asgi = web.build(generator, engine, default, telemetry, signer, config.server)
        yield App(
            config=config, served=served, generator=generator, engine=engine, telemetry=telemetry, asgi=asgi
        )


async def keep_loading(app: App) -> None:
    """Load the default model in the background; failures are logged and tried again."""
    while True:
        try:
            await app.ready()
            return
        except Problem as problem:
            log.error("%s", problem.message)
            await asyncio.sleep(5)


def fleet_config(config: EngineConfig, cache: Path) -> FleetConfig:
    """Return the settings of the embedded engine, sized to this machine where they are not set."""
    machine_gib = psutil.virtual_memory().total / GIB
    return FleetConfig(
        cache=cache,
        memory_bytes_max=config.memory_gib * GIB or int(machine_gib * 0.8 * GIB),
        kv_cache_gib=config.kv_cache_gib or min(KV_GIB_MAX, max(1, int(machine_gib / 8))),
        batch_tokens_max=config.batch_tokens_max,
        sequences_max=config.sequences_max,
        queue_max=config.queue_max,
        threads=config.threads,
        precision=None if config.precision == "auto" else config.precision,
        patience=Patience(stalled_ms=config.stalled_ms, silent_ms=config.silent_ms),
    )


def _others(catalog: Catalog, default: ModelCard, cache: Path) -> tuple[ModelCard, ...]:
    """Return the catalogue's other models that could be loaded without fetching anything."""
    return tuple(
        card
        for card in catalog.cards()
        if card.name != default.name and card.sources and located(card, cache) is not None
    )
