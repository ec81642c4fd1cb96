"""Every model of this machine that embeds: loaded when first asked for, within one memory limit.

Each has a process of its own. When the next one does not fit, the one that has been idle the longest is
unloaded; one that answers is never taken away. It knows memory and processes, no texts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil

from geminid.core.card import EmbeddingCard
from geminid.core.embed import Embedding, EmbedRequest
from geminid.core.errors import FailedPrecondition, Unavailable
from geminid.engines.openvino.embed_engine import EMBED_WORKER, EmbedEngine
from geminid.engines.openvino.embed_messages import Load
from geminid.engines.openvino.held import RETRY_AFTER_MS
from geminid.engines.openvino.watchdog import Patience
from geminid.engines.protocol import EngineState

CALL_TOKENS_MAX = 2048
"""Of one native call: enough that what a call costs by itself does not matter (measured from 1,024 on), and
short enough (some 80 ms of one core for the default model) that nobody waits long for it."""
WEIGHTS_COPIES = 2
"""The weights as they are read and as the kernels want them."""
PROCESS_BYTES = 200 * 1024**2

log = logging.getLogger("geminid.engine")


class EmbedderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How models that embed may use this machine.

    memory_bytes_max: bound on all of them that are loaded. threads: 0 means all cores. queue_max: requests
    that one model holds. properties: passed to the OpenVINO device as they are.
    """

    memory_bytes_max: int
    threads: int = 0
    queue_max: int = 512
    call_tokens_max: int = CALL_TOKENS_MAX
    properties: dict[str, str | int | float | bool] = {}
    patience: Patience = Patience()


class OpenVinoEmbedder:
    """The :class:`geminid.engines.protocol.Embedder` on OpenVINO. Used on one event loop only.

    locate: returns the folder of a card's weights, None when they are not on this machine.
    """

    def __init__(
        self,
        config: EmbedderConfig,
        locate: Callable[[EmbeddingCard], Path | None],
        *,
        worker: Sequence[str] = EMBED_WORKER,
    ) -> None:
        self._config = config
        self._locate = locate
        self._worker = worker
        self._engines: dict[str, EmbedEngine] = {}  # the least recently used first
        self._needs: dict[str, int] = {}
        self._loading = asyncio.Lock()

    async def embed(self, card: EmbeddingCard, request: EmbedRequest) -> tuple[Embedding, ...]:
        """Return a vector for each input, in their order."""
        engine = await self._engine(card)
        return await engine.embed(request)

    async def count(self, card: EmbeddingCard, request: EmbedRequest) -> int:
        """Return how many tokens of the inputs would be read."""
        engine = await self._engine(card)
        return await engine.count(request)

    async def ready(self, card: EmbeddingCard) -> None:
        """Load the model if need be and wait until it answers; raises ``Unavailable`` if it cannot."""
        engine = await self._engine(card)
        await engine.ready()

    def states(self) -> Sequence[EngineState]:
        """Return one state for each model that is loaded or loading."""
        return [engine.state() for engine in self._engines.values()]

    async def close(self) -> None:
        """Stop every process."""
        await asyncio.gather(*(engine.close() for engine in self._engines.values()))
        self._engines.clear()

    async def _engine(self, card: EmbeddingCard) -> EmbedEngine:
        """Return the model's engine, which may still be loading, as the most recently used one."""
        if card.name not in self._engines:
            async with self._loading:
                if card.name not in self._engines:
                    await self._start(card)
        engine = self._engines.pop(card.name)
        self._engines[card.name] = engine
        return engine

    async def _start(self, card: EmbeddingCard) -> None:
        folder = self._locate(card)
        if folder is None:
            raise FailedPrecondition(
                f"The weights of {card.name} are not on this machine.\nhint: geminid pull {card.name}"
            )
        await self._make_room(card, folder)
        log.info("loading %s from %s", card.name, folder)
        self._engines[card.name] = EmbedEngine(
            card,
            self._load(card, folder),
            queue_max=self._config.queue_max,
            patience=self._config.patience,
            worker=self._worker,
        )

    def _load(self, card: EmbeddingCard, folder: Path) -> Load:
        return Load(
            weights=str(folder),
            pooling=card.pooling,
            context_tokens_max=card.context_tokens_max,
            streams=self._config.threads or psutil.cpu_count() or 1,
            call_tokens_max=self._config.call_tokens_max,
            properties=self._config.properties,
        )

    async def _make_room(self, card: EmbeddingCard, folder: Path) -> None:
        self._needs[card.name] = _need(folder)
        while self._engines and self._used(card.name) > self._config.memory_bytes_max:
            idle = next((name for name, engine in self._engines.items() if engine.idle), None)
            if idle is None:
                raise Unavailable(
                    f"No memory for {card.name} while the other models are embedding.",
                    retry_after_ms=RETRY_AFTER_MS,
                )
            log.info("unloading %s to make room for %s", idle, card.name)
            await self._engines.pop(idle).close()

    def _used(self, extra: str) -> int:
        return sum(self._needs[name] for name in {*self._engines, extra})


def _need(folder: Path) -> int:
    weights = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    return WEIGHTS_COPIES * weights + PROCESS_BYTES
