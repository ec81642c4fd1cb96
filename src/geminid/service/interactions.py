"""The acts on interactions: answer one, go on from one, tell, follow, cancel, delete.

It knows no wire. How one is answered is :mod:`geminid.service.interaction_work`'s, how it runs although
nobody waits :mod:`geminid.service.interaction_background`'s, how it is kept
:mod:`geminid.service.interaction_shelf`'s. Invariants: what is told to have ended is in the database as it is
told, before it is told; one that is unknown, expired, deleted, another wire's or another project's is the
same ``UnknownInteraction``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from geminid.core import clock, ids
from geminid.core.caller import ANYBODY, Caller
from geminid.core.errors import (
    Cancelled,
    FailedPrecondition,
    NotCancellable,
    Problem,
    Unavailable,
    UnknownInteraction,
)
from geminid.core.interaction import (
    NO_CHAIN,
    Chain,
    Face,
    Interaction,
    InteractionEvent,
    NewInteraction,
)
from geminid.core.money import Nano
from geminid.core.request import GenerateRequest
from geminid.service.generate import Generation, Generator
from geminid.service.interaction_background import Background
from geminid.service.interaction_ending import Ends
from geminid.service.interaction_limits import InteractionLimits
from geminid.service.interaction_shelf import Left, Shelf
from geminid.service.interaction_told import told_again
from geminid.service.interaction_tools import ServerTools
from geminid.service.interaction_work import Asking, Work

__all__ = ["Interactions", "Running"]

LOOK_EVERY_S = 0.5
"""How often one that runs in another process is looked at by those who follow it."""
TRIES_MAX = 3
"""How many processes may begin one that never tells anything: it may be what ends them."""


class Running:
    """An interaction in the foreground, accepted: its events are to be read to the end."""

    def __init__(self, work: Work, generation: Generation) -> None:
        self._work = work
        self.generation = generation
        """Of the first step: its receipt, the card, how it was folded, its charge."""
        self.events: AsyncIterator[InteractionEvent] = work.events()
        """``StepBegun``, the events of the step, perhaps ``ToolAnswered`` and more steps, then ``Ended``.
        What goes wrong is raised, as from a :class:`Generation`."""

    @property
    def interaction(self) -> Interaction:
        """As it is now. After a ``Problem`` has left the context it has failed, and that is stored."""
        return self._work.interaction

    @property
    def cost_nano(self) -> Nano | None:
        """What all its steps cost; None while that is not known, or without a price."""
        return self._work.cost_nano

    async def finish(self) -> Interaction:
        """Read all events, and return the interaction as it ended."""
        async for _ in self.events:
            pass
        return self.interaction


class Interactions:
    """All interactions of one database, for one process. Used on one event loop only.

    Between :meth:`start` and :meth:`close`, those that another process has left are taken up, and what has
    expired is removed. new_id: the part of an id behind the prefix of its wire.
    """

    def __init__(
        self,
        generator: Generator,
        shelf: Shelf,
        limits: InteractionLimits,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.cache_id,
    ) -> None:
        self._generator = generator
        self._shelf = shelf
        self._limits = limits
        self._now_ms = now_ms
        self._clock = clock
        self._new_id = new_id
        self._working: dict[tuple[str, str], Work] = {}
        self._background = Background(shelf, limits, self._answer, self._take_up, now_ms)
        self._ends = Ends(shelf, now_ms, self._forget)

    # -- answering ---------------------------------------------------------------------------------

    @asynccontextmanager
    async def run(
        self,
        new: NewInteraction,
        caller: Caller = ANYBODY,
        *,
        tools: ServerTools | None = None,
        deadline_ms: int | None = None,
        own_deadline: bool = False,
        request_id: str = "",
        traceparent: str = "",
        whole: bool = False,
    ) -> AsyncIterator[Running]:
        """Answer in the foreground: whoever leaves the context ends it.

        Entering waits until the engine has accepted it and the meter admitted it, and raises what
        :meth:`Generator.generate` raises; then nothing is stored. Its end is stored before it is charged, and
        before ``Finished`` and ``Ended`` go out. Left early, it is stored as ``cancelled`` with what was
        produced, which is charged; failed, as ``failed``, and the step that failed is not charged. tools:
        what runs in this server. The rest is as in ``generate``.

        Where the operator keeps nothing, one that should be stored is answered and not stored:
        ``interaction.stored`` says so. Raises ``ResourceExhausted`` for a project whose interactions take up
        all its room, and ``FailedPrecondition`` for a chain that is too long.
        """
        work = await self._begun(new, caller, tools)
        asking = Asking(
            deadline_ms=deadline_ms,
            own_deadline=own_deadline,
            request_id=request_id,
            traceparent=traceparent,
            whole=whole,
        )
        async with self._ends.around(work), work.answering(asking) as generation:
            if work.interaction.stored:
                self._working[work.key] = work
            yield Running(work, generation)

    async def begin(
        self,
        new: NewInteraction,
        caller: Caller = ANYBODY,
        *,
        tools: ServerTools | None = None,
        request_id: str = "",
        traceparent: str = "",
    ) -> Interaction:
        """Answer in the background; return it as it is stored, ``queued``. :meth:`follow` tells the rest.

        Raises ``FailedPrecondition`` where nothing is kept, ``ResourceExhausted`` when too many of the
        project wait, and what a request is refused with at once (its model, its limits); then nothing is
        stored.
        """
        if not new.store or not self._limits.ttl_ms:
            raise FailedPrecondition("What runs in the background must be stored.")
        work = await self._begun(new, caller, tools)
        asking = Asking(deadline_ms=self._limits.run_ms, request_id=request_id, traceparent=traceparent)
        self._working[work.key] = work
        try:
            return await self._background.begin(work, asking)
        except BaseException:
            self._working.pop(work.key, None)
            raise

    async def chain(self, project: str, face: Face, interaction_id: str) -> Chain:
        """Return what was said up to and including an interaction, to be gone on from.

        Empty id: ``NO_CHAIN``. Calls and results in it have their ids, names and arguments, so that a wire
        can name the function of a result. Raises ``UnknownPrevious`` with the id that is missing: it, or one
        before it. Raises ``FailedPrecondition`` when it has not ended.
        """
        if not interaction_id:
            return NO_CHAIN
        if (work := self._here(project, face, interaction_id)) is not None and not work.interaction.ended:
            raise FailedPrecondition(f"Interaction {interaction_id} has not ended yet.")
        return await self._shelf.chain(project, face.wire, interaction_id, self._now_ms())

    # -- what is stored ----------------------------------------------------------------------------

    async def get(self, project: str, face: Face, interaction_id: str) -> Interaction:
        """Return an interaction, while it runs with what was produced so far; raises
        ``UnknownInteraction``."""
        if (work := self._here(project, face, interaction_id)) is not None:
            return work.so_far()
        return await self._shelf.get(project, face.wire, interaction_id, self._now_ms())

    async def follow(self, project: str, face: Face, interaction_id: str) -> AsyncIterator[InteractionEvent]:
        """Return all events of an interaction from the first on, as far as they exist, and then as they come.

        They are the same ones in the same order for everybody who follows, whenever he does (for one in the
        foreground only if it is ``resumable``): who resumes skips as many as he has seen. A failed one ends
        in ``Ended`` too. Leaving disturbs nobody. Raises ``UnknownInteraction`` before the first event.
        """
        if (work := self._here(project, face, interaction_id)) is not None:
            return work.log.read()
        interaction = await self.get(project, face, interaction_id)
        if interaction.ended:
            events = await self._shelf.events(interaction)
            return told_again(interaction, events)
        return self._from_afar(project, face, interaction_id)

    async def cancel(self, project: str, face: Face, interaction_id: str) -> Interaction:
        """Stop an interaction that is running and return it as it is then: with what was produced, which is
        charged. One that has ended in the background stays as it is.

        Raises ``UnknownInteraction``, and ``NotCancellable`` for one of the foreground that has ended.
        """
        work = self._here(project, face, interaction_id)
        if work is not None and not work.interaction.ended:
            work.stop()
            return await work.log.ended()
        interaction = await self.get(project, face, interaction_id)
        if not interaction.background:
            raise NotCancellable(interaction_id)
        if interaction.ended:
            return interaction
        return await self._background.cancel(interaction)

    async def delete(self, project: str, face: Face, interaction_id: str) -> None:
        """Remove an interaction with all that was said in it; one that runs is stopped before.

        Those that went on from it stay, but nobody can go on from them any more. Raises
        ``UnknownInteraction``.
        """
        if (work := self._here(project, face, interaction_id)) is not None:
            work.deleted = True
            work.stop()
            await work.log.ended()
            await self._shelf.remove(project, face.wire, interaction_id, self._now_ms())
            return
        if not await self._shelf.remove(project, face.wire, interaction_id, self._now_ms()):
            raise UnknownInteraction(interaction_id)

    async def start(self) -> None:
        """Take up what was left, and begin to sweep."""
        await self._background.start()

    async def close(self) -> None:
        """Let what runs in the background finish for a moment; leave what has told nothing yet to the next
        process, and end the rest as failed."""
        await self._background.close()

    # -- at work -----------------------------------------------------------------------------------

    async def _begun(self, new: NewInteraction, caller: Caller, tools: ServerTools | None) -> Work:
        assert new.request.candidates == 1
        now_ms, stored = self._now_ms(), new.store and bool(self._limits.ttl_ms)
        card = self._generator.served.resolve(new.request.model)
        if stored:
            await self._shelf.room(caller.project, now_ms)
        interaction = Interaction(
            id=new.face.id_prefix + self._new_id(),
            project=caller.project,
            wire=new.face.wire,
            model=card.name,
            asked=new.request.model,
            previous=new.chain.last,
            status="queued" if new.background else "in_progress",
            background=new.background,
            stored=stored,
            created_ms=now_ms,
            updated_ms=now_ms,
            expires_ms=now_ms + self._limits.ttl_ms,
            kept=new.kept,
            turns=new.request.turns,
        )
        return self._work(new, caller, interaction, tools)

    def _work(
        self, new: NewInteraction, caller: Caller, interaction: Interaction, tools: ServerTools | None = None
    ) -> Work:
        return Work(
            self._generator,
            new,
            caller,
            interaction,
            keep_end=self._ends.keep,
            now_ms=self._now_ms,
            tools=tools,
            clock=self._clock,
        )

    async def _answer(self, work: Work, asking: Asking, turn: AbstractAsyncContextManager[object]) -> None:
        """Answer one in the background when its turn has come."""
        async with self._ends.around(work), work.answering(asking, turn):
            async for _ in work.events():
                pass

    # -- of other processes ------------------------------------------------------------------------

    async def _take_up(self, left: Left) -> tuple[Work, Asking] | None:
        """Return the work of one that another process has left, or end it, where something of it was told."""
        interaction, waiting = left.interaction, left.waiting
        work = self._work(_nothing_new(interaction), ANYBODY, interaction)
        try:
            if left.cancelling:
                raise Cancelled("The interaction was cancelled.")
            if waiting is None or left.tries > TRIES_MAX:
                raise Unavailable("The server was stopped before this interaction had ended; run it again.")
            face = Face(interaction.wire, "")
            chain = await self.chain(interaction.project, face, interaction.previous)
        except Problem as problem:
            await self._ends.end(work, problem)
            return None
        new = NewInteraction(
            request=waiting.request,
            face=face,
            chain=chain,
            kept=interaction.kept,
            background=True,
            resumable=waiting.resumable,
        )
        work = self._work(new, waiting.caller, interaction)
        self._working[work.key] = work
        asking = Asking(
            deadline_ms=self._limits.run_ms,
            request_id=waiting.request_id,
            traceparent=waiting.traceparent,
        )
        return work, asking

    def _forget(self, work: Work) -> None:
        self._working.pop(work.key, None)

    def _here(self, project: str, face: Face, interaction_id: str) -> Work | None:
        work = self._working.get((project, interaction_id))
        return work if work is not None and work.interaction.wire == face.wire else None

    async def _from_afar(
        self, project: str, face: Face, interaction_id: str
    ) -> AsyncIterator[InteractionEvent]:
        """Wait until one that runs in another process has ended, and tell it then."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            interaction = await self.get(project, face, interaction_id)
            if interaction.ended:
                break
        async for event in told_again(interaction, await self._shelf.events(interaction)):
            yield event


def _nothing_new(interaction: Interaction) -> NewInteraction:
    """Return what stands in for the request of an interaction that is only to be ended."""
    request = GenerateRequest(model=interaction.asked, turns=interaction.turns)
    return NewInteraction(request=request, face=Face(interaction.wire, ""), background=True)
