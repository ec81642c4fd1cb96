"""Headers of answers to interactions, and problems in their shape."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from geminid.core.errors import NotFound, Problem
from geminid.service.interactions import Running
from geminid.web.gemini import DOWNGRADE_HEADER, TIER_HEADER
from geminid.web.replies import JSON, VARY
from geminid.web.told import told
from geminid.wire.interactions import errors
from geminid.wire.interactions.answers import Telling
from geminid.wire.interactions.create import ReadInteraction

NOT_KEPT = "store=not-kept"

Headers = tuple[tuple[str, str], ...]


def headers_of(read: ReadInteraction, running: Running) -> Headers:
    """Return the headers of an answer in the foreground."""
    lost = (NOT_KEPT,) if read.store and not running.interaction.stored else ()
    return (*named(read.telling), *told((*read.downgrades, *lost), running.generation))


def named(telling: Telling, downgrades: Sequence[str] = ()) -> Headers:
    """Return the headers that say how a request is served."""
    always = (TIER_HEADER, telling.tier), VARY
    return (*always, (DOWNGRADE_HEADER, ", ".join(downgrades))) if downgrades else always


async def nothing(version: str, request: Request) -> Response:
    """Answer where there is nothing."""
    return refusal(NotFound(f"There is no {request.method} {request.url.path} here."), version)


def refusal(problem: Problem, version: str) -> Response:
    """Return a problem in this API's shape."""
    status, body = errors.write_error(problem, version)
    return Response(body, status, dict(errors.headers_of(problem)), JSON)
