"""Messages about cached contents."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from geminid.wire.admin.fields import Dollars, Time
from geminid.wire.admin.message import Message


class Cache(Message, frozen=True):
    """Cached contents of a project, without what is in them."""

    id: Annotated[str, Meta(description="Their name without `cachedContents/`.")]
    project: str
    model: str
    asked: Annotated[str, Meta(description="The model's name as it was asked for.")]
    display_name: str
    tokens: int
    tokens_by_modality: Annotated[dict[str, int], Meta(description="What is zero is left out.")]
    create_time: Time
    update_time: Time
    expire_time: Time
    hits: Annotated[int, Meta(description="Requests that used them and were paid for.")]
    cached_tokens: Annotated[int, Meta(description="Tokens of those that came from a cache.")]
    saved: Annotated[Dollars, Meta(description="By how much more these would have cost fresh.")]
    per_million_hours: Annotated[
        Dollars | None,
        Meta(description="The price of keeping a million tokens for an hour; null without a price."),
    ]
    storage: Annotated[Dollars | None, Meta(description="What keeping them has cost until now.")]


class CachePage(Message, frozen=True):
    """Cached contents, the newest first."""

    caches: tuple[Cache, ...]
    next_page_token: str = ""
