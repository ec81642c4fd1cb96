"""Google's routes: models, generateContent, streamGenerateContent, countTokens.

Handlers are thin: read with the wire, ask the service, write with the wire. The same tree stands
under every version of the API. Errors before the first byte carry their HTTP status.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from geminid.catalog.manners import manner_of
from geminid.config import ServerConfig
from geminid.core.caller import Caller, Verb
from geminid.core.errors import InvalidArgument, Problem, UnknownModel
from geminid.core.events import fold
from geminid.service.embed import Embeddings, counted_request
from geminid.service.generate import Counted, Generation, Generator
from geminid.service.signatures import Signer
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.endpoint import Endpoint
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
RECEIPT_HEADER = "x-geminid-receipt"
COST_HEADER = "x-geminid-cost-nano"
BOUND_HEADER = "x-geminid-cost-bound-nano"
REQUEST_HEADER = "x-geminid-request-id"
"""By which a client names its request, so that it is charged once however often it is sent."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII)


class Call(NamedTuple):
    """One request to a model's verb, its body read."""

    request: Request
    receive: Receive
    send: Send
    model: str
    version: str
    body: bytes
    deadline_ms: int
    own_deadline: bool
    caller: Caller


Answering = Callable[["GeminiApi", Call], Awaitable[None]]


class GeminiApi:
    """The routes of one server."""

    def __init__(
        self,
        generator: Generator,
        signer: Signer,
        doorkeeper: Doorkeeper,
        config: ServerConfig,
        embeddings: Embeddings | None = None,
    ) -> None:
        """embeddings: counts the tokens of models that embed, where there are any."""
        self._embeddings = embeddings
        self._generator = generator
        self._signer = signer
        self._doorkeeper = doorkeeper
        self._config = config

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
                    f"/{prefix}/models/{{target}}", Endpoint(partial(self._post, version)), methods=["POST"]
                ),
            )
        ]

    # -- models ------------------------------------------------------------------------------------

    async def _list(self, version: str, request: Request) -> Response:
        try:
            await self._doorkeeper.admit(request, "models")
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
            await self._doorkeeper.admit(request, "models", name)
            return reply(models.write_model(self._generator.served.find(name), name))
        except Problem as problem:
            return refusal(problem, "getModel", version)

    # -- verbs -------------------------------------------------------------------------------------

    async def _post(self, version: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        model, _, verb = request.path_params["target"].rpartition(":")
        streamed_list = verb == "streamGenerateContent" and request.query_params.get("alt") != "sse"
        try:
            wanted: Verb = "count" if verb == "countTokens" else "generate"
            caller = await self._doorkeeper.admit(request, wanted, model, fresh=wanted != "generate")
            if verb not in VERBS:
                raise UnknownModel(model or verb)
            body = await read_body(request, self._config.body_bytes_max)
            deadline_ms, own = deadline_of(self._config, request)
            call = Call(request, receive, send, model, version, body, deadline_ms, own, caller)
            await VERBS[verb](self, call)
        except ClientGone:
            await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        except Problem as problem:
            await refusal(problem, verb, version, in_list=streamed_list)(scope, receive, send)

    async def _generate(self, call: Call) -> None:
        read = await self._read(generate.read_request, call)
        opened = self._opened(call, read, whole=True)

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
        opened = self._opened(call, read)
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
        counted = await while_listening(call.receive, self._counted(call, read))
        headers = [VARY]
        if counted.bound_nano is not None:
            headers.append((BOUND_HEADER, str(counted.bound_nano)))
        answer = reply(count.write_answer(counted.usage), headers)
        await answer(call.request.scope, call.receive, call.send)

    async def _counted(self, call: Call, read: ReadRequest) -> Counted:
        if self._embeddings is not None and self._embeddings.embeds(call.model):
            request = counted_request(read.request)
            return await self._embeddings.count(request, call.caller, deadline_ms=call.deadline_ms)
        return await self._generator.count(read.request, call.caller, deadline_ms=call.deadline_ms)

    def _opened(
        self, call: Call, read: ReadRequest, *, whole: bool = False
    ) -> AbstractAsyncContextManager[Generation]:
        return self._generator.generate(
            read.request,
            call.caller,
            deadline_ms=call.deadline_ms,
            own_deadline=call.own_deadline,
            request_id=request_id_of(call.request),
            whole=whole,
            traceparent=call.request.headers.get("traceparent", ""),
        )

    async def _read(
        self, read_request: Callable[..., ReadRequest], call: Call, *, counting: bool = False
    ) -> ReadRequest:
        """Read a body; one that may take long in a thread, so that the other answers go on."""
        read = partial(read_request, call.body, call.model, self._reading(call.model, counting))
        slow = len(call.body) > (SCHEMA_BODY_BYTES if b"chema" in call.body else LARGE_BODY_BYTES)
        return await asyncio.to_thread(read) if slow else read()

    def _reading(self, model: str, counting: bool) -> Reading:
        return reading_of(self._config, self._signer, model, counting=counting)


VERBS: dict[str, Answering] = {
    "generateContent": GeminiApi._generate,
    "streamGenerateContent": GeminiApi._stream,
    "countTokens": GeminiApi._count,
}


def reading_of(config: ServerConfig, signer: Signer, model: str, *, counting: bool = False) -> Reading:
    """Return how a body is read; what is only counted may be a slice of a history, unsigned."""
    manner = manner_of(model)
    if counting or config.signatures == "accept":
        manner = msgspec.structs.replace(manner, signatures_checked=False)
    return Reading(strict=config.strict, manner=manner, genuine=signer.genuine)


def deadline_of(config: ServerConfig, request: Request) -> tuple[int, bool]:
    """Return how long a request may take, and whether that is the caller's wish. Raises InvalidArgument."""
    asked = request.headers.get("x-server-timeout")
    if asked is None:
        return config.request_ms_max, False
    try:
        seconds = float(asked)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise InvalidArgument(f"X-Server-Timeout must be a positive number of seconds, not {asked!r}.")
    most = config.request_ms_max
    return (int(seconds * 1000), True) if seconds * 1000 < most else (most, False)


def _headers(read: ReadRequest, generation: Generation) -> tuple[tuple[str, str], ...]:
    named = [(TIER_HEADER, read.request.tier), VARY]
    if read.downgrades:
        named.append((DOWNGRADE_HEADER, ", ".join(read.downgrades)))
    if (folded := generation.folded) is not None:
        figures = f"characters={folded.characters_before}; kept={folded.characters_kept}"
        named.append((FOLDED_HEADER, figures))
    if (charge := generation.charge) is not None:
        named.append((RECEIPT_HEADER, charge.asked.receipt))
        if charge.cost_nano is not None:  # of a stream it is not known when the headers go out
            named.append((COST_HEADER, str(charge.cost_nano)))
    return tuple(named)


def request_id_of(request: Request) -> str:
    """Return the caller's own name for a request, as it is charged, empty for none.

    Raises InvalidArgument.
    """
    said = request.headers.get(REQUEST_HEADER, "")
    if said and not REQUEST_ID.fullmatch(said):
        raise InvalidArgument(f"{REQUEST_HEADER} must be 1 to 100 of the characters A-Z a-z 0-9 . _ : -")
    return f"~{said}" if said else ""  # never the same as one of ours


def _telling(read: ReadRequest, generation: Generation) -> Telling:
    if (folded := generation.folded) is None:
        return read.telling
    left_out = folded.characters_before - folded.characters_kept
    return msgspec.structs.replace(read.telling, characters_folded=left_out)
