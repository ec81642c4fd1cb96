"""One interaction while it is answered: steps, functions that run here, what was told, and how it is stopped.

Each step is a request of its own to :class:`geminid.service.generate.Generator`, metered as any other. It
knows no database: whoever made it keeps it. Invariant: its end is kept before the last step is charged, and
before it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from types import TracebackType

import msgspec

from geminid.core import clock
from geminid.core.caller import Caller
from geminid.core.content import ToolCall, ToolResult
from geminid.core.errors import Cancelled, Problem
from geminid.core.events import Finished, FinishReason, TextDelta, ThoughtDelta, ToolCallMade
from geminid.core.interaction import (
    Interaction,
    InteractionEvent,
    InteractionStatus,
    NewInteraction,
    Step,
    StepBegun,
    StepEvent,
    ToolAnswered,
    calls_of,
    steps_of,
    turns_of_step,
)
from geminid.core.money import Nano
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.service.generate import Generation, Generator
from geminid.service.interaction_log import EventLog
from geminid.service.interaction_tools import ServerTools
from geminid.service.meter import Charge

TOO_MANY_CALLS = "This function may not be called any more for this answer."

KeepEnd = Callable[["Work", Interaction], Awaitable[None]]
"""Keeps an interaction that has ended."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """How it is asked for, as in :meth:`Generator.generate`. deadline_ms: for all steps together."""

    deadline_ms: int | None = None
    own_deadline: bool = False
    request_id: str = ""
    traceparent: str = ""
    whole: bool = False


class Work:
    """Answers one interaction, once. Used by one task; told to stop by any.

    interaction: as it is now. log: what was told. added, deleted: it is kept, nobody wants it to be.
    produced: something of an answer was told. why: because of what it was stopped; problem: what it ended in,
    if that was one.
    """

    def __init__(
        self,
        generator: Generator,
        new: NewInteraction,
        caller: Caller,
        interaction: Interaction,
        *,
        keep_end: KeepEnd,
        now_ms: Callable[[], int],
        tools: ServerTools | None = None,
        clock: clock.Clock = clock.monotonic,
    ) -> None:
        self.new = new
        self.caller = caller
        self.interaction = interaction
        self.tools = tools
        self.log = EventLog()
        self.accepted = asyncio.Event()
        self.deleted = False
        self.added = False
        self.produced = False
        self.why: Problem | None = None
        self.problem: Problem | None = None
        self.on_produced: Callable[[Work], Awaitable[None]] | None = None
        self._generator = generator
        self._keep_end = keep_end
        self._now_ms = now_ms
        self._clock = clock
        self._stage = _Stage(self)
        self._asking = Asking()
        self._began_s = 0.0
        self._generation: Generation | None = None
        self._charges: list[Charge] = []
        self._cutoff: asyncio.Timeout | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._last: Finished | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Project and id."""
        return self.interaction.project, self.interaction.id

    @property
    def whole(self) -> bool:
        """Whether nothing of it leaves this process before its end."""
        return self._asking.whole

    @property
    def can_wait(self) -> bool:
        """Whether another process may begin it: nothing was told, and nothing is needed that only is here."""
        return not self.produced and self.tools is None

    @property
    def cost_nano(self) -> Nano | None:
        """What its steps cost, as far as each has a cost; None where none has."""
        known = [each.cost_nano for each in self._charges if each.cost_nano is not None]
        return sum(known) if known else None

    def so_far(self) -> Interaction:
        """Return the interaction with what was produced until now."""
        if self.interaction.ended:
            return self.interaction
        return msgspec.structs.replace(self.interaction, steps=steps_of(self.log.events))

    def stop(self, why: Problem | None = None) -> None:
        """Have it end as soon as may be: because the caller cancels it, or because of something else, and
        then the step that is cut off is not charged. One that has ended stays as it is."""
        if self.interaction.ended or self.why is not None:
            return
        self.why = why or Cancelled("The interaction was cancelled.")
        if self._cutoff is not None:
            self._cutoff.reschedule(asyncio.get_running_loop().time())

    # -- answering ---------------------------------------------------------------------------------

    @asynccontextmanager
    async def answering(
        self, asking: Asking, turn: AbstractAsyncContextManager[object] | None = None
    ) -> AsyncIterator[Generation]:
        """Begin the first step, and stop whatever runs when the context is left. turn: is waited for before.

        Raises what ``generate`` raises, and why it was stopped.
        """
        self._asking = asking
        try:
            if self.why is not None:
                raise self.why
            async with asyncio.timeout(None) as self._cutoff, turn or nullcontext(), self._stage:
                self._began_s = self._clock()
                yield await self._begin(self._request(()))
        except TimeoutError as error:
            if self.why is None:
                raise
            raise self.why from error
        finally:
            self._cutoff = None

    async def events(self) -> AsyncIterator[InteractionEvent]:
        """Yield what happens, from the first step that has begun to the end."""
        while True:
            async for event in self._of_step():
                yield event
            if self.interaction.ended:
                break
            await self._stage.leave()  # functions that run here need no place in the engine
            for call in self._own_calls(steps_of(self.log.events)):
                self.log.append(answered := ToolAnswered(await self._result(call)))
                yield answered
            steps = steps_of(self.log.events)
            if calls_of(steps):
                await self._end(steps)
                break
            if self._tokens_left(steps) == 0:
                await self._end((*steps[:-1], _cut_off(steps[-1])))
                break
            await self._begin(self._request(steps))
        yield self.log.close(self.interaction)

    def cut(self) -> tuple[Step, ...]:
        """Return the steps that there are when it is stopped or has failed, with the tokens that were charged
        for the last one where these are known. Whatever ran must have been left."""
        steps = steps_of(self.log.events)
        settling = self._charges[-1].settling if self._charges else None
        if not steps or settling is None or not settling.done() or settling.exception() is not None:
            return steps
        row = settling.result()
        if row is None or row.id != steps[-1].receipt:
            return steps
        return (*steps[:-1], _used(steps[-1], row.usage))

    def told(self) -> tuple[StepEvent, ...]:
        """Return what was told, and the last event of a step that is told once it is paid."""
        return (*self.log.events, *((self._last,) if self._last is not None else ()))

    async def kept(self) -> None:
        """Wait for its end that is being kept, if it is."""
        if self._keeping is not None:
            await asyncio.wait({self._keeping})

    # -- steps -------------------------------------------------------------------------------------

    async def _begin(self, request: GenerateRequest) -> Generation:
        asking, count = self._asking, len(self._charges)
        left_ms = asking.deadline_ms
        if left_ms is not None:
            left_ms = max(left_ms - round((self._clock() - self._began_s) * 1000), 1)
        generation = self._generation = await self._stage.enter(
            self._generator.generate(
                request,
                self.caller,
                deadline_ms=left_ms,
                own_deadline=asking.own_deadline,
                request_id=f"{asking.request_id}/{count}"
                if asking.request_id and count
                else asking.request_id,
                traceparent=asking.traceparent,
                whole=asking.whole,
                keep=self._keep,
            )
        )
        if generation.charge is not None:
            self._charges.append(generation.charge)
        if self.interaction.status == "queued":
            self.interaction = msgspec.structs.replace(self.interaction, status="in_progress")
        self.accepted.set()
        return generation

    async def _of_step(self) -> AsyncIterator[InteractionEvent]:
        assert self._generation is not None
        self.log.append(begun := StepBegun(self._generation.id))
        yield begun
        async for event in self._generation.events:
            if not self.produced and isinstance(event, ThoughtDelta | TextDelta | ToolCallMade):
                self.produced = True
                if self.on_produced is not None:
                    await self.on_produced(self)
            self._last = None
            self.log.append(event)
            if self.interaction.ended:
                self.log.close(self.interaction)
            yield event

    def _request(self, steps: tuple[Step, ...]) -> GenerateRequest:
        new, said = self.new, tuple(turn for step in steps for turn in turns_of_step(step))
        request = msgspec.structs.replace(new.request, turns=new.chain.turns + new.request.turns + said)
        if not steps:
            return request
        request = msgspec.structs.replace(request, tokens_max=self._tokens_left(steps))
        if self.tools is None or self._called(steps) >= self.tools.calls_max:
            return msgspec.structs.replace(request, call_mode="none")
        if request.call_mode == "any":  # it has called one; having to call again, it would never answer
            return msgspec.structs.replace(request, call_mode="auto")
        return request

    def _tokens_left(self, steps: Iterable[Step]) -> int | None:
        """Return how many tokens the next step may have: the caller's bound is one on all together."""
        most = self.new.request.tokens_max
        if most is None:
            return None
        used = [step.answer.usage for step in steps]
        return max(most - sum(usage.candidates + usage.thoughts for usage in used), 0)

    # -- functions that run here -------------------------------------------------------------------

    def _own_calls(self, steps: tuple[Step, ...]) -> tuple[ToolCall, ...]:
        """Return the calls of the last step that are this server's to answer and were not: none of a step
        that was told to call nothing."""
        if self.tools is None or self._called(steps[:-1]) >= self.tools.calls_max:
            return ()
        return tuple(call for call in calls_of(steps) if call.name in self.tools.names)

    def _called(self, steps: Iterable[Step]) -> int:
        return sum(len(step.results) for step in steps)

    async def _result(self, call: ToolCall) -> ToolResult:
        assert self.tools is not None
        if self._called(steps_of(self.log.events)) >= self.tools.calls_max:
            return ToolResult(call.name, {"error": TOO_MANY_CALLS}, call.id)
        return await self.tools.call(call, self.caller)

    # -- its end -----------------------------------------------------------------------------------

    async def _keep(self, finished: Finished) -> None:
        """Keep an answer that is whole, unless functions of this server go on from it."""
        charge = self._generation.charge if self._generation is not None else None
        if charge is not None and charge.admission is not None:
            await asyncio.shield(charge.admission)  # what is refused after all is not kept
        self._last = finished
        steps = steps_of(self.told())
        if finished.reason is not FinishReason.STOP or not self._own_calls(steps):
            await self._end(steps)

    async def _end(self, steps: tuple[Step, ...]) -> None:
        ended = msgspec.structs.replace(
            self.interaction, status=status_of(steps), steps=steps, updated_ms=self._now_ms()
        )
        self._keeping = asyncio.create_task(self._end_as(ended))
        await asyncio.shield(self._keeping)

    async def _end_as(self, ended: Interaction) -> None:
        await self._keep_end(self, ended)
        self.interaction = ended


class _Stage:
    """Holds the one request that is open now, so that whoever leaves it closes that with his reason.

    One that is stopped for something that is not the caller's doing ends as failed by it, and costs nothing.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._open: AbstractAsyncContextManager[Generation] | None = None

    async def enter(self, opened: AbstractAsyncContextManager[Generation]) -> Generation:
        """Open a request; the one before must have been left."""
        generation = await opened.__aenter__()
        self._open = opened
        return generation

    async def leave(self) -> None:
        """Close the request that is open, if one is."""
        await self.__aexit__(None, None, None)

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        opened, self._open = self._open, None
        if opened is None:
            return None
        why = self._work.why
        if isinstance(error, asyncio.CancelledError) and why is not None and not isinstance(why, Cancelled):
            try:
                await opened.__aexit__(type(why), why, why.__traceback__)
            except Problem as problem:
                if problem is not why:
                    raise
            return None
        return await opened.__aexit__(kind, error, trace)


def status_of(steps: tuple[Step, ...]) -> InteractionStatus:
    """Return how an interaction of these steps has ended."""
    if steps[-1].answer.candidates[0].reason is not FinishReason.STOP:
        return "incomplete"
    return "requires_action" if calls_of(steps) else "completed"


def _cut_off(step: Step) -> Step:
    """Return a step after which there was no room for another one."""
    (candidate,) = step.answer.candidates
    cut = msgspec.structs.replace(candidate, reason=FinishReason.MAX_TOKENS)
    return msgspec.structs.replace(step, answer=msgspec.structs.replace(step.answer, candidates=(cut,)))


def _used(step: Step, usage: Usage) -> Step:
    answer = msgspec.structs.replace(step.answer, usage=usage)
    return msgspec.structs.replace(step, answer=answer)
