"""Routes that every surface has, and what each of them does before and after its answer: key, headers,
problems.

It knows no endpoint.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from geminid.core import clock, ids
from geminid.core.caller import Caller, Verb
from geminid.core.errors import Problem
from geminid.web.auth import Doorkeeper
from geminid.web.gemini import CLIENT_CLOSED_REQUEST
from geminid.web.openai.replies import Told, refusal
from geminid.web.openai.sharing import SharedRoute
from geminid.web.stream import ClientGone
from geminid.wire.openai.surfaces import OPENAI, Surface

Headers = list[tuple[str, str]]
Answering = Callable[[Request, Caller, Surface, Told], Awaitable[Response]]


class Guard:
    """Lets callers in, and tells them what went wrong in the shape of their surface."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        *,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self._doorkeeper = doorkeeper
        self._clock = clock
        self._new_id = new_id

    def of(
        self, surface: Surface, verb: Verb, method: str, answer: Answering, *, fresh: bool = True
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers a request.

        verb: what a key must be good for. method: what Google calls what is asked. fresh: False where the
        meter looks at the key again.
        """
        return partial(self._answer, surface, verb, method, answer, fresh)

    async def _answer(
        self, surface: Surface, verb: Verb, method: str, answer: Answering, fresh: bool, request: Request
    ) -> Response:
        told = Told(self._new_id(), self._clock(), self._clock)
        try:
            caller = await self._doorkeeper.admit(request, verb, fresh=fresh)
            return await answer(request, caller, surface, told)
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Problem as problem:
            return refusal(problem, surface, told, method)


def route_of(
    surface: Surface, method: str, path: str, answer: Callable[[Request], Awaitable[Response]]
) -> BaseRoute:
    """Return the route of one path at a surface; what Google's clients may mean is for OpenAI's alone."""
    kind = SharedRoute if surface is OPENAI and method != "POST" else Route
    return kind(f"{surface.prefix}{path}", answer, methods=[method])
