"""Google's routes: models, generateContent, streamGenerateContent, countTokens.

Handlers are thin: read with the wire, ask the service, write with the wire. The same tree stands
under every version of the API. Errors before the first byte carry their HTTP status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from geminid.catalog.manners import manner_of
from geminid.config import ServerConfig
from geminid.core.errors import InvalidArgument, Problem, UnknownModel
from geminid.core.events import fold
from geminid.service.generate import Generation, Generator
from geminid.service.signatures import Signer
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.replies import VARY, refusal, reply
from geminid.web.stream import ClientGone, Streaming, send_stream, while_listening
from geminid.wire.gemini import count, errors, generate, models
from geminid.wire.gemini.generate import Reading, ReadRequest, Telling
from geminid.wire.sse import ArrayFraming, SseFraming

VERSIONS = ("v1beta", "v1", "v1alpha")
DOUBLED = tuple(f"{version}/{version}" for version in VERSIONS)
"""Some clients add the version to a base URL that has it already."""

CLIENT_CLOSED_REQUEST = 499
LARGE_BODY_BYTES = 256 * 1024
SCHEMA_BODY_BYTES = 2 * 1024
"""A schema of more than this may take a tenth of a second to turn into a grammar, once."""
TIER_HEADER = "x-gemini-service-tier"
DOWNGRADE_HEADER = "x-geminid-downgraded"
FOLDED_HEADER = "x-geminid-folded"


class Call(NamedTuple):
    """One request to a model's verb, its body read."""

    request: Request
    receive: Receive
    send: Send
    model: str
    version: str
    body: bytes
    deadline_ms: int


Verb = Callable[["GeminiApi", Call], Awaitable[None]]


class GeminiApi:
    """The routes of one server."""

    def __init__(self, generator: Generator, signer: Signer, config: ServerConfig) -> None:
        self._generator = generator
        self._signer = signer
        self._config = config
        self._doorkeeper = Doorkeeper(config.keys)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route tree, once for each version."""
        return [
            route
            for prefix in (*VERSIONS, *DOUBLED)
            for version in prefix.split("/")[:1]
            for route in (
                Route(f"/{prefix}/models", partial(self._list, version), methods=["GET"]),
                Route(f"/{prefix}/models/{{name}}", partial(self._get, version), methods=["GET"]),
                Route(
                    f"/{prefix}/models/{{target}}", _Endpoint(partial(self._post, version)), methods=["POST"]
                ),
            )
        ]

    # -- models ------------------------------------------------------------------------------------

    async def _list(self, version: str, request: Request) -> Response:
        try:
            self._doorkeeper.admit(request)
            size, offset = models.read_page(
                request.query_params.get("pageSize"), request.query_params.get("pageToken")
            )
        except Problem as problem:
            return refusal(problem, "listModels", version)
        names = self._generator.served.names()
        more = models.write_page_token(offset + size) if offset + size < len(names) else None
        return reply(models.write_list(names[offset : offset + size], more))

    async def _get(self, version: str, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            self._doorkeeper.admit(request)
            return reply(models.write_model(self._generator.served.resolve(name), name))
        except Problem as problem:
            return refusal(problem, "getModel", version)

    # -- verbs -------------------------------------------------------------------------------------

    async def _post(self, version: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        model, _, verb = request.path_params["target"].rpartition(":")
        streamed_list = verb == "streamGenerateContent" and request.query_params.get("alt") != "sse"
        try:
            self._doorkeeper.admit(request)
            if verb not in VERBS:
                raise UnknownModel(model or verb)
            body = await read_body(request, self._config.body_bytes_max)
            deadline_ms = self._deadline_ms(request)
            await VERBS[verb](self, Call(request, receive, send, model, version, body, deadline_ms))
        except ClientGone:
            await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        except Problem as problem:
            await refusal(problem, verb, version, in_list=streamed_list)(scope, receive, send)

    async def _generate(self, call: Call) -> None:
        read = await self._read(generate.read_request, call)
        opened = self._generator.generate(read.request, deadline_ms=call.deadline_ms)

        async def answered() -> Response:
            async with opened as generation:
                answer = await fold(generation.events)
                sign, telling = partial(self._signer.sign, generation.id), _telling(read, generation)
                body = generate.write_answer(answer, generation.card.name, generation.id, telling, sign)
                return reply(body, _headers(read, generation))

        response = await while_listening(call.receive, answered())
        await response(call.request.scope, call.receive, call.send)

    async def _stream(self, call: Call) -> None:
        read = await self._read(generate.read_request, call)
        opened = self._generator.generate(read.request, deadline_ms=call.deadline_ms)
        framing = SseFraming() if call.request.query_params.get("alt") == "sse" else ArrayFraming()

        def writer(generation: Generation) -> Callable[..., bytes | None]:
            sign = partial(self._signer.sign, generation.id)
            candidates = read.request.candidates
            return generate.ChunkWriter(
                generation.card.name, generation.id, candidates, _telling(read, generation), sign
            ).write

        streaming = Streaming(framing, writer, errors.write_error_event, partial(_headers, read))
        await send_stream(opened, streaming, call.receive, call.send)

    async def _count(self, call: Call) -> None:
        read = await self._read(count.read_request, call, counting=True)
        work = self._generator.count(read.request, deadline_ms=call.deadline_ms)
        usage = await while_listening(call.receive, work)
        await reply(count.write_answer(usage))(call.request.scope, call.receive, call.send)

    async def _read(
        self, read_request: Callable[..., ReadRequest], call: Call, *, counting: bool = False
    ) -> ReadRequest:
        """Read a body; one that may take long in a thread, so that the other answers go on."""
        read = partial(read_request, call.body, call.model, self._reading(call.model, counting))
        slow = len(call.body) > (SCHEMA_BODY_BYTES if b"chema" in call.body else LARGE_BODY_BYTES)
        return await asyncio.to_thread(read) if slow else read()

    def _reading(self, model: str, counting: bool) -> Reading:
        """Return how a body is read; what is only counted may be a slice of a history, unsigned."""
        manner = manner_of(model)
        if counting or self._config.signatures == "accept":
            manner = msgspec.structs.replace(manner, signatures_checked=False)
        return Reading(strict=self._config.strict, manner=manner, genuine=self._signer.genuine)

    def _deadline_ms(self, request: Request) -> int:
        asked = request.headers.get("x-server-timeout")
        if asked is None:
            return self._config.request_ms_max
        try:
            seconds = float(asked)
        except ValueError:
            seconds = -1
        if not 0 < seconds < float("inf"):
            raise InvalidArgument(f"X-Server-Timeout must be a positive number of seconds, not {asked!r}.")
        return min(int(seconds * 1000), self._config.request_ms_max)


VERBS: dict[str, Verb] = {
    "generateContent": GeminiApi._generate,
    "streamGenerateContent": GeminiApi._stream,
    "countTokens": GeminiApi._count,
}


class _Endpoint:
    """Marks a plain ASGI callable: Starlette hands functions a request object instead."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _headers(read: ReadRequest, generation: Generation) -> tuple[tuple[str, str], ...]:
    named = [(TIER_HEADER, read.request.tier), VARY]
    if read.downgrades:
        named.append((DOWNGRADE_HEADER, ", ".join(read.downgrades)))
    if (folded := generation.folded) is not None:
        figures = f"characters={folded.characters_before}; kept={folded.characters_kept}"
        named.append((FOLDED_HEADER, figures))
    return tuple(named)


def _telling(read: ReadRequest, generation: Generation) -> Telling:
    if (folded := generation.folded) is None:
        return read.telling
    left_out = folded.characters_before - folded.characters_kept
    return msgspec.structs.replace(read.telling, characters_folded=left_out)
