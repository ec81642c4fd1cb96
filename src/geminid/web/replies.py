"""Answers that every route of Google's API gives: JSON, and problems in their shape."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from geminid.core.errors import Problem
from geminid.wire.gemini import errors

JSON = "application/json; charset=UTF-8"
VARY = ("vary", "X-Origin, Referer")  # the CORS middleware adds Origin


def reply(body: bytes, headers: Sequence[tuple[str, str]] = (VARY,)) -> Response:
    """Return a whole answer."""
    return Response(body, media_type=JSON, headers=dict(headers))


def refusal(problem: Problem, method: str, version: str, *, in_list: bool = False) -> Response:
    """Return a problem, worded for the method and version that were called."""
    status, body = errors.write_error(problem, method=method, version=version)
    retry = {"retry-after": str(-(-problem.retry_after_ms // 1000))} if problem.retry_after_ms else {}
    return Response(b"[" + body.rstrip() + b"\n]\n" if in_list else body, status, retry, JSON)
