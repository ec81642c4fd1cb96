"""Which IP addresses are public, as tables.

It resolves nothing and knows no names. Invariant: IPv6 is public only inside the block that is given out
(2000::/3), and an address that stands for an IPv4 address is judged by that one. Sources: the IANA registries
of special-purpose addresses (RFC 6890 and its updates) for both families.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from geminid.core.errors import InvalidArgument

IpAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

IPV4_REFUSED = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # the virtual host of Azure, which every machine there can reach
        "169.254.0.0/16",  # link-local, the metadata of clouds among them
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
IPV6_GIVEN_OUT = IPv6Network("2000::/3")
IPV6_REFUSED = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, whose relays are gone
        "3fff::/20",  # documentation
    )
)
IPV4_INSIDE = tuple(IPv6Network(block) for block in ("::ffff:0:0/96", "64:ff9b::/96"))
"""IPv4-mapped addresses, and NAT64, by which a machine with IPv6 only sees the IPv4 internet."""


def is_public(ip: IpAddress) -> bool:
    """Tell whether everybody on the internet could reach an address."""
    ip = plain(ip)
    if isinstance(ip, IPv4Address):
        return not is_in(ip, IPV4_REFUSED)
    # A zone (fe80::1%eth0) names an interface of this machine.
    return ip.scope_id is None and ip in IPV6_GIVEN_OUT and not is_in(ip, IPV6_REFUSED)


def plain(ip: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(ip, IPv6Address) and is_in(ip, IPV4_INSIDE):
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip


def is_in(ip: IpAddress, networks: Iterable[Network]) -> bool:
    """Tell whether an address lies in one of the networks."""
    return any(ip in network for network in networks)


def read_networks(words: Iterable[str]) -> tuple[Network, ...]:
    """Return networks such as 10.1.2.0/24; raises ``InvalidArgument`` that names every one that is none."""
    networks, mistakes = [], []
    for word in words:
        try:
            networks.append(ip_network(word))
        except ValueError:
            mistakes.append(word)
    if mistakes:
        raise InvalidArgument(f"Not a network such as 10.1.2.0/24: {', '.join(mistakes)}.")
    return tuple(networks)
