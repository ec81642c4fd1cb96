"""OpenAI's routes: chat completions and models, at ``/v1`` and at ``/v1beta/openai``.

Handlers are thin: read with the wire, ask the service, write with the wire. Errors before the first byte
carry their HTTP status.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from geminid.catalog.manners import manner_of
from geminid.config import ServerConfig
from geminid.core import clock, ids
from geminid.core.caller import Caller
from geminid.core.errors import Problem
from geminid.core.events import Event, fold
from geminid.service.generate import Generation, Generator
from geminid.service.signatures import Signer
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.endpoint import Endpoint
from geminid.web.gemini import CLIENT_CLOSED_REQUEST, LARGE_BODY_BYTES, REQUEST_HEADER, SCHEMA_BODY_BYTES
from geminid.web.openai.replies import Told, headers_of, refusal, reply, unknown_url, write_problem
from geminid.web.openai.sharing import SharedRoute
from geminid.web.stream import ClientGone, Streaming, send_stream, while_listening
from geminid.web.told import request_name
from geminid.wire.openai import answers, chat, models
from geminid.wire.openai.chat import ReadChat, Reading
from geminid.wire.openai.chunks import ChatFraming, ChunkWriter
from geminid.wire.openai.surfaces import GOOGLE, OPENAI, SURFACES, Surface

IDEMPOTENCY_HEADER = "idempotency-key"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Call(NamedTuple):
    """One request, read, and what every answer to it tells."""

    request: Request
    receive: Receive
    send: Send
    surface: Surface
    read: ReadChat
    caller: Caller
    told: Told


class OpenAiApi:
    """The routes of one server. now_s: seconds since 1970, which every answer tells."""

    def __init__(
        self,
        generator: Generator,
        signer: Signer,
        doorkeeper: Doorkeeper,
        config: ServerConfig,
        *,
        now_s: Callable[[], float] = time.time,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self._generator = generator
        self._signer = signer
        self._doorkeeper = doorkeeper
        self._config = config
        self._now_s = now_s
        self._clock = clock
        self._new_id = new_id
        self._since_s = int(now_s())

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes; they go before Google's, which has some of the same paths."""
        return [route for surface in SURFACES for route in self._routes(surface)]

    def late_routes(self) -> Sequence[BaseRoute]:
        """Return what answers where there is nothing; it goes behind all other routes."""
        return [
            Route(f"{GOOGLE.prefix}/{{rest:path}}", partial(self._nothing, GOOGLE), methods=METHODS),
            SharedRoute(f"{OPENAI.prefix}/{{rest:path}}", partial(self._nothing, OPENAI), methods=METHODS),
        ]

    def _routes(self, surface: Surface) -> list[BaseRoute]:
        kind = SharedRoute if surface is OPENAI else Route
        prefix = surface.prefix
        return [
            Route(f"{prefix}/chat/completions", Endpoint(partial(self._chat, surface)), methods=["POST"]),
            kind(f"{prefix}/models", partial(self._list, surface), methods=["GET"]),
            kind(f"{prefix}/models/{{name:path}}", partial(self._get, surface), methods=["GET"]),
        ]

    # -- models ------------------------------------------------------------------------------------

    async def _list(self, surface: Surface, request: Request) -> Response:
        told = self._told()
        try:
            await self._doorkeeper.admit(request, "models")
        except Problem as problem:
            return refusal(problem, surface, told, "listModels")
        names = [name for name, _ in self._generator.served.names()]
        return reply(models.write_list(names, surface, self._since_s), told.headers())

    async def _get(self, surface: Surface, request: Request) -> Response:
        told, name = self._told(), request.path_params["name"].removeprefix(chat.PREFIX)
        try:
            await self._doorkeeper.admit(request, "models", name)
            self._generator.served.resolve(name)
        except Problem as problem:
            return refusal(problem, surface, told, "getModel")
        return reply(models.write_model(name, surface, self._since_s), told.headers())

    async def _nothing(self, surface: Surface, request: Request) -> Response:
        return unknown_url(request.method, request.url.path, surface, self._told())

    # -- chat completions --------------------------------------------------------------------------

    async def _chat(self, surface: Surface, scope: Scope, receive: Receive, send: Send) -> None:
        request, told = Request(scope, receive), self._told()
        try:
            caller = await self._doorkeeper.admit(request, "generate", fresh=False)
            body = await read_body(request, self._config.body_bytes_max)
            read = await self._read(body, surface)
            caller.require("generate", read.request.model)
            call = Call(request, receive, send, surface, read, caller, told)
            await (self._stream(call) if read.stream else self._answer(call))
        except ClientGone:
            await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        except Problem as problem:
            await refusal(problem, surface, told, "generateContent")(scope, receive, send)

    async def _answer(self, call: Call) -> None:
        opened = self._opened(call, whole=True)

        async def answered() -> Response:
            async with opened as generation:
                answer = await fold(generation.events)
                heading, telling = self._heading(call, generation), call.read.telling
                body = answers.write_answer(answer, heading, telling, self._sign(call, generation))
                return reply(body, headers_of(call.read, generation, call.told))

        response = await while_listening(call.receive, answered())
        await response(call.request.scope, call.receive, call.send)

    async def _stream(self, call: Call) -> None:
        framing = ChatFraming()

        def writer(generation: Generation) -> Callable[[Event], bytes | None]:
            chunks = ChunkWriter(
                self._heading(call, generation),
                call.read.telling,
                call.read.request.candidates,
                self._sign(call, generation),
            )
            framing.closing = chunks.write_usage
            return chunks.write

        def failed(problem: Problem) -> bytes:
            framing.failed = True
            return write_problem(problem, call.surface)

        def headers(generation: Generation) -> tuple[tuple[str, str], ...]:
            return tuple(headers_of(call.read, generation, call.told))

        streaming = Streaming(framing, writer, failed, headers)
        await send_stream(self._opened(call), streaming, call.receive, call.send)

    def _opened(self, call: Call, *, whole: bool = False) -> AbstractAsyncContextManager[Generation]:
        headers = call.request.headers
        name = request_name(headers.get(REQUEST_HEADER, "")) or request_name(
            headers.get(IDEMPOTENCY_HEADER, ""), IDEMPOTENCY_HEADER
        )
        return self._generator.generate(
            call.read.request,
            call.caller,
            deadline_ms=self._config.request_ms_max,
            request_id=name,
            whole=whole,
            traceparent=headers.get("traceparent", ""),
        )

    def _heading(self, call: Call, generation: Generation) -> answers.Heading:
        created_s = int(self._now_s())
        return answers.heading_of(call.surface, generation.card, generation.id, created_s, call.read.telling)

    def _sign(self, call: Call, generation: Generation) -> answers.Sign | None:
        return partial(self._signer.sign, generation.id) if call.surface.signatures else None

    async def _read(self, body: bytes, surface: Surface) -> ReadChat:
        """Read a body; one that may take long in a thread, so that the other answers go on."""
        genuine = self._signer.genuine if self._config.signatures == "check" else None
        reading = Reading(surface=surface, strict=self._config.strict, manner_of=manner_of, genuine=genuine)
        slow = len(body) > (SCHEMA_BODY_BYTES if b"chema" in body or b'"tools"' in body else LARGE_BODY_BYTES)
        read = partial(chat.read_request, body, reading)
        return await asyncio.to_thread(read) if slow else read()

    def _told(self) -> Told:
        return Told(self._new_id(), self._clock(), self._clock)
