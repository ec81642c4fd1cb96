"""What only the machine knows: the addresses of a name, and the networks that it stands in.

Both are parameters of the fetcher, so that tests need no network.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network

from geminid.fetch.networks import IpAddress, Network, is_public

Resolver = Callable[[str, int], Awaitable[tuple[IpAddress, ...]]]
"""Returns every address of a host, the best first; raises ``OSError`` when there is none."""

OwnNetworks = Callable[[], tuple[Network, ...]]
"""Returns networks that only seem public, because this machine is in them."""


class SystemResolver:
    """Asks the system, in at most ``threads`` threads of its own.

    A name server may keep a thread for half a minute, whatever the deadline. In the threads that all rooms
    share a few such names would stop the server.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolver")

    async def __call__(self, host: str, port: int) -> tuple[IpAddress, ...]:
        """Return the addresses of a host in the system's order."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host, port)


def _look_up(host: str, port: int) -> tuple[IpAddress, ...]:
    found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
    # A name with both families may come more than once; the order is the system's (RFC 6724).
    return tuple(dict.fromkeys(ip_address(address[0]) for *_, address in found))


def own_networks() -> tuple[Network, ...]:
    """Return the machine's own public addresses, and the /64 around each of IPv6.

    What listens on every interface is often closed to the internet by a firewall that does not stand
    between the machine and itself; and the hosts of an IPv6 LAN have public addresses too.
    """
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    interfaces = psutil.net_if_addrs().values()
    spelled = (each.address for addresses in interfaces for each in addresses if each.family in families)
    return tuple(_around(ip) for ip in map(ip_address, spelled) if is_public(ip))


def _around(ip: IpAddress) -> Network:
    return ip_network((ip, 32 if ip.version == 4 else 64), strict=False)
