"""The one spelling of an address that is fetched: strict where lenient readers disagree with each other.

It resolves nothing. Invariant: the host of an ``Address`` is an IP address in its usual spelling or a name
that no resolver takes for a number, so what is checked is what is connected to. Sources: RFC 3986, RFC 6874,
and of the WHATWG URL standard its rule that a host whose last label is a number must be an IPv4 address.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import quote, urljoin

from geminid.fetch.faults import BAD_PORT, DOWNGRADE, NOT_A_URL, NOT_HTTP, USER_INFO, Unfetchable

CHARACTERS_MAX = 8_192
HOST_CHARACTERS_MAX = 253

PORTS = {"http": 80, "https": 443}
"""The schemes that are fetched, and their ports."""
PORTS_FROM = 1_024
"""From here on every port may be used; below only those of ``PORTS``."""
BAD_PORTS = frozenset(
    (1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697, 10080)
)
"""Ports from 1024 up that browsers never talk HTTP to (WHATWG Fetch, "bad port")."""

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE | re.ASCII)
_URL = re.compile(r"https?://([^/?#]*)([^?#]*)((?:\?[^#]*)?)(?:#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_UNQUOTED = "%/:?[]@!$&'()*+,;=~"


class Address(NamedTuple):
    """A checked spelling. ``host`` has no brackets; ``ip`` is set when it is no name; ``target`` is ASCII."""

    scheme: str
    host: str
    port: int
    target: str
    ip: IPv4Address | IPv6Address | None = None

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL and in the Host field."""
        host = f"[{self.host}]" if isinstance(self.ip, IPv6Address) else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address, without a fragment."""
        return f"{self.scheme}://{self.authority}{self.target}"


def read_address(uri: str) -> Address:
    """Return what a URL means; raises ``Unfetchable`` when it is none, or none that is fetched."""
    if len(uri) > CHARACTERS_MAX or _FORBIDDEN.search(uri):
        raise Unfetchable(NOT_A_URL)
    scheme = _SCHEME.match(uri)
    if scheme is not None and scheme[1].lower() not in PORTS:
        raise Unfetchable(NOT_HTTP)
    url = _URL.fullmatch(uri)
    if scheme is None or url is None:
        raise Unfetchable(NOT_A_URL)
    authority, path, query = url.groups()
    if "@" in authority:
        raise Unfetchable(USER_INFO)
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise Unfetchable(NOT_A_URL)
    host, ip = _host(found[1])
    target = quote((path or "/") + query, safe=_UNQUOTED)
    return Address(scheme[1].lower(), host, _port(found[2], scheme[1].lower()), target, ip)


def redirected(address: Address, location: str) -> Address:
    """Return where a Location field leads, under the same rules; raises ``Unfetchable``."""
    if _FORBIDDEN.search(location):
        raise Unfetchable(NOT_A_URL)
    try:
        joined = urljoin(address.url, location)
    except ValueError:
        raise Unfetchable(NOT_A_URL) from None
    following = read_address(joined)
    if address.scheme == "https" and following.scheme == "http":
        raise Unfetchable(DOWNGRADE)
    return following


def _port(digits: str | None, scheme: str) -> int:
    port = int(digits) if digits else PORTS[scheme]
    if port in PORTS.values() or (PORTS_FROM <= port < 65_536 and port not in BAD_PORTS):
        return port
    raise Unfetchable(BAD_PORT)


def _host(spelled: str) -> tuple[str, IPv4Address | IPv6Address | None]:
    """Return a host in its one spelling, and its IP address when it is one."""
    if "%" in spelled:  # neither quoted letters nor zones (RFC 6874), which name interfaces of this machine
        raise Unfetchable(NOT_A_URL)
    try:
        if spelled.startswith("["):
            ip6 = IPv6Address(spelled[1:-1])
            return str(ip6), ip6
        name = _name(spelled)
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            ip4 = IPv4Address(name)
            return str(ip4), ip4
    except AddressValueError:
        raise Unfetchable(NOT_A_URL) from None
    return name, None


def _name(spelled: str) -> str:
    """Return a name in lower-case ASCII, without the dot at its end."""
    if len(spelled) <= HOST_CHARACTERS_MAX + 1:
        name = (spelled if spelled.isascii() else _ascii(spelled)).lower().removesuffix(".")
        if len(name) <= HOST_CHARACTERS_MAX and _NAME.fullmatch(name):
            return name
    raise Unfetchable(NOT_A_URL)


def _ascii(spelled: str) -> str:
    """Return an internationalised name as resolvers take it (UTS 46), full-width digits as digits."""
    import idna  # its tables take a while to load, and few addresses need them

    try:
        return idna.encode(spelled, uts46=True).decode()
    except idna.IDNAError:
        raise Unfetchable(NOT_A_URL) from None
