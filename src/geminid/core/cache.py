"""Cached contents as values: what is known of some, and what a caller wants of new ones.

They know no bytes and no spelling of any wire. Times are nanoseconds since 1970, UTC.
"""

from __future__ import annotations

import msgspec

from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """Cached contents of a project, without what is in them.

    id: their name without ``cachedContents/``. model: the card that they were computed for; asked: the name
    that was asked for. usage: their tokens.
    """

    project: str
    id: str
    model: str
    asked: str
    display_name: str = ""
    usage: Usage
    created_ns: int
    updated_ns: int
    expires_ns: int


class Expiration(msgspec.Struct, frozen=True, kw_only=True):
    """When cached contents end: so long from now on, or at that time. Neither leaves it to the server.

    field: what the caller calls it, for errors.
    """

    ttl_ns: int | None = None
    time_ns: int | None = None
    field: str = ""


class NewCache(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants to be cached: the turns, system text and tools of ``request``, and for how long."""

    request: GenerateRequest
    display_name: str = ""
    expiration: Expiration = Expiration()


class CachePlace(msgspec.Struct, frozen=True):
    """Where a page of a list ended: the last cached contents on it, by creation and id."""

    created_ns: int
    id: str
