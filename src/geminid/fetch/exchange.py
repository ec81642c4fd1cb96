"""One GET or POST, over a connection to IP addresses that were checked.

It decides nothing about addresses. Invariant: names are never resolved here; the name is used in the Host
field and to verify the certificate, the connection is made to the given addresses alone. No proxy, cookie,
credential, Referer or second attempt. Imported with the first fetch, since the HTTP library takes a while.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from importlib.metadata import version
from typing import Any

import httpcore2

from geminid.fetch.address import Address
from geminid.fetch.answer import Fields
from geminid.fetch.faults import BAD_ANSWER, BAD_CERTIFICATE, BROKEN_OFF, UNREACHABLE, Unfetchable
from geminid.fetch.networks import IpAddress

FIELDS = (
    (b"User-Agent", f"geminid/{version('geminid')}".encode()),
    (b"Accept", b"*/*"),
    # A bomb that is not asked for need not be defused.
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"close"),
)


class Answer:
    """The head of an answer, and its body as it comes."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response
        self.status: int = response.status
        self.fields: Fields = response.headers

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body; raises ``Unfetchable`` when it ends before it is whole."""
        try:
            async with aclosing(self._response.aiter_stream()) as chunks:
                async for chunk in chunks:
                    yield chunk
        except (httpcore2.ProtocolError, httpcore2.NetworkError, ssl.SSLError):
            raise Unfetchable(BROKEN_OFF) from None


class Exchange:
    """Asks servers. ``tls`` verifies them, by the system's certificates unless it is given."""

    def __init__(self, connect_ms_max: int, tls: ssl.SSLContext | None = None) -> None:
        self._connect_s_max = connect_ms_max / 1000
        self._tls = tls or httpcore2.default_ssl_context()

    @asynccontextmanager
    async def get(self, address: Address, ips: Sequence[IpAddress]) -> AsyncIterator[Answer]:
        """Ask for an address at one of its IP addresses; raises ``Unfetchable`` when none answers."""
        request = httpcore2.Request("GET", _url(address), headers=[_host(address), *FIELDS])
        async with self._asked(request, ips) as found:
            yield found

    async def post(
        self,
        address: Address,
        ips: Sequence[IpAddress],
        body: bytes,
        headers: Sequence[tuple[bytes, bytes]],
    ) -> int:
        """Send a body to one of an address's IP addresses; return the status of the answer."""
        own = [each for each in FIELDS if each[0] != b"Accept-Encoding"]
        length = (b"Content-Length", str(len(body)).encode())
        fields = [_host(address), *headers, *own, length]
        request = httpcore2.Request("POST", _url(address), headers=fields, content=body)
        async with self._asked(request, ips) as found:
            return found.status

    @asynccontextmanager
    async def _asked(self, request: httpcore2.Request, ips: Sequence[IpAddress]) -> AsyncIterator[Answer]:
        connection = httpcore2.AsyncHTTPConnection(
            request.url.origin, self._tls, network_backend=_Pinned(ips, self._connect_s_max)
        )
        try:
            response = await _answered(connection, request)
            try:
                yield Answer(response)
            finally:
                await response.aclose()
        finally:
            await connection.aclose()


def _url(address: Address) -> httpcore2.URL:
    return httpcore2.URL(
        scheme=address.scheme.encode(),
        host=address.host.encode(),
        port=address.port,
        target=address.target.encode(),
    )


def _host(address: Address) -> tuple[bytes, bytes]:
    return b"Host", address.authority.encode()


async def _answered(
    connection: httpcore2.AsyncHTTPConnection, request: httpcore2.Request
) -> httpcore2.Response:
    try:
        return await connection.handle_async_request(request)
    except (httpcore2.NetworkError, httpcore2.TimeoutException, ssl.SSLError) as error:
        invalid = isinstance(error.__cause__, ssl.SSLCertVerificationError)
        raise Unfetchable(BAD_CERTIFICATE if invalid else UNREACHABLE) from error
    except httpcore2.ProtocolError as error:
        raise Unfetchable(BAD_ANSWER) from error


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses that it was made with, one after the other, whatever name it is given."""

    def __init__(self, ips: Sequence[IpAddress], connect_s_max: float) -> None:
        self._ips = ips
        self._connect_s = connect_s_max
        self._sockets = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError()
        for ip in self._ips:
            try:
                return await self._sockets.connect_tcp(str(ip), port, self._connect_s)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure
