"""Problems on Anthropic's wire: one table from the tree of errors to status, type and words.

It knows no exception that is not a ``Problem``. Invariant: the body has ``type`` error, and in ``error`` a
type that goes with the status, which is what clients make their exceptions from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from geminid.core import errors
from geminid.core.errors import InputTooLong, Problem, UnknownModel
from geminid.wire.anthropic.answers import ENCODER, framed
from geminid.wire.anthropic.replies import ErrorBody, ErrorObject

INVALID, AUTHENTICATION, NOT_FOUND = "invalid_request_error", "authentication_error", "not_found_error"
SERVER, RATE, PERMISSION = "api_error", "rate_limit_error", "permission_error"
OVERLOADED, BILLING, TIMEOUT = "overloaded_error", "billing_error", "timeout_error"
NO_VERSION = "anthropic-version: header is required"
WRONG_KEY = "invalid x-api-key"
LITTLE_CREDIT = "Your credit balance is too low to access this API."

Headers = tuple[tuple[str, str], ...]


class Row(NamedTuple):
    """How one kind of problem is answered."""

    status: int
    type: str
    words: Callable[[Any], str] = lambda problem: str(problem.message)


def _too_long(problem: InputTooLong) -> str:
    return f"prompt is too long: {problem.tokens} tokens > {problem.tokens_max} maximum"


def _unknown_model(problem: UnknownModel) -> str:
    return f"model: {problem.name}"


TABLE: dict[type[Problem], Row] = {
    errors.Problem: Row(500, SERVER),
    errors.InvalidArgument: Row(400, INVALID),
    errors.InputTooLong: Row(400, INVALID, _too_long),
    errors.InvalidKey: Row(401, AUTHENTICATION, lambda problem: WRONG_KEY),
    errors.Unauthenticated: Row(401, AUTHENTICATION),
    errors.FailedPrecondition: Row(400, INVALID),
    errors.PermissionDenied: Row(403, PERMISSION),
    errors.NoKey: Row(401, AUTHENTICATION, lambda problem: "x-api-key header is required"),
    errors.UnknownFile: Row(404, NOT_FOUND, lambda problem: f"File not found: {problem.file_id}"),
    errors.UnknownCache: Row(404, NOT_FOUND),
    errors.NotFound: Row(404, NOT_FOUND),
    errors.UnknownModel: Row(404, NOT_FOUND, _unknown_model),
    errors.AlreadyExists: Row(409, INVALID),
    errors.Aborted: Row(409, INVALID),
    errors.ResourceExhausted: Row(429, RATE),
    errors.OutOfCredits: Row(402, BILLING, lambda problem: f"{LITTLE_CREDIT} {problem.message}"),
    errors.Cancelled: Row(409, INVALID),
    errors.Unavailable: Row(529, OVERLOADED),
    errors.DeadlineExceeded: Row(504, TIMEOUT),
    errors.Internal: Row(500, SERVER),
}
"""A class without a row takes that of its nearest ancestor."""


def write_error(problem: Problem, request_id: str) -> tuple[int, bytes]:
    """Return HTTP status and body."""
    return row_of(type(problem)).status, ENCODER.encode(_body(problem, request_id))


def write_error_event(problem: Problem, request_id: str) -> bytes:
    """Return the event by which a stream that has begun ends."""
    return framed(_body(problem, request_id))


def headers_of(problem: Problem) -> Headers:
    """Return when to try again, where that is known."""
    if problem.retry_after_ms is None:
        return ()
    return (("retry-after", str(-(-problem.retry_after_ms // 1000))),)


def row_of(kind: type[Problem]) -> Row:
    """Return the row of a problem's class, or of its nearest ancestor that has one."""
    return next(TABLE[base] for base in kind.__mro__ if base in TABLE)


def _body(problem: Problem, request_id: str) -> ErrorBody:
    row = row_of(type(problem))
    words = row.words(problem).encode(errors="replace").decode()  # an error must always be told
    return ErrorBody(error=ErrorObject(type=row.type, message=words), request_id=request_id)
