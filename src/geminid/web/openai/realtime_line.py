"""The connection of one live session: what is sent on it, by whoever reads and by what is made beside.

It knows no event. Invariant: an event is sent whole, and no more of them wait than the connection takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from geminid.core.clock import Clock
from geminid.core.errors import Problem
from geminid.service.generate import Generator
from geminid.service.transcribe import Transcriptions
from geminid.wire.openai.realtime.conversation import Bounds
from geminid.wire.openai.realtime.events import Teller


class Means(NamedTuple):
    """What sessions stand on. new_id: makes an id from the kind of what it is for; incoming: a folder for
    sound on its way to be heard. session_s, idle_s: how long one lasts, and may be silent."""

    generator: Generator
    transcriptions: Transcriptions
    incoming: Path
    bounds: Bounds
    clock: Clock
    new_id: Callable[[str], str]
    new_name: Callable[[], str]
    request_ms_max: int
    session_s: float
    idle_s: float


class Line:
    """One accepted connection."""

    def __init__(self, websocket: WebSocket, teller: Teller) -> None:
        self._websocket = websocket
        self.teller = teller

    async def receive(self) -> str | None:
        """Return the text of the next frame, None of one that is none; raises when the client has gone."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text: str | None = message.get("text")
        return text

    async def send(self, kind: str, **fields: Any) -> None:
        """Send an event; for whoever reads. Raises when the client has gone."""
        await self.send_text(self.teller.event(kind, **fields))

    async def send_text(self, text: str) -> None:
        """Send an event that is written; for whoever reads."""
        await self._websocket.send_text(text)

    async def refuse(self, problem: Problem, event_id: str | None) -> None:
        """Tell what is wrong with an event; for whoever reads."""
        await self.send_text(self.teller.error(problem, event_id))

    async def tell(self, kind: str, **fields: Any) -> None:
        """Send an event of what is made beside reading."""
        await self.tell_text(self.teller.event(kind, **fields))

    async def tell_text(self, text: str) -> None:
        """Send an event that is written, of what is made beside reading.

        A client that has gone is noticed by whoever reads, who then ends this: what was made until then is
        charged as for any caller who leaves.
        """
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            await asyncio.Event().wait()

    async def close(self, code: int, reason: str) -> None:
        """End the connection."""
        await self._websocket.close(code, reason)
