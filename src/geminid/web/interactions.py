"""Google's routes of interactions: create, get, follow, cancel, delete.

Handlers are thin: read with the wire, ask the service, write with the wire. The same tree stands under every
version of the API. Errors before the first byte carry their HTTP status.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import NamedTuple, TypeVar

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from geminid.catalog.manners import manner_of
from geminid.config import ServerConfig
from geminid.core.caller import Caller, Verb
from geminid.core.errors import Problem
from geminid.core.interaction import Chain, Interaction, InteractionEvent, NewInteraction
from geminid.service.interactions import Interactions, Running
from geminid.service.signatures import Signer
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.endpoint import Endpoint
from geminid.web.gemini import (
    CLIENT_CLOSED_REQUEST,
    DOUBLED,
    LARGE_BODY_BYTES,
    SCHEMA_BODY_BYTES,
    VERSIONS,
    deadline_of,
    request_id_of,
)
from geminid.web.interaction_replies import Headers, headers_of, named, nothing, refusal
from geminid.web.replies import reply
from geminid.web.stream import ClientGone, Streaming, send_stream, while_listening
from geminid.wire.interactions import create, errors, events
from geminid.wire.interactions.answers import FACE, Telling, telling_of, write_interaction
from geminid.wire.interactions.create import Reading, ReadInteraction
from geminid.wire.interactions.kept import read_kept
from geminid.wire.interactions.queries import read_query
from geminid.wire.interactions.replies import ErrorEvent

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

T = TypeVar("T")


class Call(NamedTuple):
    """One request, and who sends it."""

    request: Request
    receive: Receive
    send: Send
    version: str
    caller: Caller

    async def answer(self, response: Response) -> None:
        """Send a whole answer."""
        await response(self.request.scope, self.receive, self.send)


class Followed(NamedTuple):
    """A stored interaction, and what happens in it from the first event on."""

    interaction: Interaction
    events: AsyncIterator[InteractionEvent]


Answering = Callable[[Call], Awaitable[None]]
A = TypeVar("A", Running, Followed)


class InteractionsApi:
    """The routes of one server."""

    def __init__(
        self, interactions: Interactions, signer: Signer, doorkeeper: Doorkeeper, config: ServerConfig
    ) -> None:
        self._interactions = interactions
        self._signer = signer
        self._doorkeeper = doorkeeper
        self._config = config
        self._reading = Reading(
            manner_of=manner_of, genuine=signer.genuine if config.signatures == "check" else None
        )

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route tree, once for each version."""
        table: tuple[tuple[str, str, Verb, Answering], ...] = (
            ("POST", "", "generate", self._create),
            ("GET", "/{id}", "interactions", self._get),
            ("DELETE", "/{id}", "interactions", self._delete),
            ("POST", "/{id}/cancel", "interactions", self._cancel),
        )
        return [
            route
            for prefix in (*VERSIONS, *DOUBLED)
            for version in prefix.split("/")[:1]
            for route in (
                *(
                    Route(
                        f"/{prefix}/interactions{path}",
                        Endpoint(partial(self._answer, verb, answering, version)),
                        methods=[method],
                    )
                    for method, path, verb, answering in table
                ),
                Route(f"/{prefix}/interactions{{rest:path}}", partial(nothing, version), methods=METHODS),
            )
        ]

    async def _answer(
        self,
        verb: Verb,
        answering: Answering,
        version: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        request = Request(scope, receive)
        try:
            caller = await self._doorkeeper.admit(request, verb, fresh=verb != "generate")
            await answering(Call(request, receive, send, version, caller))
        except ClientGone:
            await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        except Problem as problem:
            await refusal(problem, version)(scope, receive, send)

    # -- new ones ----------------------------------------------------------------------------------

    async def _create(self, call: Call) -> None:
        body = await read_body(call.request, self._config.body_bytes_max)
        slow = len(body) > (SCHEMA_BODY_BYTES if b"chema" in body or b'"tools"' in body else LARGE_BODY_BYTES)
        message = await _done(partial(create.read_body, body), slow)
        call.caller.require("generate", create.model_of(message))
        previous = message.previous_interaction_id or ""
        chain = await self._interactions.chain(call.caller.project, FACE, previous)
        read = await _done(partial(create.read_message, message, chain.turns, self._reading), slow)
        new = _new(read, chain)
        if read.background:
            await self._begin(call, read, new)
        else:
            await (self._stream if read.stream else self._whole)(call, read, new)

    async def _whole(self, call: Call, read: ReadInteraction, new: NewInteraction) -> None:
        opened = self._opened(call, new, whole=True)

        async def answered() -> Response:
            async with opened as running:
                interaction = await running.finish()
                body = write_interaction(interaction, read.telling, self._sign)
                return reply(body, headers_of(read, running))

        await call.answer(await while_listening(call.receive, answered()))

    async def _stream(self, call: Call, read: ReadInteraction, new: NewInteraction) -> None:
        def writer(running: Running) -> events.EventWriter:
            return events.EventWriter(running.interaction, read.telling, self._sign)

        streaming = self._streaming(call, writer, partial(headers_of, read))
        await send_stream(self._opened(call, new), streaming, call.receive, call.send)

    async def _begin(self, call: Call, read: ReadInteraction, new: NewInteraction) -> None:
        interaction = await self._interactions.begin(
            new,
            call.caller,
            request_id=request_id_of(call.request),
            traceparent=call.request.headers.get("traceparent", ""),
        )
        headers = named(read.telling, read.downgrades)
        if read.stream:
            await self._follow(call, interaction, read.telling, 0, headers)
        else:
            await call.answer(reply(write_interaction(interaction, read.telling, self._sign), headers))

    def _opened(
        self, call: Call, new: NewInteraction, *, whole: bool = False
    ) -> AbstractAsyncContextManager[Running]:
        deadline_ms, own_deadline = deadline_of(self._config, call.request)
        return self._interactions.run(
            new,
            call.caller,
            deadline_ms=deadline_ms,
            own_deadline=own_deadline,
            request_id=request_id_of(call.request),
            traceparent=call.request.headers.get("traceparent", ""),
            whole=whole,
        )

    # -- stored ones -------------------------------------------------------------------------------

    async def _get(self, call: Call) -> None:
        query = read_query(call.request.query_params)
        interaction = await self._interactions.get(call.caller.project, FACE, _id(call))
        kept = read_kept(interaction.kept)
        if query.stream:
            telling = telling_of(kept)
            await self._follow(call, interaction, telling, query.after, named(telling))
            return
        given = kept.input if query.include_input else UNSET
        await call.answer(reply(write_interaction(interaction, telling_of(kept), self._sign, given)))

    async def _cancel(self, call: Call) -> None:
        interaction = await self._interactions.cancel(call.caller.project, FACE, _id(call))
        telling = telling_of(read_kept(interaction.kept))
        await call.answer(reply(write_interaction(interaction, telling, self._sign)))

    async def _delete(self, call: Call) -> None:
        await self._interactions.delete(call.caller.project, FACE, _id(call))
        await call.answer(reply(b"{}\n"))

    async def _follow(
        self, call: Call, interaction: Interaction, telling: Telling, after: int, headers: Headers
    ) -> None:
        """Tell what happens in a stored interaction, behind the event ``after``."""

        def writer(followed: Followed) -> events.EventWriter:
            return events.EventWriter(followed.interaction, telling, self._sign, after)

        streaming = self._streaming(call, writer, lambda followed: headers)
        await send_stream(self._followed(interaction), streaming, call.receive, call.send)

    @asynccontextmanager
    async def _followed(self, interaction: Interaction) -> AsyncIterator[Followed]:
        yield Followed(
            interaction, await self._interactions.follow(interaction.project, FACE, interaction.id)
        )

    # -- pieces ------------------------------------------------------------------------------------

    def _streaming(
        self, call: Call, writer: Callable[[A], events.EventWriter], headers: Callable[[A], Headers]
    ) -> Streaming[A]:
        framing = events.EventFraming()

        def write(accepted: A) -> Callable[[InteractionEvent], bytes]:
            written = writer(accepted)
            framing.opening = written.begin
            framing.failed = lambda: written.failed
            return written.write

        def failed(problem: Problem) -> bytes:
            framing.failed = lambda: True
            return events.framed(ErrorEvent(error=errors.error_of(problem, call.version)))

        return Streaming(framing, write, failed, headers)

    def _sign(self, receipt: str, step: int) -> str:
        return self._signer.sign(receipt, 0, step)


async def _done(work: Callable[[], T], slow: bool) -> T:
    """Do what takes long in a thread, so that the other answers go on."""
    return await asyncio.to_thread(work) if slow else work()


def _new(read: ReadInteraction, chain: Chain) -> NewInteraction:
    return NewInteraction(
        request=read.request,
        face=FACE,
        chain=chain,
        kept=read.kept,
        store=read.store,
        background=read.background,
    )


def _id(call: Call) -> str:
    name: str = call.request.path_params["id"]
    return name
