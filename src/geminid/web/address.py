"""Where clients reach this server: the base of every URL that it gives away.

As configured, else as the proxy in front says, else as the request itself says.
"""

from __future__ import annotations

import re

from starlette.requests import Request

_HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII | re.IGNORECASE)
_PREFIX = re.compile(r"(?:/[\w.~-]+)*", re.ASCII)


def base_url(request: Request, public_url: str = "") -> str:
    """Return scheme, host and path before the version, without a slash at the end."""
    if public_url:
        return public_url.rstrip("/")
    scheme = _forwarded(request, "proto").lower()
    if scheme not in ("http", "https"):
        scheme = request.scope.get("scheme", "http")
    return f"{scheme}://{_host(request)}{_prefix(request)}"


def _host(request: Request) -> str:
    for host in (_forwarded(request, "host"), request.headers.get("host", "")):
        if _HOST.fullmatch(host):
            return host
    host, port = request.scope.get("server") or ("localhost", None)
    return f"{host}:{port}" if port else str(host)


def _prefix(request: Request) -> str:
    prefix = (_forwarded(request, "prefix") or request.scope.get("root_path", "")).rstrip("/")
    return prefix if _PREFIX.fullmatch(prefix) else ""


def _forwarded(request: Request, what: str) -> str:
    """Return what the first proxy says, the one that the client spoke to."""
    return request.headers.get(f"x-forwarded-{what}", "").partition(",")[0].strip()
