"""Routes that send for themselves, as streams must: Starlette hands functions a request object instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send


class Endpoint:
    """Marks a plain ASGI callable."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the callable answer."""
        await self._app(scope, receive, send)
