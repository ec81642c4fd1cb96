"""Answers that every route of this wire gives: JSON with its headers, and problems in the surface's shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
from starlette.responses import Response

from geminid.core.errors import InvalidArgument, NotFound, Problem
from geminid.service.generate import Generation
from geminid.service.meter import Charge
from geminid.web.told import told
from geminid.wire.gemini import errors as google
from geminid.wire.openai import errors
from geminid.wire.openai.chat import ReadChat
from geminid.wire.openai.gone import hint_of
from geminid.wire.openai.refused import Missing, Refused
from geminid.wire.openai.surfaces import OPENAI, Surface

JSON = "application/json"
VERSION = ("openai-version", "2020-10-01")
Headers = Sequence[tuple[str, str]]


class Told(NamedTuple):
    """What every answer tells of its request: its id, and how long it has taken."""

    id: str
    began_s: float
    clock: Callable[[], float]

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers as of now."""
        took_ms = round((self.clock() - self.began_s) * 1000)
        return [("x-request-id", f"req_{self.id}"), ("openai-processing-ms", str(took_ms)), VERSION]


def headers_of(read: ReadChat, generation: Generation, about: Told) -> list[tuple[str, str]]:
    """Return the headers of an answer; the limits of its project as far as they are known by then."""
    return [*about.headers(), *told(read.downgrades, generation), *limits_of(generation.charge)]


def limits_of(charge: Charge | None) -> list[tuple[str, str]]:
    """Return the limits under which a request was admitted, as far as they are known by then."""
    admission = charge.admission if charge is not None else None
    if charge is None or admission is None or not admission.done() or admission.exception() is not None:
        return []
    limits = admission.result().standing.limits_of(charge.asked.model)
    told_limits = (("requests", limits.rpm), ("tokens", limits.tpm))
    return [(f"x-ratelimit-limit-{kind}", str(limit)) for kind, limit in told_limits if limit is not None]


def reply(body: bytes, headers: Headers) -> Response:
    """Return a whole answer."""
    return Response(body, media_type=JSON, headers=dict(headers))


def refusal(problem: Problem, surface: Surface, about: Told, method: str) -> Response:
    """Return a problem; ``method`` is what Google calls what was asked."""
    if surface.google:
        status, body = google.write_error(_googles(problem), method=method, version=surface.version)
        body = b"[" + body.rstrip() + b"\n]\n"
    else:
        status, body = errors.write_error(problem)
    return Response(body, status, dict([*about.headers(), *errors.headers_of(problem)]), JSON)


def write_problem(problem: Problem, surface: Surface) -> bytes:
    """Return a problem on one line, for a stream that has begun.

    Clients look for ``error`` in an object, so within a stream Google's form has no list around it.
    """
    if surface.google:
        return google.write_error_event(_googles(problem), version=surface.version)
    return errors.write_error_event(problem)


def unknown_url(method: str, path: str, surface: Surface, about: Told) -> Response:
    """Return the answer where there is nothing."""
    if surface.google:
        hint = hint_of(path.replace(surface.prefix, OPENAI.prefix, 1))
        return refusal(NotFound(f"There is no {method} {path} here. {hint}".rstrip()), surface, about, "")
    status, body = errors.write_unknown_url(method, path, hint_of(path))
    return Response(body, status, dict(about.headers()), JSON)


def _googles(problem: Problem) -> Problem:
    """Return a problem as Google has it, where that is known to differ."""
    if isinstance(problem, Missing):
        return NotFound(problem.message)
    if not isinstance(problem, Refused) or not problem.names:
        return problem
    described = [
        f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.' for name in problem.names
    ]
    violations = tuple(
        msgspec.structs.replace(problem.violations[0], description=each, field="") for each in described
    )
    return InvalidArgument("\n".join(described), violations=violations)
