"""One model behind a supervised engine process.

A crash, a kill, running out of memory or a hang of the process costs the requests that were already
producing (each ends in ``Unavailable``) and nothing else: the others are sent again to the next
process, once. A request that saw two processes die is refused for good. It knows no wire and no
OpenVINO; the process is replaced as a whole, never repaired.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from geminid.core.card import ModelCard
from geminid.core.errors import InputTooLong, Internal, InvalidArgument, Problem, Unavailable
from geminid.core.events import Event, FinishReason, Started, TokenLogprob
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.engines.openvino.conversation import messages_of
from geminid.engines.openvino.link import WORKER, Link
from geminid.engines.openvino.messages import (
    Accepted,
    Cancel,
    Count,
    Counted,
    Delta,
    FromWorker,
    Load,
    Ready,
    Refused,
    Stepped,
    Submit,
)
from geminid.engines.openvino.watchdog import Patience, Watchdog
from geminid.engines.protocol import EngineState, Phase
from geminid.engines.slot import Slot

DEATHS_MAX = 2
"""A request that was in this many processes when they died is not tried again."""
RETRY_AFTER_MS = 5_000
RESTART_PAUSES_S = (0.0, 1.0, 5.0, 15.0, 30.0)
"""Pauses before the next try to load, by the number of loads that have failed in a row."""
WATCH_EVERY_S = 1.0

log = logging.getLogger("geminid.engine")


class ModelEngine:
    """Keeps one process answering for one card. Used on one event loop only."""

    def __init__(
        self,
        card: ModelCard,
        load: Load,
        *,
        queue_max: int,
        patience: Patience | None = None,
        worker: Sequence[str] = WORKER,
    ) -> None:
        self.card = card
        self._load = load
        self._queue_max = queue_max
        self._patience = patience or Patience()
        self._worker = worker
        self._ids = itertools.count(1)
        self._slots: dict[int, Slot] = {}
        self._counts: dict[int, tuple[Count, asyncio.Future[int]]] = {}
        self._link: Link | None = None
        self._ready: Ready | None = None
        self._changed = asyncio.Event()
        self._failures = 0
        self._restarts = 0
        self._steps = 0
        self._kv_used = 0.0
        self._detail = ""
        self._supervisor = asyncio.create_task(self._supervise())

    @property
    def idle(self) -> bool:
        """Whether nobody waits for this model."""
        return not self._slots and not self._counts

    @asynccontextmanager
    async def generate(self, request: GenerateRequest) -> AsyncIterator[AsyncIterator[Event]]:
        """Answer one request; see :class:`geminid.engines.protocol.Engine`."""
        self._admit()
        request_id, slot = next(self._ids), Slot(request)
        self._slots[request_id] = slot
        try:
            if self._ready is not None:
                self._send(request_id)
            await asyncio.shield(slot.accepted)
            yield slot.events()
        finally:
            self._leave(request_id, slot)

    async def count(self, request: GenerateRequest) -> int:
        """Return the number of tokens of the request's prompt."""
        self._admit()
        request_id = next(self._ids)
        count = Count(request_id, messages_of(request))
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._counts[request_id] = (count, future)
        try:
            if self._link is not None and self._ready is not None:
                self._link.send(count)
            return await future
        finally:
            del self._counts[request_id]

    async def ready(self) -> None:
        """Wait until the model answers; raises ``Unavailable`` when loading has failed."""
        while self._ready is None:
            if self._failures:
                raise Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS)
            self._changed.clear()
            await self._changed.wait()

    def state(self) -> EngineState:
        """Return what the engine is doing now."""
        producing = sum(slot.produced for slot in self._slots.values())
        return EngineState(
            model=self.card.name,
            phase=self._phase(),
            waiting=len(self._slots) - producing,
            producing=producing,
            kv_used=self._kv_used,
            kv_tokens_max=self._ready.kv_tokens_max if self._ready else 0,
            restarts=self._restarts,
            steps=self._steps,
            pid=self._link.pid if self._link else 0,
            detail=self._detail,
        )

    async def close(self) -> None:
        """Stop the process; what still runs ends in ``Unavailable``."""
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

    def _admit(self) -> None:
        """Refuse early what would only wait: a full queue, or a model that cannot be loaded."""
        if self._failures:
            raise Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS)
        if (held := len(self._slots) + len(self._counts)) >= self._queue_max:
            raise Unavailable(f"{held} requests wait for this model already.", retry_after_ms=RETRY_AFTER_MS)

    def _send(self, request_id: int) -> None:
        assert self._link is not None
        request = self._slots[request_id].request
        unsaid = self.card.output_tokens_default or self.card.output_tokens_max
        self._link.send(
            Submit(
                id=request_id,
                messages=messages_of(request),
                sampling=request.sampling.over(self.card.defaults),
                candidates=request.candidates,
                tokens_max=min(request.tokens_max or unsaid, self.card.output_tokens_max),
                stop=request.stop,
                logprobs=request.logprobs,
            )
        )

    def _leave(self, request_id: int, slot: Slot) -> None:
        del self._slots[request_id]
        if not slot.complete and self._link is not None and self._ready is not None:
            self._link.send(Cancel(request_id))

    def _fail_all(self, problem: Problem) -> None:
        for slot in self._slots.values():
            slot.fail(problem)
        for request_id in self._counts:
            self._settle_count(request_id, problem)

    # -- what the process says ----------------------------------------------------------------------

    def _receive(self, message: FromWorker) -> None:
        match message:
            case Stepped():
                self._steps += 1
                self._kv_used = message.kv_used
                for delta in message.deltas:
                    self._deliver(delta)
            case Accepted():
                if slot := self._slots.get(message.id):
                    slot.accept(Started(Usage(prompt=message.prompt_tokens)))
            case Counted():
                self._settle_count(message.id, message.prompt_tokens)
            case Refused():
                self._refuse(message)
            case Ready():
                self._begin(message)

    def _deliver(self, delta: Delta) -> None:
        slot = self._slots.get(delta.id)
        if slot is None:
            return
        if delta.finish == "failed":
            slot.fail(
                Unavailable("The engine ran out of memory for this request.", retry_after_ms=RETRY_AFTER_MS)
            )
            return
        reason = FinishReason(delta.finish) if delta.finish else None
        logprobs = tuple(TokenLogprob(*row) for row in delta.logprobs)
        slot.put(delta.text, delta.tokens, delta.candidate, logprobs=logprobs, reason=reason)

    def _refuse(self, refused: Refused) -> None:
        problem = _problem_of(refused)
        if slot := self._slots.get(refused.id):
            slot.fail(problem)
        self._settle_count(refused.id, problem)

    def _settle_count(self, request_id: int, outcome: int | Problem) -> None:
        _, future = self._counts.get(request_id, (None, None))
        if future is None or future.done():
            return  # whoever asked has left
        if isinstance(outcome, Problem):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def _begin(self, ready: Ready) -> None:
        self._ready, self._failures, self._detail = ready, 0, ""
        log.info(
            "%s is ready: loaded in %d ms, room for %d tokens",
            self.card.name,
            ready.load_ms,
            ready.kv_tokens_max,
        )
        assert self._link is not None
        for request_id in self._slots:
            self._send(request_id)
        for count, _ in self._counts.values():
            self._link.send(count)
        self._changed.set()

    # -- the process --------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(RESTART_PAUSES_S[min(self._failures, len(RESTART_PAUSES_S) - 1)])
            try:
                self._link = link = await Link.start(self._receive, self._worker)
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
                    log.error("%s: %s; killing engine process %d", self.card.name, hung, link.pid)
                    link.kill()

    def _bury(self, link: Link) -> None:
        """Settle what the dead process left: fail, or keep for the next one."""
        was_ready, self._ready, self._link = self._ready, None, None
        self._kv_used = 0.0
        self._restarts += 1
        log.error("%s: engine process %s", self.card.name, link.death())
        if was_ready is None:
            self._fail_to_load(f"{link.death()}. {link.last_words()}")
            return
        for slot in self._slots.values():
            slot.deaths += 1
            if slot.produced:
                slot.fail(
                    Unavailable(
                        "The engine stopped in the middle of this answer.", retry_after_ms=RETRY_AFTER_MS
                    )
                )
            elif slot.deaths >= DEATHS_MAX:
                slot.fail(Internal("The engine stopped twice while it had this request."))

    def _fail_to_load(self, why: str) -> None:
        self._failures += 1
        self._detail = f"The model {self.card.name} cannot be loaded: {why}"
        self._fail_all(Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS))
        self._changed.set()


def _problem_of(refused: Refused) -> Problem:
    if refused.kind == "too_long":
        return InputTooLong(refused.tokens, refused.tokens_max)
    if refused.kind == "invalid":
        return InvalidArgument(refused.message)
    return Internal(refused.message)
