"""Sending an answer while it is made, and noticing that nobody listens any more.

The engine's slot is held inside this module's own calls, never in a generator's ``finally``: leaving
the ``async with`` is what frees it. A response that has begun ends in a finish reason or in an error
event, whatever happens behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from starlette.types import Receive, Send

from geminid.core.errors import Internal, Problem
from geminid.wire.sse import Framing

T = TypeVar("T")

log = logging.getLogger("geminid.web")


class ClientGone(Exception):
    """The client hung up before its answer was complete."""


class Accepted(Protocol):
    """What was accepted and is told while it happens."""

    @property
    def events(self) -> AsyncIterator[Any]:
        """What happens, in its order."""


A = TypeVar("A", bound=Accepted)


class Streaming(NamedTuple, Generic[A]):
    """How a wire writes a stream: the framing, the events' and the problem's words, extra headers."""

    framing: Framing
    write: Callable[[A], Callable[[Any], bytes | None]]
    write_problem: Callable[[Problem], bytes]
    headers: Callable[[A], tuple[tuple[str, str], ...]]


async def send_stream(
    opened: AbstractAsyncContextManager[A], streaming: Streaming[A], receive: Receive, send: Send
) -> None:
    """Answer with a stream. A ``Problem`` that is raised came before the first byte."""
    await while_listening(receive, _stream(opened, streaming, send))


async def _stream(opened: AbstractAsyncContextManager[A], streaming: Streaming[A], send: Send) -> None:
    began = False
    try:
        async with opened as accepted:
            await send(start(200, [*streaming.framing.headers, *streaming.headers(accepted)]))
            began = True
            await _send_events(accepted, streaming, send)
    except Problem as problem:
        if not began:
            raise
        await _send_chunk(streaming, streaming.write_problem(problem), send)
    except Exception:
        if not began:
            raise
        log.exception("a stream failed")
        await _send_chunk(streaming, streaming.write_problem(Internal("Internal error encountered.")), send)
    await send({"type": "http.response.body", "body": streaming.framing.last()})


async def _send_events(accepted: A, streaming: Streaming[A], send: Send) -> None:
    write = streaming.write(accepted)
    await send({"type": "http.response.body", "body": streaming.framing.first(), "more_body": True})
    async for event in accepted.events:
        if chunk := write(event):
            await _send_chunk(streaming, chunk, send)


async def _send_chunk(streaming: Streaming[A], chunk: bytes, send: Send) -> None:
    await send({"type": "http.response.body", "body": streaming.framing.frame(chunk), "more_body": True})


def start(status: int, headers: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the ASGI message that begins a response."""
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": raw}


async def while_listening(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Do ``work``, whose request body has been read; cancel it and raise ``ClientGone`` on a hang-up."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_hang_up(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
