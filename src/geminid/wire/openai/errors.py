"""Problems on OpenAI's wire: one table from the tree of errors to status, type, code and words.

It knows no exception that is not a ``Problem``. Invariant: ``error`` has message, type, param and code,
always all four, which is what OpenAI's clients make their exceptions from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from geminid.core import errors
from geminid.core.errors import (
    InputTooLong,
    InvalidArgument,
    Problem,
    QuotaExceeded,
    UnknownFile,
    UnknownModel,
)
from geminid.wire.openai.answers import ENCODER, pretty
from geminid.wire.openai.refused import Ended, Missing, Refused
from geminid.wire.openai.replies import ErrorBody, ErrorObject
from geminid.wire.openai.surfaces import OPENAI

INVALID = "invalid_request_error"
SERVER = "server_error"
QUOTA = "insufficient_quota"
RATE = "rate_limit_exceeded"
UNKNOWN_URL = "unknown_url"

NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
    "auth (i.e. Authorization: Bearer YOUR_KEY)."
)
WRONG_KEY = "Incorrect API key provided."
LITTLE = "You exceeded your current quota, please check your plan and billing details."

_PARAMS = {"generation_config.response_logprobs": "logprobs", "output_dimensionality": "dimensions"}
"""How this wire calls what is refused elsewhere under the name of another."""
_HOUR_MS = 3_600_000

Words = Callable[[Any], str]
Headers = tuple[tuple[str, str], ...]


class Row(NamedTuple):
    """How one kind of problem is answered."""

    status: int
    type: str
    code: str | None
    words: Words


def _own_words(problem: Problem) -> str:
    return problem.message


def _too_long(problem: InputTooLong) -> str:
    return (
        f"This model's maximum context length is {problem.tokens_max} tokens. However, your messages "
        f"resulted in {problem.tokens} tokens. Please reduce the length of the messages."
    )


def _unknown_model(problem: UnknownModel) -> str:
    return f"The model `{problem.name}` does not exist or you do not have access to it."


def _unknown_file(problem: UnknownFile) -> str:
    return f"No such File object: {OPENAI.file_prefix}{problem.file_id}"


def _rate(problem: QuotaExceeded) -> str:
    limits = ", ".join(f"{_unit(each.quota_id)}: Limit {each.value}" for each in problem.violations)
    words = f"Rate limit reached for {problem.model} on {limits}."
    if problem.retry_after_ms is not None:
        words += f" Please try again in {_duration(problem.retry_after_ms)}."
    return words


TABLE: dict[type[Problem], Row] = {
    errors.Problem: Row(500, SERVER, None, _own_words),
    errors.InvalidArgument: Row(400, INVALID, None, _own_words),
    errors.InputTooLong: Row(400, INVALID, "context_length_exceeded", _too_long),
    errors.InvalidKey: Row(401, INVALID, "invalid_api_key", lambda problem: WRONG_KEY),
    errors.ExpiredKey: Row(401, INVALID, "invalid_api_key", lambda problem: "API key expired."),
    errors.Unauthenticated: Row(401, INVALID, "invalid_api_key", _own_words),
    errors.FailedPrecondition: Row(400, INVALID, None, _own_words),
    errors.PermissionDenied: Row(403, INVALID, "insufficient_permissions", _own_words),
    errors.NoKey: Row(401, INVALID, None, lambda problem: NO_KEY),
    errors.UnknownFile: Row(404, INVALID, None, _unknown_file),
    errors.NotFound: Row(404, INVALID, None, _own_words),
    errors.UnknownModel: Row(404, INVALID, "model_not_found", _unknown_model),
    Missing: Row(404, INVALID, None, _own_words),
    Ended: Row(409, INVALID, None, _own_words),
    errors.AlreadyExists: Row(409, INVALID, "already_exists", _own_words),
    errors.Aborted: Row(409, INVALID, "conflict", _own_words),
    errors.ResourceExhausted: Row(429, QUOTA, QUOTA, _own_words),
    errors.QuotaExceeded: Row(429, "requests", RATE, _rate),
    errors.OutOfCredits: Row(429, QUOTA, QUOTA, lambda problem: f"{LITTLE} {problem.message}"),
    errors.Cancelled: Row(409, INVALID, "cancelled", _own_words),
    errors.Unavailable: Row(503, SERVER, None, _own_words),
    errors.DeadlineExceeded: Row(504, SERVER, "timeout", _own_words),
    errors.Internal: Row(500, SERVER, None, _own_words),
}
"""A class without a row takes that of its nearest ancestor."""


def write_error(problem: Problem) -> tuple[int, bytes]:
    """Return HTTP status and body."""
    return row_of(type(problem)).status, pretty(_body(problem))


def write_error_event(problem: Problem) -> bytes:
    """Return the body on one line, for a stream that has already begun."""
    return ENCODER.encode(_body(problem))


def write_unknown_url(method: str, path: str, hint: str = "") -> tuple[int, bytes]:
    """Return the answer where there is nothing; ``hint`` says where there is something instead."""
    message = f"Invalid URL ({method} {_sayable(path)})"
    error = ErrorObject(
        message=f"{message}. {hint}" if hint else message, type=INVALID, param=None, code=UNKNOWN_URL
    )
    return 404, pretty(ErrorBody(error=error))


def headers_of(problem: Problem) -> Headers:
    """Return what clients go by: whether and when to try again, and which limit was reached."""
    headers: list[tuple[str, str]] = []
    wait_ms = problem.retry_after_ms
    if wait_ms is not None:
        headers += [("retry-after", str(-(-wait_ms // 1000))), ("retry-after-ms", str(wait_ms))]
    if isinstance(problem, errors.ResourceExhausted) and (wait_ms is None or wait_ms > _HOUR_MS):
        headers.append(("x-should-retry", "false"))  # clients would try twice more, for nothing
    elif isinstance(problem, Ended):
        headers.append(("x-should-retry", "false"))
    if isinstance(problem, QuotaExceeded):
        for each in problem.violations:
            kind = _kind(each.quota_id)
            headers += [
                (f"x-ratelimit-limit-{kind}", str(each.value)),
                (f"x-ratelimit-remaining-{kind}", "0"),
            ]
            if wait_ms is not None:
                headers.append((f"x-ratelimit-reset-{kind}", _duration(wait_ms)))
    return tuple(dict(headers).items())


def row_of(kind: type[Problem]) -> Row:
    """Return the row of a problem's class, or of its nearest ancestor that has one."""
    return next(TABLE[base] for base in kind.__mro__ if base in TABLE)


def _body(problem: Problem) -> ErrorBody:
    row = row_of(type(problem))
    kind = row.type
    if isinstance(problem, QuotaExceeded) and problem.violations:
        kind = _kind(problem.violations[0].quota_id)
    return ErrorBody(
        error=ErrorObject(
            message=_sayable(row.words(problem)), type=kind, param=_param(problem), code=_code(problem, row)
        )
    )


def _param(problem: Problem) -> str | None:
    if isinstance(problem, InputTooLong):
        return "messages"
    if isinstance(problem, Refused):
        return None if problem.param is None else _sayable(problem.param)
    if isinstance(problem, InvalidArgument) and problem.violations:
        field = problem.violations[0].field
        return _sayable(_PARAMS.get(field, field)) or None
    return None


def _code(problem: Problem, row: Row) -> str | None:
    return problem.kind if isinstance(problem, Refused) else row.code


def _kind(quota_id: str) -> str:
    return "tokens" if "Token" in quota_id else "requests"


def _unit(quota_id: str) -> str:
    """Return what a limit counts, as OpenAI words it."""
    per, short = ("day", "D") if "PerDay" in quota_id else ("min", "M")
    if "Concurrent" in quota_id:
        return "requests at once"
    if "Spend" in quota_id:
        return "spending"
    what = "tokens" if "Token" in quota_id else "requests"
    return f"{what} per {per} ({what[0].upper()}P{short})"


def _duration(ms: int) -> str:
    """Return a time as OpenAI's headers have it: ``26s``, ``6m0s``, ``120ms``."""
    if ms < 1000:
        return f"{max(ms, 0)}ms"
    minutes, seconds = divmod(-(-ms // 1000), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _sayable(text: str) -> str:
    """Replace what cannot be encoded: an error must always be told, whatever name it quotes."""
    return text.encode(errors="replace").decode()
