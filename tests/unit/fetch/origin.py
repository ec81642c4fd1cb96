"""Servers on the loopback that answer as badly as the test wants, and a fetcher that may reach them."""

import asyncio
import contextlib
import socket
import ssl
from ipaddress import ip_address, ip_network

from geminid.fetch.fetcher import FetchConfig, Fetcher

LOOPBACK = (ip_network("127.0.0.0/8"),)


class Origin:
    """A server. ``asked`` are the heads of its requests, ``connections`` counts also those without one."""

    def __init__(self, answer, *, greets):
        self.answer, self.greets, self.asked, self.connections, self.port = answer, greets, [], 0, 0
        self.running = set()

    def connected(self, reader, writer):
        self.connections += 1
        task = asyncio.create_task(self.talk(reader, writer))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def talk(self, reader, writer):
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                head = b"GET /" if self.greets else await reader.readuntil(b"\r\n\r\n")
                self.asked += [] if self.greets else [head.decode()]
                answer = self.answer(head.decode().split()[1]) if callable(self.answer) else self.answer
                async for piece in _pieces(answer):
                    writer.write(piece)
                    await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def close(self):
        for task in (running := set(self.running)):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def url(self, path="/", host="127.0.0.1", scheme="http"):
        return f"{scheme}://{host}:{self.port}{path}"


async def _pieces(answer):
    if isinstance(answer, bytes):
        yield answer
    else:
        async for piece in answer:
            yield piece


@contextlib.asynccontextmanager
async def origin(answer, host="127.0.0.1", port=0, tls=None, *, greets=False):
    """Serve an answer: bytes, an async iterator of them, or a function that makes one for a path.

    greets: the answer is sent before anything was asked.
    """
    made = Origin(answer, greets=greets)
    server = await asyncio.start_server(made.connected, host, port, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
        await server.wait_closed()


def ok(body=b"hello", **fields):
    return head(200, **{"Content_Length": len(body), **fields}) + body


def moved(to, status=302):
    return head(status, Location=to, Content_Length=0)


def head(status, **fields):
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode()


class Names:
    """A resolver with a table of names; a list of answers is given one after the other."""

    def __init__(self, **names):
        self.names = {name.replace("__", "."): found for name, found in names.items()}
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append(host)
        found = self.names.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if isinstance(found, list):
            found = found.pop(0)
        return tuple(ip_address(each) for each in found.split())


def fetcher(resolver=None, tls=None, own=tuple, **config):
    config = FetchConfig(**{"allow": LOOPBACK, "time_ms_max": 10_000, **config})
    return Fetcher(config, resolver=resolver or Names(), tls=tls, own=own)
