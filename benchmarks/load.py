"""The load generator: a process that sends requests over HTTP/1.1 and notes when bytes came back.

It shares the machine with the server that it measures, so it does as little as can be: connections
are opened before the clock starts, arrivals are noted as raw bytes, and all reading of them is left
until after the last one. Its own processor time is part of every answer.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Literal, cast

import msgspec
import uvloop

from benchmarks.child import serve_lines

TOKENS = re.compile(rb'"(?:candidatesTokenCount|tokens_predicted)":\s*(\d+)')
LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
LAST_CHUNK = b"0\r\n\r\n"


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """All ``bodies`` at once, each on a connection of its own; each is answered once."""

    kind: Literal["wave"] = "wave"
    port: int
    path: str
    bodies: list[str]


class Sample(msgspec.Struct, kw_only=True):
    """One answer. Times are seconds since the wave began.

    arrivals: (when, how many tokens of the answer had come by then), one for each read.
    """

    began_s: float
    ended_s: float = 0.0
    arrivals: list[tuple[float, int]] = []
    error: str = ""


class Waved(msgspec.Struct, kw_only=True):
    """What came of a wave. ``client_cpu_s`` is the load generator's own processor time."""

    samples: list[Sample]
    client_cpu_s: float = 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection. ``reads`` are the raw arrivals of the answer that is under way."""

    def __init__(self) -> None:
        self.reads: list[tuple[float, bytes]] = []
        self._answered: asyncio.Future[None] | None = None
        self._expected = -1
        self._received = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent

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


async def _wave(wave: Wave) -> Waved:
    connections = await connect(wave.port, len(wave.bodies))
    requests = [request_bytes(wave.path, body) for body in wave.bodies]
    cpu_s, origin_s = time.process_time(), time.perf_counter()

    async def one(connection: Connection, request: bytes) -> Sample:
        sample = Sample(began_s=time.perf_counter() - origin_s)
        await connection.ask(request)
        sample.ended_s = time.perf_counter() - origin_s
        return sample

    work = [one(c, r) for c, r in zip(connections, requests, strict=True)]
    samples = await asyncio.gather(*work)
    client_cpu_s = time.process_time() - cpu_s
    for connection, sample in zip(connections, samples, strict=True):
        connection.close()
        _read(sample, connection.reads, origin_s)
    return Waved(samples=samples, client_cpu_s=client_cpu_s)


def _read(sample: Sample, reads: list[tuple[float, bytes]], origin_s: float) -> None:
    """Turn raw arrivals into counts of tokens."""
    whole = b"".join(data for _, data in reads)
    if not whole.startswith(b"HTTP/1.1 200") or b'"error"' in whole:
        sample.error = whole[:400].decode("utf-8", "replace") or "no answer"
        return
    seen = 0
    for when_s, data in reads:
        if (counts := TOKENS.findall(data)) and int(counts[-1]) > seen:
            seen = int(counts[-1])
            sample.arrivals.append((when_s - origin_s, seen))


class Hammer(msgspec.Struct, frozen=True, kw_only=True):
    """The same body again and again on ``connections`` connections, for ``seconds``."""

    kind: Literal["hammer"] = "hammer"
    port: int
    path: str
    body: str
    connections: int
    seconds: float


class Hammered(msgspec.Struct, kw_only=True):
    """Whole answers, server-sent events in them, and the seconds that each answer took."""

    seconds: float
    answers: int
    events: int
    errors: int
    latencies_s: list[float]
    client_cpu_s: float


async def _hammer(job: Hammer) -> Hammered:
    connections = await connect(job.port, job.connections)
    request = request_bytes(job.path, job.body)
    result = Hammered(seconds=0, answers=0, events=0, errors=0, latencies_s=[], client_cpu_s=0)
    cpu_s, began_s = time.process_time(), time.perf_counter()

    async def one(connection: Connection) -> None:
        while (now_s := time.perf_counter()) - began_s < job.seconds:
            await connection.ask(request)
            result.latencies_s.append(time.perf_counter() - now_s)
            result.answers += 1
            result.events += sum(data.count(b"data: ") for _, data in connection.reads)
            result.errors += not connection.reads or not connection.reads[0][1].startswith(b"HTTP/1.1 200")

    await asyncio.gather(*map(one, connections))
    result.seconds = time.perf_counter() - began_s
    result.client_cpu_s = time.process_time() - cpu_s
    for connection in connections:
        connection.close()
    return result


class Job(msgspec.Struct, frozen=True):
    """One of the two kinds of work."""

    wave: Wave | None = None
    hammer: Hammer | None = None


def main() -> None:
    """Entry point of the process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        serve_lines(Job, lambda job: runner.run(_wave(job.wave) if job.wave else _hammer(job.hammer)))


if __name__ == "__main__":
    main()
