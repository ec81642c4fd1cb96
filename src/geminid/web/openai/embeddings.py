"""OpenAI's route of embeddings.

Handlers are thin: read with the wire, ask the service, write with the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from geminid.config import ServerConfig
from geminid.core.caller import Caller
from geminid.core.errors import UnknownModel
from geminid.service.embed import Embedded, Embeddings
from geminid.web.body import read_body
from geminid.web.gemini import COST_HEADER, DOWNGRADE_HEADER, LARGE_BODY_BYTES, RECEIPT_HEADER, REQUEST_HEADER
from geminid.web.openai.api import IDEMPOTENCY_HEADER
from geminid.web.openai.replies import Told, limits_of, reply
from geminid.web.openai.routing import Guard, Headers, route_of
from geminid.web.stream import while_listening
from geminid.web.told import request_name
from geminid.wire.openai import embeddings as wire
from geminid.wire.openai.surfaces import SURFACES, Surface


class EmbeddingsApi:
    """The routes of one server."""

    def __init__(self, embeddings: Embeddings, guard: Guard, config: ServerConfig) -> None:
        self._embeddings = embeddings
        self._guard = guard
        self._config = config

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of every surface."""
        return [
            route_of(
                surface,
                "POST",
                "/embeddings",
                self._guard.of(surface, "embed", "embedContent", self._create, fresh=False),
            )
            for surface in SURFACES
        ]

    async def _create(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        body = await read_body(request, self._config.body_bytes_max)
        read = partial(wire.read_embeddings, body)
        asked = await asyncio.to_thread(read) if len(body) > LARGE_BODY_BYTES else read()
        caller.require("embed", asked.request.model)
        if not self._embeddings.embeds(asked.request.model):
            raise UnknownModel(asked.request.model)
        work = self._embeddings.embed(
            asked.request,
            caller,
            deadline_ms=self._config.request_ms_max,
            request_id=_name(request),
            traceparent=request.headers.get("traceparent", ""),
        )
        embedded = await while_listening(request.receive, work)
        model, usage = embedded.card.name, embedded.usage
        answer = wire.write_embeddings(embedded.embeddings, model, usage, asked.encoding)
        return reply(answer, [*told.headers(), *_headers(embedded)])


def _name(request: Request) -> str:
    named = request_name(request.headers.get(REQUEST_HEADER, ""))
    return named or request_name(request.headers.get(IDEMPOTENCY_HEADER, ""), IDEMPOTENCY_HEADER)


def _headers(embedded: Embedded) -> Headers:
    named: Headers = []
    cut = wire.downgrades_of(embedded.embeddings, embedded.card.context_tokens_max)
    if cut:
        named.append((DOWNGRADE_HEADER, ", ".join(cut)))
    if (charge := embedded.charge) is not None:
        named.append((RECEIPT_HEADER, charge.asked.receipt))
        if charge.cost_nano is not None:
            named.append((COST_HEADER, str(charge.cost_nano)))
        named += limits_of(charge)
    return named
