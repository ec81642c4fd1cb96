"""Google's routes of embeddings: verbs of models that embed.

Handlers are thin: read with the wire, ask the service, write with the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from geminid.config import ServerConfig
from geminid.core.caller import Caller, Verb
from geminid.core.embed import EmbedRequest
from geminid.core.errors import Problem, UnknownModel
from geminid.service.embed import Embedded, Embeddings
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.gemini import (
    BOUND_HEADER,
    CLIENT_CLOSED_REQUEST,
    COST_HEADER,
    DOUBLED,
    DOWNGRADE_HEADER,
    LARGE_BODY_BYTES,
    RECEIPT_HEADER,
    TIER_HEADER,
    VERSIONS,
    deadline_of,
    request_id_of,
)
from geminid.web.replies import VARY, refusal, reply
from geminid.web.stream import ClientGone, while_listening
from geminid.wire.gemini import embed as wire

Headers = list[tuple[str, str]]
Answering = Callable[["EmbedApi", Request, Caller, EmbedRequest], Awaitable[Response]]


class EmbedApi:
    """The routes of one server."""

    def __init__(self, embeddings: Embeddings, doorkeeper: Doorkeeper, config: ServerConfig) -> None:
        self._embeddings = embeddings
        self._doorkeeper = doorkeeper
        self._config = config

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route tree, once for each version.

        They stand before those of models, which would take the verbs for unknown ones.
        """
        return [
            Route(
                f"/{prefix}/models/{{model}}:{name}",
                partial(self._post, name, verb, prefix.partition("/")[0]),
                methods=["POST"],
            )
            for prefix in (*VERSIONS, *DOUBLED)
            for name, verb in VERBS.items()
        ]

    async def _post(self, name: str, verb: _Verb, version: str, request: Request) -> Response:
        model = request.path_params["model"]
        try:
            # The meter looks at the key again, for everything that it admits.
            fresh = verb.wanted != "embed"
            caller = await self._doorkeeper.admit(request, verb.wanted, model, fresh=fresh)
            if not self._embeddings.embeds(model):
                raise UnknownModel(model)
            body = await read_body(request, self._config.body_bytes_max)
            read = partial(verb.read, body, model)
            asked = await asyncio.to_thread(read) if len(body) > LARGE_BODY_BYTES else read()
            return await verb.answer(self, request, caller, asked)
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Problem as problem:
            return refusal(problem, name, version)

    async def _one(self, request: Request, caller: Caller, asked: EmbedRequest) -> Response:
        embedded = await self._embedded(request, caller, asked)
        return reply(wire.write_embed(embedded.embeddings[0], embedded.usage), _headers(embedded))

    async def _many(self, request: Request, caller: Caller, asked: EmbedRequest) -> Response:
        embedded = await self._embedded(request, caller, asked)
        return reply(wire.write_batch(embedded.embeddings, embedded.usage), _headers(embedded))

    async def _count(self, request: Request, caller: Caller, asked: EmbedRequest) -> Response:
        deadline_ms, _ = deadline_of(self._config, request)
        work = self._embeddings.count(asked, caller, deadline_ms=deadline_ms)
        counted = await while_listening(request.receive, work)
        bound = [] if counted.bound_nano is None else [(BOUND_HEADER, str(counted.bound_nano))]
        return reply(wire.write_count_text(counted.usage.prompt), [VARY, *bound])

    async def _embedded(self, request: Request, caller: Caller, asked: EmbedRequest) -> Embedded:
        deadline_ms, _ = deadline_of(self._config, request)
        work = self._embeddings.embed(
            asked,
            caller,
            deadline_ms=deadline_ms,
            request_id=request_id_of(request),
            traceparent=request.headers.get("traceparent", ""),
        )
        return await while_listening(request.receive, work)


class _Verb(NamedTuple):
    """A verb: what a key must be good for, how its body is read, and how it is answered."""

    wanted: Verb
    read: Callable[[bytes, str], EmbedRequest]
    answer: Answering


VERBS: dict[str, _Verb] = {
    "embedContent": _Verb("embed", wire.read_embed, EmbedApi._one),
    "batchEmbedContents": _Verb("embed", wire.read_batch, EmbedApi._many),
    "countTextTokens": _Verb("count", wire.read_count_text, EmbedApi._count),
}


def _headers(embedded: Embedded) -> Headers:
    named = [(TIER_HEADER, embedded.request.tier), VARY]
    cut = wire.downgrades(embedded.request, embedded.embeddings, embedded.card.context_tokens_max)
    if cut:
        named.append((DOWNGRADE_HEADER, ", ".join(cut)))
    if (charge := embedded.charge) is not None:
        named.append((RECEIPT_HEADER, charge.asked.receipt))
        if charge.cost_nano is not None:
            named.append((COST_HEADER, str(charge.cost_nano)))
    return named
