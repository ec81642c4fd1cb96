"""Connections of the load generator: HTTP/1.1, kept alive, noting the arrival of bytes and no more."""

from __future__ import annotations

import asyncio
import re
import time
from typing import cast

LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
LAST_CHUNK = b"0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One keep-alive connection. ``reads`` are the raw arrivals of the answer that is under way."""

    def __init__(self) -> None:
        self.reads: list[tuple[float, bytes]] = []
        self.open = False
        self._answered: asyncio.Future[None] | None = None
        self._expected = -1
        self._received = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent
        self.open = True

    def data_received(self, data: bytes) -> None:
        """Note an arrival, and whether it was the last of its answer."""
        if not self.reads:
            self._expected = _answer_bytes(data)
        self.reads.append((time.perf_counter(), data))
        self._received += len(data)
        if self._expected >= 0:
            over = self._received >= self._expected
        else:
            over = data == LAST_CHUNK or data.endswith(b"\r\n" + LAST_CHUNK)
        if over:
            self._done()

    def connection_lost(self, error: Exception | None) -> None:
        """Whatever was answered was all."""
        self.open = False
        self._done()

    async def ask(self, request: bytes) -> None:
        """Send a whole request and wait for the end of its answer."""
        assert self._transport is not None
        self.reads, self._received, self._expected = [], 0, -1
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answered

    def close(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.close()

    def _done(self) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_result(None)


def _answer_bytes(first: bytes) -> int:
    """Return how many bytes the answer has, its head included; -1 if it comes in chunks."""
    head, _, _ = first.partition(b"\r\n\r\n")
    found = LENGTH.search(head)
    return len(head) + 4 + int(found[1]) if found else -1


async def connect(port: int, count: int) -> list[Connection]:
    """Open ``count`` connections to this machine."""
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(count)]


def request_bytes(path: str, body: str) -> bytes:
    """Return a POST of JSON as it stands on the wire."""
    raw = body.encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw
