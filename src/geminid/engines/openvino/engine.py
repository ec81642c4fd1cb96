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
from geminid.core.errors import CachesFull, InputTooLong, Internal, InvalidArgument, Problem, Unavailable
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
    Drop,
    FromWorker,
    Keep,
    Kept,
    Load,
    Ready,
    Refused,
    Stepped,
    decode_from_worker,
)
from geminid.engines.openvino.prefix_shelf import PrefixShelf, beginning
from geminid.engines.openvino.submission import URGENCIES, Plan, plan
from geminid.engines.openvino.watchdog import Patience, Watchdog
from geminid.engines.protocol import EngineState, Events, Phase, Prefix
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
        shelf: PrefixShelf | None = None,
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
        self._shelf = shelf if shelf is not None else PrefixShelf()
        self._keeps: dict[int, tuple[Prefix, asyncio.Future[Usage] | None]] = {}
        self._computed: set[str] = set()  # prefixes, in the process that runs
        self._link: Link | None = None
        self._ready: Ready | None = None
        self._changed = asyncio.Event()
        self._closed = False
        self._planning = 0
        self._lines = 0  # of batches, among what is held
        self._failures = 0
        self._restarts = 0
        self._steps = 0
        self._kv_used = 0.0
        self._detail = ""
        self._supervisor = asyncio.create_task(self._supervise())

    @property
    def idle(self) -> bool:
        """Whether nobody waits for this model."""
        return not self._held and not self._counts and not self._planning and not self._waited_for

    @property
    def _waited_for(self) -> bool:
        """Whether somebody waits for a prefix."""
        return any(future is not None for _, future in self._keeps.values())

    @property
    def spare(self) -> bool:
        """Whether nobody but lines of batches waits for this model: those can wait for the next process."""
        others = len(self._held) - self._lines + len(self._counts) + self._planning
        return not others and not self._waited_for

    @property
    def _resting(self) -> bool:
        """Whether the process has nothing to do; readers may still have something to read."""
        return not self._counts and not self._keeps and all(held.slot.ended for held in self._held.values())

    @asynccontextmanager
    async def generate(self, request: GenerateRequest) -> AsyncIterator[AsyncIterator[Event]]:
        """Answer one request; see :class:`geminid.engines.protocol.Engine`."""
        self._admit(request.tier)
        planned = await self._planned(request)
        await self._warm(request)
        if self._closed:
            raise Unavailable("The model was unloaded meanwhile.", retry_after_ms=RETRY_AFTER_MS)
        request_id, held = next(self._ids), Held(request, planned, self._new_call_id)
        self._held[request_id] = held
        self._lines += request.tier == "batch"
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
        count = Count(request_id, conversation_of(self.card, request), request.prefix)
        future: asyncio.Future[Usage] = asyncio.get_running_loop().create_future()
        self._counts[request_id] = (count, future)
        try:
            if self._link is not None and self._ready is not None:
                self._link.send(count)
            return await future
        finally:
            del self._counts[request_id]

    async def keep(self, prefix: Prefix) -> Usage:
        """Compute a prefix and keep it; see :class:`geminid.engines.protocol.Engine`."""
        if prefix.id in self._computed and (usage := self._shelf.usage(prefix.id)) is not None:
            return usage
        if self._failures:
            raise Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS)
        request_id, known = next(self._ids), prefix.id in self._shelf
        future: asyncio.Future[Usage] = asyncio.get_running_loop().create_future()
        self._keeps[request_id] = prefix, future
        try:
            if self._ready is not None:
                self._send_keep(request_id)
            usage = await future
        except BaseException:
            if not known and not self._asked_for(prefix.id, request_id):
                self.drop(prefix.id)
            raise
        finally:
            del self._keeps[request_id]
        self._shelf.put(prefix, usage)
        return usage

    def drop(self, prefix_id: str) -> None:
        """Forget a prefix; whoever waits for it waits no more."""
        self._shelf.drop(prefix_id)
        self._computed.discard(prefix_id)
        for request_id, (prefix, _) in list(self._keeps.items()):
            if prefix.id == prefix_id:
                self._settle_keep(request_id, Unavailable("The cached contents were deleted meanwhile."))
        if self._link is not None and self._ready is not None:
            self._link.send(Drop(prefix_id))

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
            prefixes=len(self._shelf),
            cached_tokens=self._shelf.tokens,
            cached_tokens_max=self._ready.cached_tokens_max if self._ready else 0,
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

        Half of the queue is closed to ``flex``, which is the first to go when there is much to do. Lines of
        batches have a queue of their own: nobody is refused because of them.
        """
        if self._failures:
            raise Unavailable(self._detail, retry_after_ms=RETRY_AFTER_MS)
        room = self._queue_max // 2 if tier == "flex" else self._queue_max
        others = len(self._held) - self._lines + len(self._counts) + self._planning
        if (held := self._lines if tier == "batch" else others) >= room:
            raise Unavailable(f"{held} requests wait for this model already.", retry_after_ms=RETRY_AFTER_MS)

    async def _planned(self, request: GenerateRequest) -> Plan:
        """Plan an answer; only grammars that are known to be harmless reach the engine."""
        counted = int(request.tier != "batch")
        self._planning += counted
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
            self._planning -= counted

    def _send(self, request_id: int) -> None:
        assert self._link is not None
        self._link.send(msgspec.structs.replace(self._held[request_id].plan.submit, id=request_id))

    async def _warm(self, request: GenerateRequest) -> None:
        """Have the prefix of a request computed first, where a new process has not come to it yet."""
        prefix = self._shelf.get(request.prefix)
        if prefix is not None and prefix.id not in self._computed:
            await self.keep(prefix.at(request.tier))

    def _send_keep(self, request_id: int) -> None:
        assert self._link is not None
        prefix, _ = self._keeps[request_id]
        conversations = tuple(conversation_of(self.card, each) for each in beginning(prefix.request))
        urgency = URGENCIES[prefix.request.tier]
        self._link.send(Keep(request_id, prefix.id, conversations, urgency))

    def _asked_for(self, prefix_id: str, besides: int) -> bool:
        return any(
            prefix.id == prefix_id and future is not None and request_id != besides
            for request_id, (prefix, future) in self._keeps.items()
        )

    def _settle_keep(self, request_id: int, outcome: Usage | Problem) -> None:
        """Tell whoever waits for a prefix; nobody does after a restart."""
        if request_id not in self._keeps:
            return
        prefix, future = self._keeps[request_id]
        if isinstance(outcome, Usage):
            self._computed.add(prefix.id)
        if future is None:
            del self._keeps[request_id]
        elif not future.done():
            _settle(future, outcome)

    def _leave(self, request_id: int) -> None:
        held = self._held.pop(request_id)
        self._lines -= held.slot.request.tier == "batch"
        if not held.slot.complete and self._link is not None and self._ready is not None:
            self._link.send(Cancel(request_id))

    def _fail_all(self, problem: Problem) -> None:
        for held in self._held.values():
            held.slot.fail(problem)
        for request_id in self._counts:
            self._settle_count(request_id, problem)
        for request_id in list(self._keeps):
            self._settle_keep(request_id, problem)

    # -- what the process says ----------------------------------------------------------------------

    def _receive(self, message: FromWorker) -> None:
        match message:
            case Stepped():
                self._steps += 1
                self._kv_used = message.kv_used
                for request_id, waited_ms in message.begun.items():
                    if held := self._held.get(request_id):
                        held.waited_ms = waited_ms
                for request_id, found in message.found.items():
                    if held := self._held.get(request_id):
                        held.find(found)
                for delta in message.deltas:
                    if held := self._held.get(delta.id):
                        held.deliver(delta)
            case Accepted():
                if held := self._held.get(message.id):
                    held.slot.accept(Started(_usage_of(message)))
            case Counted():
                self._settle_count(message.id, _usage_of(message))
            case Kept():
                usage = Usage(prompt=message.prompt_tokens, media=message.media)
                self._settle_keep(message.id, usage)
            case Refused():
                self._refuse(message)
            case Ready():
                self._begin(message)

    def _refuse(self, refused: Refused) -> None:
        problem = _problem_of(refused)
        if held := self._held.get(refused.id):
            held.slot.fail(problem)
        self._settle_count(refused.id, problem)
        self._settle_keep(refused.id, problem)

    def _settle_count(self, request_id: int, outcome: Usage | Problem) -> None:
        _, future = self._counts.get(request_id, (None, None))
        if future is not None and not future.done():  # else whoever asked has left
            _settle(future, outcome)

    def _begin(self, ready: Ready) -> None:
        self._ready, self._failures, self._detail = ready, 0, ""
        log.info(
            "%s is ready: loaded in %d ms, room for %d tokens",
            self.card.name,
            ready.load_ms,
            ready.kv_tokens_max,
        )
        assert self._link is not None
        self._keep_again()
        for request_id in self._held:
            self._send(request_id)
        for count, _ in self._counts.values():
            self._link.send(count)
        self._changed.set()

    def _keep_again(self) -> None:
        """Have a new process compute what is kept: first what somebody waits for, the rest when there is
        time."""
        waited_for = {prefix.id for prefix, _ in self._keeps.values()}
        named = {held.slot.request.prefix for held in self._held.values()}
        for prefix in self._shelf:
            if prefix.id not in waited_for:
                self._keeps[next(self._ids)] = prefix.at("standard" if prefix.id in named else "batch"), None
        for request_id in self._keeps:
            self._send_keep(request_id)

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
        self._computed.clear()
        self._keeps = {key: keep for key, keep in self._keeps.items() if keep[1] is not None}
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
    return Usage(
        prompt=counted.prompt_tokens,
        media=counted.media,
        cached=counted.cached_tokens,
        cached_media=counted.cached_media,
    )


def _settle(future: asyncio.Future[Usage], outcome: Usage | Problem) -> None:
    if isinstance(outcome, Problem):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _problem_of(refused: Refused) -> Problem:
    if refused.kind == "too_long":
        return InputTooLong(refused.tokens, refused.tokens_max)
    if refused.kind == "full":
        return CachesFull(refused.tokens, refused.kept, refused.tokens_max)
    if refused.kind == "invalid":
        return InvalidArgument(refused.message)
    return Internal(refused.message)
