"""One model that embeds, behind a supervised process.

A crash, a kill or a hang of the process costs nobody an answer: what it had is sent again to the next one,
once. A request that saw two processes die is refused for good. It knows no wire and no OpenVINO.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import Sequence

from geminid.core.card import EmbeddingCard
from geminid.core.embed import Embedding, EmbedRequest
from geminid.core.errors import Internal, InvalidArgument, Problem, Unavailable
from geminid.core.request import Tier
from geminid.engines.embed_words import words_of
from geminid.engines.openvino.embed_messages import (
    Alive,
    Cancel,
    Count,
    Counted,
    Embed,
    Embedded,
    Failed,
    FromEmbedder,
    Load,
    Ready,
    decode_from_embedder,
)
from geminid.engines.openvino.engine import DEATHS_MAX, RESTART_PAUSES_S, WATCH_EVERY_S
from geminid.engines.openvino.held import RETRY_AFTER_MS
from geminid.engines.openvino.submission import URGENCIES
from geminid.engines.openvino.watchdog import Patience, Watchdog
from geminid.engines.protocol import EngineState, Phase
from geminid.process.link import Link

EMBED_WORKER = (sys.executable, "-m", "geminid.engines.openvino.embed_worker")
"""The command of a process that embeds."""
DEFERRABLE: tuple[Tier, ...] = ("flex", "batch")
"""Half of the queue is closed to these."""

Outcome = tuple[Embedding, ...] | int

log = logging.getLogger("geminid.engine")


class _Asked:
    """One request and who waits for it."""

    def __init__(self, message: Embed | Count, future: asyncio.Future[Outcome]) -> None:
        self.message, self.future, self.deaths = message, future, 0

    def settle(self, outcome: Outcome | Problem) -> None:
        if self.future.done():
            return  # whoever asked has left
        if isinstance(outcome, Problem):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class EmbedEngine:
    """Keeps one process embedding for one card. Used on one event loop only."""

    def __init__(
        self,
        card: EmbeddingCard,
        load: Load,
        *,
        queue_max: int,
        patience: Patience | None = None,
        worker: Sequence[str] = EMBED_WORKER,
    ) -> None:
        self.card = card
        self._load = load
        self._queue_max = queue_max
        self._patience = patience or Patience()
        self._worker = worker
        self._ids = itertools.count(1)
        self._asked: dict[int, _Asked] = {}
        self._link: Link | None = None
        self._ready: Ready | None = None
        self._changed = asyncio.Event()
        self._closed = False
        self._failures = 0
        self._restarts = 0
        self._detail = ""
        self._supervisor = asyncio.create_task(self._supervise())

    @property
    def idle(self) -> bool:
        """Whether nobody waits for this model."""
        return not self._asked

    async def embed(self, request: EmbedRequest) -> tuple[Embedding, ...]:
        """Return a vector for each input; see :class:`geminid.engines.protocol.Embedder`."""
        self._admit(request.tier)
        dimensions = tuple(self._dimensions(each.dimensions) for each in request.inputs)
        if not dimensions:
            return ()
        texts = self._texts(request)
        found = await self._ask(Embed(next(self._ids), texts, dimensions, URGENCIES[request.tier]))
        assert isinstance(found, tuple)
        return found

    async def count(self, request: EmbedRequest) -> int:
        """Return how many tokens of the inputs would be read."""
        self._admit(request.tier)
        found = await self._ask(Count(next(self._ids), self._texts(request)))
        assert isinstance(found, int)
        return found

    async def ready(self) -> None:
        """Wait until the model answers; raises ``Unavailable`` when loading has failed."""
        while self._ready is None:
            if self._failures:
                raise Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS)
            self._changed.clear()
            await self._changed.wait()

    def state(self) -> EngineState:
        """Return what the engine is doing now. What is in the process counts as producing."""
        asked = len(self._asked)
        return EngineState(
            model=self.card.name,
            phase=self._phase(),
            waiting=0 if self._ready else asked,
            producing=asked if self._ready else 0,
            restarts=self._restarts,
            pid=self._link.pid if self._link else 0,
            detail=self._detail,
        )

    async def close(self) -> None:
        """Stop the process; what still runs ends in ``Unavailable``."""
        self._closed = True
        self._supervisor.cancel()
        await asyncio.gather(self._supervisor, return_exceptions=True)
        if self._link is not None:
            await self._link.close()
        self._fail_all(Unavailable("The server is shutting down."))

    def _phase(self) -> Phase:
        if self._ready is not None:
            return "ready"
        if self._failures:
            return "failed"
        return "restarting" if self._restarts else "loading"

    # -- the requests ------------------------------------------------------------------------------

    def _admit(self, tier: Tier) -> None:
        """Refuse early what would only wait: a full queue, or a model that cannot be loaded."""
        if self._closed:
            raise Unavailable("The model was unloaded meanwhile.", retry_after_ms=RETRY_AFTER_MS)
        if self._failures:
            raise Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS)
        room = self._queue_max // 2 if tier in DEFERRABLE else self._queue_max
        if (waiting := len(self._asked)) >= room:
            raise Unavailable(
                f"{waiting} requests wait for this model already.", retry_after_ms=RETRY_AFTER_MS
            )

    def _dimensions(self, asked: int | None) -> int:
        """Return how many numbers the process is asked for, 0 for all."""
        if asked is None:
            return 0
        most = self.card.dimensions
        if not 0 < asked <= most:
            raise InvalidArgument(
                f"{self.card.name} gives vectors of {most} numbers, so there are none of {asked}."
            )
        return asked

    def _texts(self, request: EmbedRequest) -> tuple[str, ...]:
        texts = tuple(words_of(self.card, each) for each in request.inputs)
        try:
            for text in texts:
                text.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgument("A text contains half a character (a lone surrogate).") from error
        return texts

    async def _ask(self, message: Embed | Count) -> Outcome:
        asked = self._asked[message.id] = _Asked(message, asyncio.get_running_loop().create_future())
        try:
            self._send(asked.message)
            return await asked.future
        finally:
            del self._asked[message.id]
            if asked.future.cancelled():
                self._send(Cancel(message.id))

    def _send(self, message: Embed | Count | Cancel) -> None:
        """Send to a process that is ready; the next one is sent everything when it is."""
        if self._link is not None and self._ready is not None:
            self._link.send(message)

    def _fail_all(self, problem: Problem) -> None:
        for asked in self._asked.values():
            asked.settle(problem)

    # -- what the process says ----------------------------------------------------------------------

    def _receive(self, message: FromEmbedder) -> None:
        match message:
            case Embedded():
                vectors = (Embedding(each.values, each.tokens, each.truncated) for each in message.vectors)
                self._settle(message.id, tuple(vectors))
            case Counted():
                self._settle(message.id, message.tokens)
            case Failed():
                log.error("%s: a text cannot be read: %s", self.card.name, message.message)
                self._settle(message.id, Internal("A text cannot be read by this model."))
            case Ready():
                self._begin(message)
            case Alive():
                pass  # that it came is what counts

    def _settle(self, request_id: int, outcome: Outcome | Problem) -> None:
        if asked := self._asked.get(request_id):
            asked.settle(outcome)

    def _begin(self, ready: Ready) -> None:
        assert self._link is not None
        if ready.dimensions != self.card.dimensions:
            log.error("%s: vectors of %d numbers; the card is wrong", self.card.name, ready.dimensions)
            self._link.kill()
            return
        self._ready, self._failures, self._detail = ready, 0, ""
        log.info("%s is ready: loaded in %d ms", self.card.name, ready.load_ms)
        for asked in self._asked.values():
            self._send(asked.message)
        self._changed.set()

    # -- the process --------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(RESTART_PAUSES_S[min(self._failures, len(RESTART_PAUSES_S) - 1)])
            try:
                self._link = link = await Link.start(
                    self._receive, self._worker, decode_from_embedder, name="embedder"
                )
            except OSError as error:  # no memory or no descriptors for one more process
                self._fail_to_load(f"no process can be started: {error}")
                continue
            link.send(self._load)
            await self._watch(link)
            self._bury(link)

    async def _watch(self, link: Link) -> None:
        """Return when the process has ended, by itself or because it hung."""
        clock = asyncio.get_running_loop().time
        watchdog = Watchdog(self._patience, clock())
        while not link.closed.is_set():
            try:
                await asyncio.wait_for(link.closed.wait(), WATCH_EVERY_S)
            except TimeoutError:
                ready, cpu_s = self._ready is not None, link.cpu_seconds()
                if hung := watchdog.look(
                    clock(), ready=ready, idle=self.idle, frames=link.frames, cpu_s=cpu_s
                ):
                    log.error("%s: %s; killing process %d", self.card.name, hung, link.pid)
                    link.kill()

    def _bury(self, link: Link) -> None:
        """Settle what the dead process left: once more, or never again."""
        was_ready, self._ready, self._link = self._ready, None, None
        self._restarts += 1
        log.error("%s: process %s", self.card.name, link.death())
        if was_ready is None:
            self._fail_to_load(f"{link.death()}. {link.last_words()}")
            return
        for asked in self._asked.values():
            asked.deaths += 1
            if asked.deaths >= DEATHS_MAX:
                asked.settle(Internal("The engine stopped twice while it had this request."))

    def _fail_to_load(self, why: str) -> None:
        self._failures += 1
        self._detail = f"The model {self.card.name} cannot be loaded: {why}"
        self._fail_all(Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS))
        self._changed.set()
