"""Paths that two wires have, such as ``/v1/models``: which of them a request means.

Clients of OpenAI bear their key, and say nothing else that identifies them. Google's send it as
``x-goog-api-key`` or ``?key=``, and where they bear a token name themselves in an ``x-goog-`` header beside
it. So a request with ``Authorization: Bearer`` and nothing of Google's is OpenAI's; every other is Google's.
"""

from __future__ import annotations

from starlette.datastructures import Headers, QueryParams
from starlette.routing import Match, Route
from starlette.types import Scope

GOOGLES = "x-goog-"
KEY = "key"
PREFIX = "/v1/"


def is_openais(scope: Scope) -> bool:
    """Return whether whoever sends a request speaks OpenAI's wire."""
    headers = Headers(scope=scope)
    if not headers.get("authorization", "").lower().startswith("bearer "):
        return False
    if any(name.startswith(GOOGLES) for name in headers):
        return False
    return KEY not in QueryParams(scope.get("query_string", b""))


class SharedRoute(Route):
    """A route that is there for clients of OpenAI alone; others are looked for further on."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as a route does, if the request is OpenAI's."""
        if scope["type"] == "http" and not is_openais(scope):
            return Match.NONE, {}
        return super().matches(scope)
