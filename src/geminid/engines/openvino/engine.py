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
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from geminid.core import ids
from geminid.core.card import ModelCard
from geminid.core.errors import InputTooLong, Internal, InvalidArgument, Problem, Unavailable
from geminid.core.events import Event, Started
from geminid.core.request import GenerateRequest, Tier
from geminid.core.usage import Usage
from geminid.engines.openvino.conversation import conversation_of
from geminid.engines.openvino.held import RETRY_AFTER_MS, Held
from geminid.engines.openvino.messages import (
    Accepted,
    Cancel,
    Count,
    Counted,
    FromWorker,
    Load,
    Ready,
    Refused,
    Stepped,
    decode_from_worker,
)
from geminid.engines.openvino.submission import Plan, plan
from geminid.engines.openvino.watchdog import Patience, Watchdog
from geminid.engines.protocol import EngineState, Events, Phase
from geminid.process.link import Link


class Prover(Protocol):
    """Whoever knows which grammars are harmless; see :mod:`geminid.engines.openvino.checker`."""

    async def check(self, grammar: str) -> None:
        """Return when ``grammar`` is proven; raises a ``Problem`` when it must not be used."""

    def condemn(self, grammar: str, why: str) -> None:
        """Refuse ``grammar`` from now on."""

    async def close(self) -> None:
        """Release everything."""


WORKER = (sys.executable, "-m", "geminid.engines.openvino.worker")
"""The command of an engine process."""
DEATHS_MAX = 2
"""A request that was in this many processes when they died is not tried again."""
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
        prover: Prover | None = None,
        new_call_id: Callable[[], str] = ids.call_id,
    ) -> None:
        self.card = card
        self._prover = prover
        self._load = load
        self._queue_max = queue_max
        self._patience = patience or Patience()
        self._worker = worker
        self._ids = itertools.count(1)
        self._new_call_id = new_call_id
        self._held: dict[int, Held] = {}
        self._counts: dict[int, tuple[Count, asyncio.Future[Usage]]] = {}
        self._link: Link | None = None
        self._ready: Ready | None = None
        self._changed = asyncio.Event()
        self._closed = False
        self._planning = 0
        self._failures = 0
        self._restarts = 0
        self._steps = 0
        self._kv_used = 0.0
        self._detail = ""
        self._supervisor = asyncio.create_task(self._supervise())

    @property
    def idle(self) -> bool:
        """Whether nobody waits for this model."""
        return not self._held and not self._counts and not self._planning

    @property
    def _resting(self) -> bool:
        """Whether the process has nothing to do; readers may still have something to read."""
        return not self._counts and all(held.slot.ended for held in self._held.values())

    @asynccontextmanager
    async def generate(self, request: GenerateRequest) -> AsyncIterator[AsyncIterator[Event]]:
        """Answer one request; see :class:`geminid.engines.protocol.Engine`."""
        self._admit(request.tier)
        planned = await self._planned(request)
        if self._closed:
            raise Unavailable("The model was unloaded meanwhile.", retry_after_ms=RETRY_AFTER_MS)
        request_id, held = next(self._ids), Held(request, planned, self._new_call_id)
        self._held[request_id] = held
        try:
            if self._ready is not None:
                self._send(request_id)
            await asyncio.shield(held.slot.accepted)
            yield Events(held.slot.events(), held.produced, held.waited)
        finally:
            self._leave(request_id)

    async def count(self, request: GenerateRequest) -> Usage:
        """Return the usage that the request's prompt would have."""
        self._admit()
        request_id = next(self._ids)
        count = Count(request_id, conversation_of(self.card, request))
        future: asyncio.Future[Usage] = asyncio.get_running_loop().create_future()
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
        producing = sum(held.slot.produced for held in self._held.values())
        return EngineState(
            model=self.card.name,
            phase=self._phase(),
            waiting=len(self._held) - producing,
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
        self._closed = True
        self._supervisor.cancel()
        await asyncio.gather(self._supervisor, return_exceptions=True)
        if self._link is not None:
            await self._link.close()
        if self._prover is not None:
            await self._prover.close()
        self._fail_all(_shutting_down())

    def _phase(self) -> Phase:
        if self._ready is not None:
            return "ready"
        if self._failures:
            return "failed"
        return "restarting" if self._restarts else "loading"

    # -- the requests ------------------------------------------------------------------------------

    def _admit(self, tier: Tier = "standard") -> None:
        """Refuse early what would only wait: a full queue, or a model that cannot be loaded.

        Half of the queue is closed to ``flex``, which is the first to go when there is much to do.
        """
        if self._failures:
            raise Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS)
        room = self._queue_max // 2 if tier == "flex" else self._queue_max
        if (held := len(self._held) + len(self._counts) + self._planning) >= room:
            raise Unavailable(f"{held} requests wait for this model already.", retry_after_ms=RETRY_AFTER_MS)

    async def _planned(self, request: GenerateRequest) -> Plan:
        """Plan an answer; only grammars that are known to be harmless reach the engine."""
        self._planning += 1
        try:
            if not request.tools:
                planned = plan(self.card, request)
            else:  # many functions make a large grammar, once
                planned = await asyncio.to_thread(plan, self.card, request)
            if self._prover is not None:
                for grammar in planned.grammars:
                    await self._prover.check(grammar)
            return planned
        finally:
            self._planning -= 1

    def _send(self, request_id: int) -> None:
        assert self._link is not None
        self._link.send(msgspec.structs.replace(self._held[request_id].plan.submit, id=request_id))

    def _leave(self, request_id: int) -> None:
        held = self._held.pop(request_id)
        if not held.slot.complete and self._link is not None and self._ready is not None:
            self._link.send(Cancel(request_id))

    def _fail_all(self, problem: Problem) -> None:
        for held in self._held.values():
            held.slot.fail(problem)
        for request_id in self._counts:
            self._settle_count(request_id, problem)

    # -- what the process says ----------------------------------------------------------------------

    def _receive(self, message: FromWorker) -> None:
        match message:
            case Stepped():
                self._steps += 1
                self._kv_used = message.kv_used
                for request_id, waited_ms in message.begun.items():
                    if held := self._held.get(request_id):
                        held.waited_ms = waited_ms
                for delta in message.deltas:
                    if held := self._held.get(delta.id):
                        held.deliver(delta)
            case Accepted():
                if held := self._held.get(message.id):
                    held.slot.accept(Started(_usage_of(message)))
            case Counted():
                self._settle_count(message.id, _usage_of(message))
            case Refused():
                self._refuse(message)
            case Ready():
                self._begin(message)

    def _refuse(self, refused: Refused) -> None:
        problem = _problem_of(refused)
        if held := self._held.get(refused.id):
            held.slot.fail(problem)
        self._settle_count(refused.id, problem)

    def _settle_count(self, request_id: int, outcome: Usage | Problem) -> None:
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
        for request_id in self._held:
            self._send(request_id)
        for count, _ in self._counts.values():
            self._link.send(count)
        self._changed.set()

    # -- the process --------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(RESTART_PAUSES_S[min(self._failures, len(RESTART_PAUSES_S) - 1)])
            try:
                self._link = link = await Link.start(self._receive, self._worker, decode_from_worker)
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
                    clock(), ready=ready, idle=self._resting, frames=link.frames, cpu_s=cpu_s
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
        for held in self._held.values():
            slot = held.slot
            slot.deaths += 1
            if slot.produced:
                slot.fail(
                    Unavailable(
                        "The engine stopped in the middle of this answer.", retry_after_ms=RETRY_AFTER_MS
                    )
                )
            elif slot.deaths >= DEATHS_MAX:
                self._condemn(held.plan)
                slot.fail(Internal("The engine stopped twice while it had this request."))
            else:
                held.begin_again()

    def _condemn(self, planned: Plan) -> None:
        """Remember the grammars of a request with which engines died: they shall not come again."""
        if self._prover is not None:
            for grammar in planned.grammars:
                self._prover.condemn(grammar, "the engine died twice while it had it")

    def _fail_to_load(self, why: str) -> None:
        self._failures += 1
        self._detail = f"The model {self.card.name} cannot be loaded: {why}"
        self._fail_all(Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS))
        self._changed.set()


def _shutting_down() -> Unavailable:
    return Unavailable("The server is shutting down.")


def _usage_of(counted: Accepted | Counted) -> Usage:
    return Usage(prompt=counted.prompt_tokens, media=counted.media)


def _problem_of(refused: Refused) -> Problem:
    if refused.kind == "too_long":
        return InputTooLong(refused.tokens, refused.tokens_max)
    if refused.kind == "invalid":
        return InvalidArgument(refused.message)
    return Internal(refused.message)
