"""Every embedded model of this machine: loaded on demand, within one memory limit.

Each model has a process of its own. When the next one does not fit, the one that has been idle the
longest is unloaded; one that answers is never taken away. It knows memory and processes, no requests.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import msgspec

from geminid.core.card import ModelCard
from geminid.core.errors import FailedPrecondition, Unavailable
from geminid.core.events import Event
from geminid.core.request import GenerateRequest, Tier
from geminid.core.usage import Usage
from geminid.engines.openvino.checker import GrammarChecker
from geminid.engines.openvino.engine import ModelEngine
from geminid.engines.openvino.held import RETRY_AFTER_MS
from geminid.engines.openvino.messages import Load
from geminid.engines.openvino.prefix_shelf import PrefixShelf
from geminid.engines.openvino.watchdog import Patience
from geminid.engines.openvino.weights import Precision, best_precision, converted
from geminid.engines.protocol import EngineState, Prefix

LOOK_BYTES = 64
"""What looking at pictures may take, for the square of their tokens; see ``picture_tokens_max`` of a card."""
KEPT_S = 600.0
"""A model that somebody used so lately is not unloaded for the lines of a batch."""
PROCESS_BYTES = 300 * 1024**2
"""An engine process without weights and KV cells: interpreter, libraries, graph (measured 271 MB)."""

log = logging.getLogger("geminid.engine")


class FleetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How the embedded engine may use this machine.

    memory_bytes_max: bound on all loaded models together. kv_cache_gib: KV memory of each.
    cached_tokens_max: of the prefixes that each keeps, 0 for half of its KV memory. implicit_tokens_min: from
    so many tokens on, what was found computed is told. precision: None chooses by machine and model. threads:
    0 means all cores. label_graph: whether labels of batches get a graph of their own.
    """

    cache: Path
    memory_bytes_max: int
    kv_cache_gib: int
    batch_tokens_max: int = 256
    sequences_max: int = 64
    queue_max: int = 512
    cached_tokens_max: int = 0
    implicit_tokens_min: int = 32
    threads: int = 0
    precision: Precision | None = None
    arithmetic: Literal["f32", "bf16"] = "f32"
    label_graph: bool = False
    patience: Patience = Patience()


class Fleet:
    """The embedded :class:`geminid.engines.protocol.Engine`. Used on one event loop only."""

    def __init__(
        self,
        config: FleetConfig,
        locate: Callable[[ModelCard], Path | None],
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._locate = locate
        self._engines: dict[str, ModelEngine] = {}  # the least recently used first
        self._shelves: dict[str, PrefixShelf] = {}  # what is kept stays so while its model is not loaded
        self._needs: dict[str, int] = {}
        self._asked_s: dict[str, float] = {}  # when somebody last asked who was no line of a batch
        self._now_s = now_s
        self._loading = asyncio.Lock()

    @asynccontextmanager
    async def generate(
        self, card: ModelCard, request: GenerateRequest
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Answer one request; see :class:`geminid.engines.protocol.Engine`."""
        engine = await self._engine(card, request.tier)
        async with engine.generate(request) as events:
            yield events

    async def count(self, card: ModelCard, request: GenerateRequest) -> Usage:
        """Return the usage that the request's prompt would have."""
        engine = await self._engine(card)
        return await engine.count(request)

    async def keep(self, card: ModelCard, prefix: Prefix) -> Usage:
        """Compute a prefix and keep it; see :class:`geminid.engines.protocol.Engine`."""
        engine = await self._engine(card, prefix.request.tier)
        return await engine.keep(prefix)

    async def drop(self, card: ModelCard, prefix_id: str) -> None:
        """Forget a prefix."""
        if (shelf := self._shelves.get(card.name)) is not None:
            shelf.drop(prefix_id)
        if (engine := self._engines.get(card.name)) is not None:
            engine.drop(prefix_id)

    async def ready(self, card: ModelCard) -> None:
        """Load the model if need be and wait until it answers."""
        engine = await self._engine(card)
        await engine.ready()

    def states(self) -> Sequence[EngineState]:
        """One state for each model that is loaded or loading."""
        return [engine.state() for engine in self._engines.values()]

    async def close(self) -> None:
        """Stop every process."""
        await asyncio.gather(*(engine.close() for engine in self._engines.values()))
        self._engines.clear()

    async def _engine(self, card: ModelCard, tier: Tier = "standard") -> ModelEngine:
        """Return the model's engine, which may still be loading, as the most recently used one."""
        if tier != "batch":
            self._asked_s[card.name] = self._now_s()
        if card.name not in self._engines:
            async with self._loading:
                if card.name not in self._engines:
                    await self._start(card, tier)
        engine = self._engines.pop(card.name)
        self._engines[card.name] = engine
        return engine

    async def _start(self, card: ModelCard, tier: Tier) -> None:
        weights = self._locate(card)
        if weights is None:
            raise FailedPrecondition(
                f"The weights of {card.name} are not on this machine.\nhint: geminid pull {card.name}"
            )
        precision = self._config.precision or best_precision(weights)
        folder = await asyncio.to_thread(converted, weights, self._config.cache, precision)
        await self._make_room(card, folder, tier)
        log.info("loading %s from %s", card.name, folder)
        self._engines[card.name] = ModelEngine(
            card,
            load_of(self._config, card, folder),
            queue_max=self._config.queue_max,
            patience=self._config.patience,
            prover=GrammarChecker(folder, self._config.cache),
            shelf=self._shelves.setdefault(card.name, PrefixShelf()),
        )

    async def _make_room(self, card: ModelCard, folder: Path, tier: Tier) -> None:
        self._needs[card.name] = self._need(card, folder)
        while self._engines and self._used(card.name) > self._config.memory_bytes_max:
            idle = next(filter(functools.partial(self._may_go, tier), self._engines), None)
            if idle is None:
                raise Unavailable(
                    f"No memory for {card.name} while the other models are answering.",
                    retry_after_ms=RETRY_AFTER_MS,
                )
            log.info("unloading %s to make room for %s", idle, card.name)
            await self._engines.pop(idle).close()

    def _may_go(self, tier: Tier, name: str) -> bool:
        """Whether a model may be unloaded for a request of this tier: one that only answers lines of batches
        makes room for others, and such a line makes no model go that others have just used."""
        if tier != "batch":
            return self._engines[name].spare
        asked_s = self._asked_s.get(name)
        return self._engines[name].idle and (asked_s is None or self._now_s() - asked_s > KEPT_S)

    def _used(self, extra: str) -> int:
        return sum(self._needs[name] for name in {*self._engines, extra})

    def _need(self, card: ModelCard, folder: Path) -> int:
        weights = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        looking = LOOK_BYTES * card.picture_tokens_max**2 if card.sees else 0
        return weights + self._config.kv_cache_gib * 1024**3 + PROCESS_BYTES + looking


KEYS: dict[str, str | int | float | bool] = {
    "KEY_CACHE_QUANT_MODE": "BY_TOKEN",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
}
"""What makes an answer the same whether its prefix is computed or found (decision 26). Keys in 8 bits are
packed by token: by channel, the library's default, a block is packed anew with each token that comes to it.
And what goes into a layer is not rounded to 8 bits: that depends on how many tokens go into it together."""


def load_of(config: FleetConfig, card: ModelCard, folder: Path) -> Load:
    """Return what an engine process is told to load."""
    return Load(
        weights=str(folder),
        chat_template=card.chat_template,
        template_options=card.template_options,
        context_tokens_max=card.context_tokens_max,
        kv_cache_gib=config.kv_cache_gib,
        batch_tokens_max=config.batch_tokens_max,
        sequences_max=config.sequences_max,
        properties=KEYS
        | {"INFERENCE_PRECISION_HINT": config.arithmetic}
        | ({"INFERENCE_NUM_THREADS": config.threads} if config.threads else {}),
        sees=card.sees,
        picture_tokens_max=card.picture_tokens_max,
        cached_tokens_max=config.cached_tokens_max,
        implicit_tokens_min=config.implicit_tokens_min,
        label_graph=config.label_graph and not card.sees,
    )
