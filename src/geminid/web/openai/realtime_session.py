"""One live session: what its client sends is done, one event after the other; answers are made beside.

It knows no key and no handshake. Invariants: whatever a client sends, the session ends only by its client,
its bounds or the server; when it ends, nothing of it goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from geminid.core.caller import Caller
from geminid.core.errors import Internal, Problem
from geminid.web.openai.realtime_answers import Answers, downgraded, read_calling
from geminid.web.openai.realtime_hearing import Hearings
from geminid.web.openai.realtime_line import Line, Means
from geminid.wire.openai import refused
from geminid.wire.openai.realtime import client_events as sent
from geminid.wire.openai.realtime.conversation import Conversation, Turn, Waiting
from geminid.wire.openai.realtime.events import Teller
from geminid.wire.openai.realtime.items import Kept, decoded
from geminid.wire.openai.realtime.session import Session, told, updated
from geminid.wire.openai.refused import Refused

LARGE_EVENT_CHARACTERS = 256 * 1024
LARGE_SOUND_BYTES = 64 * 1024
ONLY_TEXT = "Events are text frames of JSON; this one was binary."
NEVER_SPOKEN = "Only model output audio messages can be truncated, and this server answers in text."
NO_OUTPUT = "This server answers in text: there is no output audio."
NO_ANSWERS = "A transcription session does not answer."
TOO_OLD = "Your session hit the maximum duration of {} minutes."
TOO_QUIET = "Nothing was sent for {} minutes."
GOING_AWAY = 1001

log = logging.getLogger("geminid.web")


class _Over(Exception):
    """The session has reached one of its bounds."""


class LiveSession:
    """Runs one session on an accepted connection."""

    def __init__(self, websocket: WebSocket, session: Session, caller: Caller, means: Means) -> None:
        self._line = Line(websocket, Teller(means.new_id))
        self._session = session
        self._caller = caller
        self._means = means
        self._conversation = Conversation(means.bounds, means.new_id)
        self._waiting = Waiting(session.format, session.vad, means.new_id)
        self._hearings = Hearings(self._line, caller, means)
        self._answers = Answers(self._line, self._conversation, self._hearings, caller, means)
        self._ends_s = means.clock() + means.session_s

    async def run(self) -> None:
        """Serve the client until it leaves or a bound is reached."""
        try:
            await self._line.send("session.created", session=told(self._session))
            while True:
                await self._take(await self._next())
        except WebSocketDisconnect:
            return
        except _Over as over:
            await self._line.refuse(Refused(str(over), None, "session_expired"), None)
            await self._line.close(GOING_AWAY, str(over))
        finally:
            await self._answers.end()
            await self._hearings.end()

    async def _next(self) -> str | None:
        """Return the next event's text, None for what is none; raises when the session is over."""
        while True:
            left_s = self._ends_s - self._means.clock()
            try:
                async with asyncio.timeout(max(0.0, min(left_s, self._means.idle_s))):
                    return await self._line.receive()
            except TimeoutError:
                self._check_time(old=left_s <= self._means.idle_s)

    def _check_time(self, *, old: bool) -> None:
        """Raise where the session has lasted, or was silent, for too long; an answer is no silence. old: the
        time that was waited was what the session had left: clocks may differ by less than a millisecond."""
        if old or self._means.clock() >= self._ends_s:
            raise _Over(TOO_OLD.format(round(self._means.session_s / 60)))
        if not self._answers and not self._hearings:
            raise _Over(TOO_QUIET.format(round(self._means.idle_s / 60)))

    async def _take(self, text: str | None) -> None:
        event_id = None
        try:
            event = await _read(text)
            event_id = event.event_id
            await _HANDLERS[type(event)](self, event)
        except Problem as problem:
            await self._line.refuse(problem, event_id or sent.event_id_of(text or ""))
        except WebSocketDisconnect:
            raise
        except Exception:
            log.exception("an event of a live session failed")
            await self._line.refuse(Internal("Internal error encountered."), event_id)

    # -- the session -------------------------------------------------------------------------------

    async def _update(self, event: sent.SessionUpdate) -> None:
        changed = updated(self._session, event.session)
        calling = await read_calling(changed, "session", required=False)
        if changed.transcribing is not None:
            self._means.transcriptions.resolve(changed.transcribing.model)
            self._caller.require("transcribe", changed.transcribing.model)
        self._session = changed
        self._waiting.set(changed.format, changed.vad)
        await self._line.send("session.updated", session=told(changed), **downgraded(calling))

    # -- items -------------------------------------------------------------------------------------

    async def _create_item(self, event: sent.ItemCreate) -> None:
        kept = self._conversation.read(event.item, self._session.format)
        await self._tell_item(kept, self._conversation.put(kept, event.previous_item_id))

    async def _tell_item(self, kept: Kept, previous: str | None) -> None:
        for kind in ("conversation.item.added", "conversation.item.done"):
            await self._line.send(kind, previous_item_id=previous, item=kept.item)

    async def _retrieve_item(self, event: sent.ItemRetrieve) -> None:
        item = self._conversation.find(event.item_id).whole()
        await self._line.send("conversation.item.retrieved", item=item)

    async def _delete_item(self, event: sent.ItemDelete) -> None:
        self._conversation.drop(event.item_id)
        await self._line.send("conversation.item.deleted", item_id=event.item_id)

    async def _truncate_item(self, event: sent.ItemTruncate) -> None:
        self._conversation.find(event.item_id)
        raise Refused(NEVER_SPOKEN, "item_id", refused.INVALID_VALUE)

    # -- sound -------------------------------------------------------------------------------------

    async def _append(self, event: sent.AudioAppend) -> None:
        data = decoded(event.audio, "audio")
        self._conversation.check_room(len(self._waiting) + len(data))
        found = self._waiting.append(data)
        for turn in await asyncio.to_thread(list, found) if len(data) > LARGE_SOUND_BYTES else list(found):
            await (self._began(turn) if turn.kept is None else self._ended(turn, turn.kept))

    async def _began(self, turn: Turn) -> None:
        vad = self._session.vad
        if vad is not None and vad.interrupt_response:
            self._answers.interrupt()
        about = {"audio_start_ms": turn.at_ms, "item_id": turn.item_id}
        await self._line.send("input_audio_buffer.speech_started", **about)

    async def _ended(self, turn: Turn, kept: Kept) -> None:
        about = {"audio_end_ms": turn.at_ms, "item_id": turn.item_id}
        await self._line.send("input_audio_buffer.speech_stopped", **about)
        await self._committed(kept)
        vad = self._session.vad
        if vad is not None and vad.create_response and self._session.kind == "realtime":
            await self._answers.begin(self._session, None)

    async def _commit(self, event: sent.AudioCommit) -> None:
        await self._committed(self._waiting.commit())

    async def _committed(self, kept: Kept) -> None:
        previous = self._conversation.put(kept)
        about = {"item_id": kept.item.id, "previous_item_id": previous}
        await self._line.send("input_audio_buffer.committed", **about)
        await self._tell_item(kept, previous)
        if self._session.transcribing is not None:
            await self._hearings.start(kept, self._session.transcribing)

    async def _clear(self, event: sent.AudioClear) -> None:
        self._waiting.clear()
        await self._line.send("input_audio_buffer.cleared")

    async def _clear_output(self, event: sent.OutputClear) -> None:
        raise Refused(NO_OUTPUT, "type", refused.UNSUPPORTED_VALUE)

    # -- answers -----------------------------------------------------------------------------------

    async def _create(self, event: sent.ResponseCreate) -> None:
        if self._session.kind != "realtime":
            raise Refused(NO_ANSWERS, "type", refused.INVALID_VALUE)
        await self._answers.begin(self._session, event.response)

    async def _cancel(self, event: sent.ResponseCancel) -> None:
        self._answers.cancel(event.response_id)


async def _read(text: str | None) -> sent.AnyEvent:
    """Return an event; one that may take long in a thread, so that the other sessions go on."""
    if text is None:
        raise Refused(ONLY_TEXT)
    if len(text) > LARGE_EVENT_CHARACTERS:
        return await asyncio.to_thread(sent.read_event, text)
    return sent.read_event(text)


_HANDLERS: dict[type[sent.ClientEvent], Callable[[LiveSession, Any], Awaitable[None]]] = {
    sent.SessionUpdate: LiveSession._update,
    sent.AudioAppend: LiveSession._append,
    sent.AudioCommit: LiveSession._commit,
    sent.AudioClear: LiveSession._clear,
    sent.OutputClear: LiveSession._clear_output,
    sent.ItemCreate: LiveSession._create_item,
    sent.ItemRetrieve: LiveSession._retrieve_item,
    sent.ItemDelete: LiveSession._delete_item,
    sent.ItemTruncate: LiveSession._truncate_item,
    sent.ResponseCreate: LiveSession._create,
    sent.ResponseCancel: LiveSession._cancel,
}
