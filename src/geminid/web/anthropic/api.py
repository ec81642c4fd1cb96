"""Anthropic's routes: messages, counts of their tokens, and models.

Handlers are thin: read with the wire, ask the service, write with the wire. ``/v1/models`` is shared with
other wires: it is Anthropic's for whoever sends ``anthropic-version``, as all of its clients do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from geminid.catalog.manners import manner_of
from geminid.config import ServerConfig
from geminid.core import ids
from geminid.core.caller import Caller
from geminid.core.errors import InvalidArgument, NotFound, Problem
from geminid.core.events import Event, fold
from geminid.service.generate import Generation, Generator
from geminid.service.signatures import Signer
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.endpoint import Endpoint
from geminid.web.gemini import CLIENT_CLOSED_REQUEST, LARGE_BODY_BYTES, REQUEST_HEADER, SCHEMA_BODY_BYTES
from geminid.web.stream import ClientGone, Streaming, send_stream, while_listening
from geminid.web.told import request_name, told
from geminid.wire.anthropic import answers, errors, messages, models
from geminid.wire.anthropic.messages import FIRST_VERSION, SECOND_VERSION, Reading, ReadMessages

VERSION_HEADER = "anthropic-version"
VERSIONS = (FIRST_VERSION, SECOND_VERSION)
IDEMPOTENCY_HEADER = "idempotency-key"
JSON = "application/json"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

Handler = Callable[["Call"], Awaitable[Response | None]]
"""Returns the answer, or None where it was sent as a stream."""


class Call(NamedTuple):
    """One request, and the id that every answer to it tells."""

    request: Request
    receive: Receive
    send: Send
    id: str

    def reply(self, body: bytes, headers: Sequence[tuple[str, str]] = (), status: int = 200) -> Response:
        """Return a whole answer."""
        return Response(body, status, dict([("request-id", self.id), *headers]), JSON)


class AnthropicApi:
    """The routes of one server. now_s: seconds since 1970."""

    def __init__(
        self,
        generator: Generator,
        signer: Signer,
        doorkeeper: Doorkeeper,
        config: ServerConfig,
        *,
        now_s: Callable[[], float] = time.time,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self._generator = generator
        self._signer = signer
        self._doorkeeper = doorkeeper
        self._config = config
        self._new_id = new_id
        self._since_s = now_s()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes; they go before those of wires that have some of the same paths."""
        return [
            Route("/v1/messages", self._endpoint(self._answer), methods=["POST"]),
            Route("/v1/messages/count_tokens", self._endpoint(self._count), methods=["POST"]),
            _VersionedRoute("/v1/models", self._endpoint(self._list), methods=["GET"]),
            _VersionedRoute("/v1/models/{name}", self._endpoint(self._get), methods=["GET"]),
            _VersionedRoute("/v1/{rest:path}", self._endpoint(self._nothing), methods=METHODS),
        ]

    def _endpoint(self, handler: Handler) -> Endpoint:
        return Endpoint(partial(self._handle, handler))

    async def _handle(self, handler: Handler, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(Request(scope, receive), receive, send, f"req_{self._new_id()}")
        try:
            _check_version(call.request.headers.get(VERSION_HEADER, ""))
            response = await handler(call)
        except ClientGone:
            response = Response(status_code=CLIENT_CLOSED_REQUEST)
        except Problem as problem:
            status, body = errors.write_error(problem, call.id)
            response = call.reply(body, errors.headers_of(problem), status)
        if response is not None:
            await response(scope, receive, send)

    # -- messages ----------------------------------------------------------------------------------

    async def _answer(self, call: Call) -> Response | None:
        caller = await self._doorkeeper.admit(call.request, "generate", fresh=False)
        read = await self._read(messages.read_request, call)
        caller.require("generate", read.request.model)
        if read.stream:
            await self._stream(call, read, caller)
            return None
        return await while_listening(call.receive, self._whole(call, read, caller))

    async def _whole(self, call: Call, read: ReadMessages, caller: Caller) -> Response:
        async with self._opened(call, read, caller, whole=True) as generation:
            answer = await fold(generation.events)
            body = answers.write_answer(answer, self._heading(read, generation))
            return call.reply(body, _headers(read, generation))

    async def _stream(self, call: Call, read: ReadMessages, caller: Caller) -> None:
        def writer(generation: Generation) -> Callable[[Event], bytes | None]:
            return answers.EventWriter(self._heading(read, generation)).write

        def headers(generation: Generation) -> tuple[tuple[str, str], ...]:
            return (("request-id", call.id), *_headers(read, generation))

        failed = partial(errors.write_error_event, request_id=call.id)
        streaming = Streaming(answers.Framing(), writer, failed, headers)
        await send_stream(self._opened(call, read, caller), streaming, call.receive, call.send)

    async def _count(self, call: Call) -> Response:
        caller = await self._doorkeeper.admit(call.request, "count")
        read = await self._read(messages.read_count, call)
        caller.require("count", read.request.model)
        counting = self._generator.count(read.request, caller, deadline_ms=self._config.request_ms_max)
        counted = await while_listening(call.receive, counting)
        return call.reply(answers.write_count(counted.usage))

    def _opened(
        self, call: Call, read: ReadMessages, caller: Caller, *, whole: bool = False
    ) -> AbstractAsyncContextManager[Generation]:
        headers = call.request.headers
        name = request_name(headers.get(REQUEST_HEADER, "")) or request_name(
            headers.get(IDEMPOTENCY_HEADER, ""), IDEMPOTENCY_HEADER
        )
        return self._generator.generate(
            read.request,
            caller,
            deadline_ms=self._config.request_ms_max,
            request_id=name,
            whole=whole,
            traceparent=headers.get("traceparent", ""),
        )

    def _heading(self, read: ReadMessages, generation: Generation) -> answers.Heading:
        sign = partial(self._signer.sign, generation.id, 0)
        return answers.Heading(id=generation.id, model=generation.card.name, shows=read.shows, sign=sign)

    async def _read(self, read: Callable[[bytes, Reading], ReadMessages], call: Call) -> ReadMessages:
        """Read a body; one that may take long in a thread, so that the other answers go on."""
        body = await read_body(call.request, self._config.body_bytes_max)
        genuine = self._signer.genuine if self._config.signatures == "check" else None
        version, strict = call.request.headers[VERSION_HEADER], self._config.strict
        reading = partial(
            read, body, Reading(manner_of=manner_of, genuine=genuine, version=version, strict=strict)
        )
        slow = len(body) > (SCHEMA_BODY_BYTES if b"chema" in body or b'"tools"' in body else LARGE_BODY_BYTES)
        return await asyncio.to_thread(reading) if slow else reading()

    # -- models ------------------------------------------------------------------------------------

    async def _list(self, call: Call) -> Response:
        await self._doorkeeper.admit(call.request, "models")
        return call.reply(models.write_list(self._generator.served.names(), self._since_s))

    async def _get(self, call: Call) -> Response:
        name = call.request.path_params["name"]
        await self._doorkeeper.admit(call.request, "models", name)
        return call.reply(models.write_model(name, self._generator.served.resolve(name), self._since_s))

    async def _nothing(self, call: Call) -> Response:
        raise NotFound(f"There is no {call.request.method} {call.request.url.path} here.")


class _VersionedRoute(Route):
    """A route that is there for Anthropic's clients alone; others are looked for further on."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as a route does, if the request tells a version of Anthropic's API."""
        if scope["type"] == "http" and VERSION_HEADER not in Headers(scope=scope):
            return Match.NONE, {}
        return super().matches(scope)


def _check_version(said: str) -> None:
    if not said:
        raise InvalidArgument(errors.NO_VERSION)
    if said not in VERSIONS:
        raise InvalidArgument(f"{VERSION_HEADER}: this server speaks {', '.join(VERSIONS)}")


def _headers(read: ReadMessages, generation: Generation) -> list[tuple[str, str]]:
    """Return the headers of an answer; the limits of its project as far as they are known by then."""
    named = told(read.downgrades, generation)
    charge = generation.charge
    admission = charge.admission if charge is not None else None
    if charge is None or admission is None or not admission.done() or admission.exception() is not None:
        return named
    limits = admission.result().standing.limits_of(charge.asked.model)
    for kind, limit in (("requests", limits.rpm), ("tokens", limits.tpm)):
        if limit is not None:
            named.append((f"anthropic-ratelimit-{kind}-limit", str(limit)))
    return named
