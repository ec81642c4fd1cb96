"""The answers of one live session: made beside it, one at a time.

Each is one request of :class:`~geminid.service.generate.Generator`, with its limits, hold and bill. It knows
no reading. Invariant: an answer that was begun ends in ``response.done``, unless the session ends first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from geminid.catalog.manners import manner_of
from geminid.core.caller import Caller
from geminid.core.errors import InputTooLong, Internal, Problem
from geminid.core.events import usage_of
from geminid.core.usage import Usage
from geminid.service.generate import Generation
from geminid.web.openai.realtime_hearing import Hearings
from geminid.web.openai.realtime_line import Line, Means
from geminid.wire.openai.realtime import events
from geminid.wire.openai.realtime.conversation import Conversation
from geminid.wire.openai.realtime.events import DOWNGRADED, Ending, ResponseWriter
from geminid.wire.openai.realtime.items import Kept
from geminid.wire.openai.realtime.prompt import Asked, Calling, asked, calling_of, request_of, shortened
from geminid.wire.openai.realtime.schema import ResponseOptions
from geminid.wire.openai.realtime.session import Session
from geminid.wire.openai.refused import Refused

ACTIVE = (
    "Conversation already has an active response in progress: {}. Wait until the response is finished before "
    "creating a new one."
)
NOT_ACTIVE = "Cancellation failed: no active response found"

log = logging.getLogger("geminid.web")


class _Active:
    """The answer that is being made. ``reason`` says why it was taken back, if it was."""

    def __init__(self, writer: ResponseWriter) -> None:
        self.writer = writer
        self.work: asyncio.Task[Ending] | None = None
        self.task: asyncio.Task[None] | None = None
        self.generation: Generation | None = None
        self.read = Usage()
        self.reason = ""

    def cancel(self, reason: str) -> None:
        if not self.reason and self.work is not None and not self.work.done():
            self.reason = reason
            self.work.cancel()

    def usage(self) -> Usage | None:
        """Return what was used: as it was charged, which may be more than was read."""
        if self.generation is None:
            return None
        charge = self.generation.charge
        settling = charge.settling if charge is not None else None
        if settling is None or not settling.done() or settling.cancelled() or settling.exception():
            return self.read
        row = settling.result()
        return row.usage if row is not None else self.read


class Answers:
    """Makes the answers of one session."""

    def __init__(
        self, line: Line, conversation: Conversation, hearings: Hearings, caller: Caller, means: Means
    ) -> None:
        self._line = line
        self._conversation = conversation
        self._conversation_id = means.new_id("conv")
        self._hearings = hearings
        self._caller = caller
        self._means = means
        self._active: _Active | None = None

    def __bool__(self) -> bool:
        return self._active is not None

    async def begin(self, session: Session, options: ResponseOptions | None) -> None:
        """Begin an answer; raises ``Problem`` for wishes that cannot be met, or while there is another."""
        if self._active is not None and self._active.reason and self._active.task is not None:
            await asyncio.wait({self._active.task})  # it ends at once
        if self._active is not None:
            running = self._active.writer.response.id
            raise Refused(ACTIVE.format(running), None, "conversation_already_has_active_response")
        wanted = asked(session, self._conversation, options)
        calling = await read_calling(wanted.session, "response")
        self._caller.require("generate", wanted.session.model)
        active = self._active = _Active(self._writer(wanted))
        await self._line.send_text(active.writer.begin(**downgraded(calling)))
        active.work = asyncio.create_task(self._generate(active, wanted, calling))
        active.task = asyncio.create_task(self._answer(active))

    def cancel(self, response_id: str | None) -> None:
        """Take the answer back that is being made; raises :class:`Refused` where there is none."""
        active = self._active
        if active is None or (response_id is not None and response_id != active.writer.response.id):
            raise Refused(NOT_ACTIVE, None, "response_cancel_not_active")
        active.cancel("client_cancelled")

    def interrupt(self) -> None:
        """Take back the answer that is being made, if there is one, for somebody speaks."""
        if self._active is not None:
            self._active.cancel("turn_detected")

    async def end(self) -> None:
        """Give up the answer that is being made."""
        active = self._active
        if active is None:
            return
        tasks = [task for task in (active.task, active.work) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _writer(self, wanted: Asked) -> ResponseWriter:
        response = events.response_of(
            self._means.new_id("resp"),
            self._conversation_id if wanted.joins else None,
            wanted.session.tokens_max,
            wanted.metadata,
        )
        put = self._conversation.put if wanted.joins else None
        return ResponseWriter(response, self._line.teller, self._means.new_id, put)

    async def _answer(self, active: _Active) -> None:
        """See an answer to its end, and tell how it ended."""
        assert active.work is not None
        try:
            ending = await active.work
        except asyncio.CancelledError:
            if not active.reason:
                raise  # the session is over
            ending = events.cancelled(active.reason)
        except Problem as problem:
            ending = events.failed(problem)
        except Exception:
            log.exception("an answer of a live session failed")
            ending = events.failed(Internal("Internal error encountered."))
        *texts, last = active.writer.end(ending, active.usage())
        for text in texts:
            await self._line.tell_text(text)
        self._active = None  # whoever reads the last event may ask for the next answer
        await self._line.tell_text(last)

    async def _generate(self, active: _Active, wanted: Asked, calling: Calling) -> Ending:
        await self._hearings.wait()
        items: Sequence[Kept] = wanted.items
        while True:
            try:
                return await self._generated(active, wanted, items, calling)
            except InputTooLong as problem:
                shorter = shortened(items, wanted.session, problem)
                if shorter is None:
                    raise
                items = shorter

    async def _generated(
        self, active: _Active, wanted: Asked, items: Sequence[Kept], calling: Calling
    ) -> Ending:
        request = request_of(wanted, items, calling, manner_of)
        opened = self._means.generator.generate(request, self._caller, deadline_ms=self._means.request_ms_max)
        async with opened as generation:
            active.generation = generation
            await self._tell_limits(generation)
            async for event in generation.events:
                active.read += usage_of(event)
                for text in active.writer.write(event):
                    await self._line.tell_text(text)
        assert active.writer.ending is not None
        return active.writer.ending

    async def _tell_limits(self, generation: Generation) -> None:
        charge = generation.charge
        if charge is None or charge.admission is None or not charge.admission.done():
            return
        limits = charge.admission.result().standing.limits_of(charge.asked.model)
        if known := events.limits_told(limits.rpm, limits.tpm):
            await self._line.tell("rate_limits.updated", rate_limits=known)


async def read_calling(session: Session, path: str, *, required: bool = True) -> Calling:
    """Return what may be called; in a thread where schemas become grammars."""
    if not session.tools:
        return calling_of((), session.tool_choice, path, required=required)
    return await asyncio.to_thread(calling_of, session.tools, session.tool_choice, path, required=required)


def downgraded(calling: Calling) -> dict[str, Any]:
    """Return what an event says of what is enforced loosely."""
    return {DOWNGRADED: calling.downgrades} if calling.downgrades else {}
