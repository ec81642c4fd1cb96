"""One request to an operation, read: what its handler is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from geminid.service.administration import Administration
from geminid.wire.admin.message import Message


class Call(NamedTuple):
    """Who asks, and for what. ``body`` is of the type that the operation names.

    size, after: of the page that is wanted, where there are pages.
    """

    actor: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    size: int
    after: str


Handler = Callable[[Administration, Call], Awaitable[Message | None]]
