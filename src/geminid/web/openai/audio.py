"""OpenAI's routes of sound: transcriptions and translations, whole and streamed.

The sound goes to the disk as it comes, is heard in a process of its own, and is gone with the answer. Errors
before the first byte carry their HTTP status; a stream that has begun ends in its text or in an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from geminid.config import ServerConfig
from geminid.core import clock, ids
from geminid.core.caller import Caller
from geminid.core.disk import disk
from geminid.core.errors import Problem
from geminid.core.speech import SpeechEvent, transcript_of
from geminid.service.transcribe import Hearing, Transcriptions, seconds_of
from geminid.web.auth import Doorkeeper
from geminid.web.endpoint import Endpoint
from geminid.web.gemini import (
    CLIENT_CLOSED_REQUEST,
    COST_HEADER,
    DOWNGRADE_HEADER,
    RECEIPT_HEADER,
    REQUEST_HEADER,
)
from geminid.web.openai.api import IDEMPOTENCY_HEADER
from geminid.web.openai.file_form import Incoming, read_form
from geminid.web.openai.replies import Told, limits_of, refusal, write_problem
from geminid.web.stream import ClientGone, Streaming, send_stream, while_listening
from geminid.web.told import request_name
from geminid.wire.openai.audio import Fields, ReadAudio, read_transcription, read_translation
from geminid.wire.openai.audio_answers import EventWriter, Sounding, write_transcript
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.surfaces import OPENAI
from geminid.wire.sse import SseFraming

FILE = "file"
METHOD = "transcribe"
WRITTEN_BYTES = 1024 * 1024

ReadFields = Callable[[Fields], ReadAudio]


class Call(NamedTuple):
    """One request, read: the sound lies at ``path``."""

    request: Request
    receive: Receive
    send: Send
    read: ReadAudio
    path: Path
    caller: Caller
    told: Told


class AudioApi:
    """The routes of one server. incoming: a folder for sounds on their way to be heard."""

    def __init__(
        self,
        transcriptions: Transcriptions,
        doorkeeper: Doorkeeper,
        config: ServerConfig,
        incoming: Path,
        *,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
        new_name: Callable[[], str] = ids.scratch_name,
    ) -> None:
        self._transcriptions = transcriptions
        self._doorkeeper = doorkeeper
        self._config = config
        self._incoming = incoming
        self._clock = clock
        self._new_id = new_id
        self._new_name = new_name

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes."""
        acts = {"transcriptions": read_transcription, "translations": read_translation}
        return [
            Route(f"{OPENAI.prefix}/audio/{name}", Endpoint(partial(self._post, read)), methods=["POST"])
            for name, read in acts.items()
        ]

    async def _post(self, read: ReadFields, scope: Scope, receive: Receive, send: Send) -> None:
        request, told = Request(scope, receive), Told(self._new_id(), self._clock(), self._clock)
        path = self._incoming / self._new_name()
        try:
            caller = await self._doorkeeper.admit(request, "transcribe", fresh=False)
            call = Call(request, receive, send, await self._read(request, read, path), path, caller, told)
            caller.require("transcribe", call.read.request.model)
            await (self._stream(call) if call.read.stream else while_listening(receive, self._answer(call)))
        except ClientGone:
            await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        except Problem as problem:
            await refusal(problem, OPENAI, told, METHOD)(scope, receive, send)
        finally:
            path.unlink(missing_ok=True)

    async def _read(self, request: Request, read: ReadFields, path: Path) -> ReadAudio:
        mime_type = ""

        async def take(incoming: Incoming) -> None:
            nonlocal mime_type
            mime_type = incoming.mime_type
            await _write(incoming.blocks, path, self._config.body_bytes_max)

        found = read(await read_form(request, FILE, take))
        asked = msgspec.structs.replace(found.request, mime_type=mime_type)
        return found._replace(request=asked)

    async def _answer(self, call: Call) -> None:
        async with self._opened(call) as hearing:
            transcript = await transcript_of(hearing.events)
            length_ms = hearing.listening.length_ms
            sounding = Sounding(length_ms, seconds_of(length_ms), hearing.usage())
            written = write_transcript(transcript, call.read, sounding)
            headers = _headers(call, hearing)
        response = Response(written.body, headers={**dict(headers), "content-type": written.mime_type})
        await response(call.request.scope, call.receive, call.send)

    async def _stream(self, call: Call) -> None:
        def writer(hearing: Hearing) -> Callable[[SpeechEvent], bytes | None]:
            length_ms = hearing.listening.length_ms
            return EventWriter(call.read, length_ms, seconds_of(length_ms), hearing.usage).write

        def failed(problem: Problem) -> bytes:
            return write_problem(problem, OPENAI)

        def headers(hearing: Hearing) -> tuple[tuple[str, str], ...]:
            return tuple(_headers(call, hearing))

        streaming = Streaming(SseFraming(), writer, failed, headers)
        await send_stream(self._opened(call), streaming, call.receive, call.send)

    def _opened(self, call: Call) -> AbstractAsyncContextManager[Hearing]:
        headers = call.request.headers
        name = request_name(headers.get(REQUEST_HEADER, "")) or request_name(
            headers.get(IDEMPOTENCY_HEADER, ""), IDEMPOTENCY_HEADER
        )
        return self._transcriptions.transcribe(
            call.read.request,
            call.path,
            call.caller,
            deadline_ms=self._config.request_ms_max,
            request_id=name,
            traceparent=headers.get("traceparent", ""),
        )


async def _write(blocks: AsyncIterator[bytes], path: Path, bytes_max: int) -> None:
    """Write a file as it comes, a piece at a time, in a thread."""
    size, waiting = 0, bytearray()
    with disk(), await asyncio.to_thread(path.open, "wb") as file:
        async for block in blocks:
            size, waiting = size + len(block), waiting + block
            if size > bytes_max:
                raise Refused(f"Maximum content size limit ({bytes_max}) exceeded.", FILE)
            if len(waiting) >= WRITTEN_BYTES:
                await asyncio.to_thread(file.write, waiting)
                waiting = bytearray()
        await asyncio.to_thread(file.write, waiting)


def _headers(call: Call, hearing: Hearing) -> list[tuple[str, str]]:
    named = [*call.told.headers(), *limits_of(hearing.charge)]
    if call.read.downgrades:
        named.append((DOWNGRADE_HEADER, ", ".join(call.read.downgrades)))
    if (charge := hearing.charge) is not None:
        named.append((RECEIPT_HEADER, charge.asked.receipt))
        if charge.cost_nano is not None:  # of a stream it is not known when the headers go out
            named.append((COST_HEADER, str(charge.cost_nano)))
    return named
