"""Fetch a file by its address: every step is checked, and everything is bounded.

It knows no media type and no wire. Invariant: each address of a redirect chain is resolved once, and the
connection is made to what was checked; what is left on disk is a whole file or none.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from geminid.core.queue import BoundedQueue
from geminid.fetch import answer
from geminid.fetch.address import Address, read_address, redirected
from geminid.fetch.draft import Draft
from geminid.fetch.faults import NOT_PUBLIC, UNREACHABLE, Unfetchable
from geminid.fetch.machine import OwnNetworks, Resolver, SystemResolver, own_networks
from geminid.fetch.networks import IpAddress, Network, is_in, is_public, plain

if TYPE_CHECKING:
    from geminid.fetch.exchange import Answer, Exchange

RETRY_AFTER_MS = 2_000

log = logging.getLogger("geminid.fetch")


class FetchConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How files are fetched.

    bytes_max: of one file. time_ms_max: for one file, from looking up its name to its last byte.
    connect_ms_max: for one of several IP addresses. allow: networks that are not public and may be
    reached all the same. parallel: files at once. waiting_max: those that wait; more are refused with 503.
    """

    bytes_max: int = 100 * 1024 * 1024
    time_ms_max: int = 60_000
    connect_ms_max: int = 10_000
    redirects_max: int = 5
    allow: tuple[Network, ...] = ()
    parallel: int = 16
    waiting_max: int = 256


class Fetched(NamedTuple):
    """A file that was fetched: its hash in lower-case hex, and its type, bare and empty when unsaid."""

    sha256: str
    mime_type: str


class Fetcher:
    """Fetches files. Used on one event loop only.

    tls: verifies servers; None takes the certificates of the system.
    """

    def __init__(
        self,
        config: FetchConfig,
        *,
        resolver: Resolver | None = None,
        own: OwnNetworks = own_networks,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._config = config
        self._resolver = resolver or SystemResolver(config.parallel)
        self._own = own
        self._tls = tls
        self._exchange: Exchange | None = None
        self._queue = BoundedQueue(config.parallel, config.waiting_max, "fetched", RETRY_AFTER_MS)

    async def fetch(self, uri: str, path: Path) -> Fetched:
        """Write what is at an address to a new file.

        Raises ``Unfetchable`` with words for the caller, or ``Unavailable`` when too many fetches wait or
        the disk is full.
        """
        address = read_address(uri)
        async with self._queue.turn():
            try:
                with Draft(path, self._config.bytes_max) as draft:
                    async with asyncio.timeout(self._config.time_ms_max / 1000):
                        return await self._follow(address, draft)
            except TimeoutError:
                seconds = self._config.time_ms_max / 1000
                raise Unfetchable(f"Fetching it took longer than {seconds:g} seconds.") from None

    async def post(self, uri: str, body: bytes, headers: Sequence[tuple[bytes, bytes]], ms_max: int) -> int:
        """Send a body to an address that a caller gave, under the same rules; return the answer's status.

        Nothing is followed, and nothing of the answer is read. Raises ``Unfetchable``.
        """
        address = read_address(uri)
        try:
            async with asyncio.timeout(ms_max / 1000):
                ips = await self._checked(address)
                exchange = await self._opened()
                return await exchange.post(address, ips, body, headers)
        except TimeoutError:
            raise Unfetchable(UNREACHABLE) from None

    async def _follow(self, address: Address, draft: Draft) -> Fetched:
        for _ in range(self._config.redirects_max + 1):
            ips = await self._checked(address)
            exchange = await self._opened()
            async with exchange.get(address, ips) as found:
                location = answer.location(found.status, found.fields)
                if location is None:
                    return await _keep(found, draft)
            address = redirected(address, location)
        raise Unfetchable(f"It redirects more than {self._config.redirects_max} times.")

    async def _checked(self, address: Address) -> tuple[IpAddress, ...]:
        """Return where an address is, all of it within reach; one place out of reach refuses the rest."""
        ips = (address.ip,) if address.ip is not None else await self._resolve(address)
        own = self._own()
        if outside := [str(ip) for ip in ips if not self._reaches(ip, own)]:
            log.info("%s is not fetched from: %s is not public", address.host, ", ".join(outside))
        if outside or not ips:
            raise Unfetchable(NOT_PUBLIC)
        return ips

    async def _resolve(self, address: Address) -> tuple[IpAddress, ...]:
        try:
            return await self._resolver(address.host, address.port)
        except OSError as error:
            log.info("%s has no address: %s", address.host, error)
            raise Unfetchable(NOT_PUBLIC) from None

    def _reaches(self, ip: IpAddress, own: tuple[Network, ...]) -> bool:
        return is_in(plain(ip), self._config.allow) or (is_public(ip) and not is_in(plain(ip), own))

    async def _opened(self) -> Exchange:
        """Return what asks servers; its library and certificates are loaded beside the event loop."""
        if self._exchange is None:
            self._exchange = await asyncio.to_thread(self._open)
        return self._exchange

    def _open(self) -> Exchange:
        from geminid.fetch.exchange import Exchange

        return Exchange(self._config.connect_ms_max, self._tls)


async def _keep(found: Answer, draft: Draft) -> Fetched:
    answer.check(found.status, found.fields)
    draft.expect(answer.length_bytes(found.fields))
    async with aclosing(found.chunks()) as chunks:
        async for chunk in chunks:
            await draft.add(chunk)
    return Fetched(await draft.finish(), answer.mime_type(found.fields))
