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
from benchmarks.connection import Connection, connect, request_bytes

TOKENS = re.compile(rb'"(?:candidatesTokenCount|tokens_predicted)":\s*(\d+)')


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


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Each of ``bodies`` once, over connections that take the next one as soon as they are free.

    For whole answers of known length, not for streams.
    """

    kind: Literal["pool"] = "pool"
    port: int
    path: str
    bodies: list[str]
    connections: int


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: the seconds that it took, its HTTP status (0: there was none), its body."""

    seconds: float
    status: int
    body: str


class Pooled(msgspec.Struct, kw_only=True):
    """What came of a pool; ``replies`` are in the order of the bodies."""

    seconds: float
    replies: list[Reply]
    client_cpu_s: float


async def _pool(job: Pool) -> Pooled:
    connections = await connect(job.port, min(job.connections, len(job.bodies)))
    todo = iter(enumerate([request_bytes(job.path, body) for body in job.bodies]))
    came: dict[int, tuple[float, list[tuple[float, bytes]]]] = {}
    cpu_s, began_s = time.process_time(), time.perf_counter()

    async def work(connection: Connection) -> None:
        for number, request in todo:  # one iterator for all
            asked_s = time.perf_counter()
            connection = await _asked(connection, request, job.port)
            came[number] = (time.perf_counter() - asked_s, connection.reads)
        connection.close()

    await asyncio.gather(*map(work, connections))
    seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    replies = [_reply(*came[number]) for number in range(len(job.bodies))]
    return Pooled(seconds=seconds, replies=replies, client_cpu_s=cpu_s)


async def _asked(connection: Connection, request: bytes, port: int) -> Connection:
    """Ask, on a new connection if the server has closed this one, which it may after some requests."""
    if connection.open:
        await connection.ask(request)
        if connection.reads:
            return connection
    (fresh,) = await connect(port, 1)
    await fresh.ask(request)
    return fresh


def _reply(seconds: float, reads: list[tuple[float, bytes]]) -> Reply:
    head, _, body = b"".join(data for _, data in reads).partition(b"\r\n\r\n")
    status = head[9:12]
    return Reply(
        seconds=seconds,
        status=int(status) if status.isdigit() else 0,
        body=body.decode("utf-8", "replace"),
    )


class Paced(msgspec.Struct, frozen=True, kw_only=True):
    """The same body on ``connections`` connections, each asking again every ``period_ms``, out of step.

    A connection that is late asks at once, so a server that stalls is not asked less.
    """

    kind: Literal["paced"] = "paced"
    port: int
    path: str
    body: str
    connections: int
    period_ms: float
    seconds: float


async def _paced(job: Paced) -> Hammered:
    connections = await connect(job.port, job.connections)
    request = request_bytes(job.path, job.body)
    result = Hammered(seconds=0, answers=0, events=0, errors=0, latencies_s=[], client_cpu_s=0)
    cpu_s, began_s = time.process_time(), time.perf_counter()
    period_s = job.period_ms / 1000

    async def one(number: int, connection: Connection) -> None:
        due_s = began_s + period_s * number / job.connections
        while due_s - began_s < job.seconds:
            if (early_s := due_s - time.perf_counter()) > 0:
                await asyncio.sleep(early_s)
            asked_s = time.perf_counter()
            await connection.ask(request)
            result.latencies_s.append(time.perf_counter() - asked_s)
            result.answers += 1
            result.errors += not connection.reads or not connection.reads[0][1].startswith(b"HTTP/1.1 200")
            due_s += period_s

    await asyncio.gather(*(one(number, each) for number, each in enumerate(connections)))
    result.seconds = time.perf_counter() - began_s
    result.client_cpu_s = time.process_time() - cpu_s
    for connection in connections:
        connection.close()
    return result


class Job(msgspec.Struct, frozen=True):
    """One of the four kinds of work."""

    wave: Wave | None = None
    hammer: Hammer | None = None
    pool: Pool | None = None
    paced: Paced | None = None


async def _done(job: Job) -> Waved | Hammered | Pooled:
    if job.paced:
        return await _paced(job.paced)
    if job.pool:
        return await _pool(job.pool)
    return await (_wave(job.wave) if job.wave else _hammer(cast("Hammer", job.hammer)))


def main() -> None:
    """Entry point of the process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        serve_lines(Job, lambda job: runner.run(_done(job)))


if __name__ == "__main__":
    main()
