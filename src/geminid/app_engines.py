"""The part of the composition root that builds what computes: engines, embedders, the list of their models.

Only the composition root imports it. Nothing is loaded here: a model is when it is first asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil

from geminid.catalog.catalog import Catalog
from geminid.catalog.embedding import chosen_embedding
from geminid.catalog.families import names_of
from geminid.catalog.pull import located
from geminid.catalog.served import Served
from geminid.config import Config, EngineConfig
from geminid.core.card import EmbeddingCard, EngineKind, ModelCard
from geminid.engines.openvino.embedder import EmbedderConfig, OpenVinoEmbedder
from geminid.engines.openvino.fleet import Fleet, FleetConfig
from geminid.engines.openvino.watchdog import Patience
from geminid.engines.protocol import Embedder, Engine
from geminid.engines.script import read_script
from geminid.engines.scripted import ScriptedEngine
from geminid.engines.scripted_embedder import ScriptedEmbedder

GIB = 1024**3
KV_GIB_MAX = 8
EMBEDDERS_SHARE = 0.2
"""Of the machine's memory, what models that embed may take together; the models that answer may take the rest
of what is ours."""


Computing = tuple[Mapping[EngineKind, Engine], Mapping[EngineKind, Embedder]]
"""The engines, and the embedders."""


@asynccontextmanager
async def computing(config: Config) -> AsyncIterator[Computing]:
    """Build the engines and the embedders, and close them at the end."""
    cache = config.cache()
    rules = read_script(Path(config.scripted.script)) if config.scripted.script else ()
    engines: dict[EngineKind, Engine] = {
        "openvino": Fleet(fleet_config(config.engine, cache), lambda card: located(card, cache)),
        "scripted": ScriptedEngine(rules, cached_tokens_max=config.scripted.cached_tokens_max),
    }
    embedders: dict[EngineKind, Embedder] = {
        "openvino": OpenVinoEmbedder(_embedder_config(config.engine), lambda card: located(card, cache)),
        "scripted": ScriptedEmbedder(rules),
    }
    async with AsyncExitStack() as stack:
        for engine in engines.values():
            stack.push_async_callback(engine.close)
        for embedder in embedders.values():
            stack.push_async_callback(embedder.close)
        yield engines, embedders


def served_of(config: Config, catalog: Catalog, default: ModelCard) -> Served:
    """Return the models that are served: the defaults, and all others that need not be fetched."""
    cache = config.cache()
    return Served(
        (default, *_others(catalog, default, cache)),
        (*catalog.aliases, *names_of(config.catalog.families)),
        embeddings=_embeddings(config, catalog, default, cache),
        embedding_aliases=(*catalog.embedding_aliases, *names_of(config.catalog.families, embeds=True)),
    )


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
        cached_tokens_max=config.cached_tokens_max,
        implicit_tokens_min=config.implicit_tokens_min,
        threads=config.threads,
        precision=None if config.precision == "auto" else config.precision,
        arithmetic=config.arithmetic,
        label_graph=config.label_graph and config.arithmetic == "bf16",
        patience=Patience(stalled_ms=config.stalled_ms, silent_ms=config.silent_ms),
    )


def _embedder_config(config: EngineConfig) -> EmbedderConfig:
    return EmbedderConfig(
        memory_bytes_max=int(psutil.virtual_memory().total * EMBEDDERS_SHARE),
        threads=config.threads,
        queue_max=config.queue_max,
        patience=Patience(stalled_ms=config.stalled_ms, silent_ms=config.silent_ms),
    )


def _others(catalog: Catalog, default: ModelCard, cache: Path) -> tuple[ModelCard, ...]:
    """Return the catalogue's other models that could be loaded without fetching anything."""
    return tuple(
        card
        for card in catalog.cards()
        if card.name != default.name and card.sources and located(card, cache) is not None
    )


def _embeddings(
    config: Config, catalog: Catalog, default: ModelCard, cache: Path
) -> tuple[EmbeddingCard, ...]:
    """Return the models that embed, the default first; none where the setting is empty."""
    chosen = chosen_embedding(config.catalog.embedding, catalog, default)
    if chosen is None:
        return ()
    others = (
        card
        for card in catalog.embeddings.values()
        if card.name != chosen.name and card.sources and located(card, cache) is not None
    )
    return (chosen, *others)
