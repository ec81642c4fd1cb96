"""OpenAI's routes of responses: create, get, follow, cancel, delete, items of the input, counts.

Handlers are thin: read with the wire, ask the service, write with the wire. They are at ``/v1`` alone:
Google's imitation has none. Errors before the first byte carry their HTTP status.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from geminid.config import ServerConfig
from geminid.core import clock, ids
from geminid.core.caller import Caller, Verb
from geminid.core.errors import Problem
from geminid.core.interaction import Interaction, InteractionEvent, NewInteraction
from geminid.service.generate import Generator
from geminid.service.interactions import Interactions, Running
from geminid.service.signatures import Signer
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.endpoint import Endpoint
from geminid.web.gemini import (
    CLIENT_CLOSED_REQUEST,
    COST_HEADER,
    DOWNGRADE_HEADER,
    LARGE_BODY_BYTES,
    REQUEST_HEADER,
    SCHEMA_BODY_BYTES,
)
from geminid.web.openai.file_search import FileSearch, Searches
from geminid.web.openai.replies import Told, limits_of, refusal, reply
from geminid.web.openai.response_reading import Read, ResponseReader, done
from geminid.web.stream import ClientGone, Streaming, send_stream, while_listening
from geminid.web.told import request_name, told
from geminid.wire.openai.responses import listing, request, writing
from geminid.wire.openai.responses.draft import Draft, heading_of
from geminid.wire.openai.responses.events import ResponsesFraming
from geminid.wire.openai.responses.kept import Kept, read_kept, write_kept
from geminid.wire.openai.responses.names import FACE
from geminid.wire.openai.responses.problems import worded
from geminid.wire.openai.responses.queries import Query, read_query, shown
from geminid.wire.openai.responses.request import ReadResponse
from geminid.wire.openai.surfaces import OPENAI

IDEMPOTENCY_HEADER = "idempotency-key"
NOT_KEPT = "store=not-kept"
PREFIX = f"{OPENAI.prefix}/responses"

Headers = tuple[tuple[str, str], ...]
T = TypeVar("T")


class Call(NamedTuple):
    """One request, who sends it, and what every answer to it tells."""

    request: Request
    receive: Receive
    send: Send
    caller: Caller
    told: Told

    @property
    def id(self) -> str:
        """The id in its address."""
        name: str = self.request.path_params["id"]
        return name

    async def answer(self, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Send a whole answer."""
        response = reply(body, [*self.told.headers(), *headers])
        await response(self.request.scope, self.receive, self.send)


class Followed(NamedTuple):
    """A stored response, and what happens in it from the first event on."""

    interaction: Interaction
    events: AsyncIterator[InteractionEvent]


Answering = Callable[[Call], Awaitable[None]]
A = TypeVar("A", Running, Followed)


class ResponsesApi:
    """The routes of one server. stores: what searches files."""

    def __init__(
        self,
        interactions: Interactions,
        generator: Generator,
        stores: Searches,
        signer: Signer,
        doorkeeper: Doorkeeper,
        config: ServerConfig,
        *,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self._interactions = interactions
        self._generator = generator
        self._reader = ResponseReader(interactions, generator, stores, signer, config)
        self._stores = stores
        self._signer = signer
        self._doorkeeper = doorkeeper
        self._config = config
        self._clock = clock
        self._new_id = new_id

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes."""
        table: tuple[tuple[str, str, Verb, Answering], ...] = (
            ("POST", "", "generate", self._create),
            ("POST", "/input_tokens", "count", self._count),
            ("GET", "/{id}", "interactions", self._get),
            ("DELETE", "/{id}", "interactions", self._delete),
            ("POST", "/{id}/cancel", "interactions", self._cancel),
            ("GET", "/{id}/input_items", "interactions", self._items),
        )
        return [
            Route(f"{PREFIX}{path}", Endpoint(partial(self._answer, verb, answering)), methods=[method])
            for method, path, verb, answering in table
        ]

    async def _answer(
        self, verb: Verb, answering: Answering, scope: Scope, receive: Receive, send: Send
    ) -> None:
        asked = Request(scope, receive)
        about = Told(self._new_id(), self._clock(), self._clock)
        try:
            caller = await self._doorkeeper.admit(asked, verb, fresh=verb != "generate")
            await answering(Call(asked, receive, send, caller, about))
        except ClientGone:
            await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        except Problem as problem:
            await refusal(worded(problem), OPENAI, about, "")(scope, receive, send)

    # -- new ones ----------------------------------------------------------------------------------

    async def _create(self, call: Call) -> None:
        body = await read_body(call.request, self._config.body_bytes_max)
        slow = _slow(body)
        message = await done(partial(request.parse_request, body), slow)
        call.caller.require("generate", request.model_of(message))
        read = await self._reader.read(call.caller, message, slow)
        if message.background:
            await self._begin(call, read)
        else:
            await (self._stream if read.response.stream else self._whole)(call, read)

    async def _count(self, call: Call) -> None:
        body = await read_body(call.request, self._config.body_bytes_max)
        slow = _slow(body)
        default = self._generator.served.default.name
        message = await done(partial(request.parse_count, body, default), slow)
        call.caller.require("count", request.model_of(message))
        read = await self._reader.read(call.caller, message, slow)
        asked = read.response.request
        asked = msgspec.structs.replace(asked, turns=read.chain.turns + asked.turns)
        counting = self._generator.count(asked, call.caller, deadline_ms=self._config.request_ms_max)
        counted = await while_listening(call.receive, counting)
        await call.answer(writing.write_tokens(counted.usage.prompt), _downgraded(read.response.downgrades))

    async def _whole(self, call: Call, read: Read) -> None:
        opened = self._opened(call, read, whole=True)

        async def answered() -> tuple[bytes, Headers]:
            async with opened as running:
                interaction = await running.finish()
                body = writing.write_response(interaction, read.response.kept, self._signer.sign)
                headers = _headers(read.response, running)
                if running.cost_nano is not None:  # of all steps, where files were searched between them
                    headers = (*headers, (COST_HEADER, str(running.cost_nano)))
                return body, headers

        await call.answer(*await while_listening(call.receive, answered()))

    async def _stream(self, call: Call, read: Read) -> None:
        def drafted(running: Running) -> Draft:
            return Draft(heading_of(running.interaction, read.response.kept), self._signer.sign)

        streaming = self._streaming(drafted, partial(_headers, read.response), call)
        await send_stream(self._opened(call, read), streaming, call.receive, call.send)

    async def _begin(self, call: Call, read: Read) -> None:
        interaction = await self._interactions.begin(
            self._new(read),
            call.caller,
            tools=self._tools(read.response),
            request_id=_name_of(call.request),
            traceparent=call.request.headers.get("traceparent", ""),
        )
        named = _downgraded(read.response.downgrades)
        if read.response.stream:
            await self._follow(call, interaction, read.response.kept, -1, named)
        else:
            body = writing.write_response(interaction, read.response.kept, self._signer.sign)
            await call.answer(body, named)

    def _opened(self, call: Call, read: Read, *, whole: bool = False) -> AbstractAsyncContextManager[Running]:
        return self._interactions.run(
            self._new(read),
            call.caller,
            tools=self._tools(read.response),
            deadline_ms=self._config.request_ms_max,
            request_id=_name_of(call.request),
            traceparent=call.request.headers.get("traceparent", ""),
            whole=whole,
        )

    def _new(self, read: Read) -> NewInteraction:
        settings = read.response.kept.settings
        return NewInteraction(
            request=read.response.request,
            face=FACE,
            chain=read.chain,
            kept=write_kept(read.response.kept),
            store=settings.store,
            background=settings.background,
            resumable=read.response.stream,
        )

    def _tools(self, read: ReadResponse) -> FileSearch | None:
        return None if read.search is None else FileSearch(self._stores, read.search)

    # -- stored ones -------------------------------------------------------------------------------

    async def _get(self, call: Call) -> None:
        query = read_query(call.request.query_params.multi_items())
        interaction = await self._interactions.get(call.caller.project, FACE, call.id)
        kept = _kept(interaction, query)
        if query.stream:
            await self._follow(call, interaction, kept, query.after, ())
        else:
            await call.answer(writing.write_response(interaction, kept, self._signer.sign))

    async def _cancel(self, call: Call) -> None:
        interaction = await self._interactions.cancel(call.caller.project, FACE, call.id)
        kept = read_kept(interaction.kept)
        await call.answer(writing.write_response(interaction, kept, self._signer.sign))

    async def _delete(self, call: Call) -> None:
        await self._interactions.delete(call.caller.project, FACE, call.id)
        await call.answer(writing.write_deleted(call.id))

    async def _items(self, call: Call) -> None:
        page = listing.read_page(call.request.query_params)
        interaction = await self._interactions.get(call.caller.project, FACE, call.id)
        items = listing.sent_items(read_kept(interaction.kept).items, interaction.id)
        await call.answer(listing.write_items(items, page))

    async def _follow(
        self, call: Call, interaction: Interaction, kept: Kept, after: int, named: Headers
    ) -> None:
        """Tell what happens in a stored response, behind the event ``after``."""

        def drafted(followed: Followed) -> Draft:
            return Draft(heading_of(followed.interaction, kept), self._signer.sign)

        streaming = self._streaming(drafted, lambda followed: named, call, after)
        await send_stream(self._followed(interaction), streaming, call.receive, call.send)

    @asynccontextmanager
    async def _followed(self, interaction: Interaction) -> AsyncIterator[Followed]:
        events = await self._interactions.follow(interaction.project, FACE, interaction.id)
        yield Followed(interaction, events)

    # -- pieces ------------------------------------------------------------------------------------

    def _streaming(
        self,
        drafted: Callable[[A], Draft],
        headers: Callable[[A], Headers],
        call: Call,
        after: int = -1,
    ) -> Streaming[A]:
        framing = ResponsesFraming()
        writers: list[writing.EventWriter] = []

        def write(accepted: A) -> Callable[[InteractionEvent], bytes | None]:
            writer = writing.EventWriter(drafted(accepted), after)
            writers.append(writer)
            framing.opening = writer.begin
            return writer.write

        def failed(problem: Problem) -> bytes:
            return writers[0].fail(worded(problem))

        def named(accepted: A) -> Headers:
            return (*call.told.headers(), *headers(accepted))

        return Streaming(framing, write, failed, named)


def _slow(body: bytes) -> bool:
    """Return whether a body takes so long to read that the other answers would wait."""
    return len(body) > (SCHEMA_BODY_BYTES if b"chema" in body or b'"tools"' in body else LARGE_BODY_BYTES)


def _name_of(asked: Request) -> str:
    """Return what a caller calls a request, in either of two headers."""
    headers = asked.headers
    return request_name(headers.get(REQUEST_HEADER, "")) or request_name(
        headers.get(IDEMPOTENCY_HEADER, ""), IDEMPOTENCY_HEADER
    )


def _kept(interaction: Interaction, query: Query) -> Kept:
    kept = read_kept(interaction.kept)
    return msgspec.structs.replace(kept, showing=shown(kept.showing, query.include))


def _headers(read: ReadResponse, running: Running) -> Headers:
    lost = (NOT_KEPT,) if read.kept.settings.store and not running.interaction.stored else ()
    generation = running.generation
    return (*told((*read.downgrades, *lost), generation), *limits_of(generation.charge))


def _downgraded(downgrades: Sequence[str]) -> Headers:
    return ((DOWNGRADE_HEADER, ", ".join(downgrades)),) if downgrades else ()
