"""Problems on this wire: one table from the tree of errors to status and code.

The codes and their statuses are those of Google's reference of this API's errors; words are those of its
other API where they are known. Invariant: a body is ``{"error": {"message", "code"}}``, as SDKs read it.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from geminid.core import errors
from geminid.core.errors import InvalidArgument, Problem, QuotaExceeded
from geminid.wire.gemini import errors as google
from geminid.wire.interactions.replies import Error, ErrorBody

Headers = tuple[tuple[str, str], ...]

WAIT_MS_MAX = 60_000
"""Clients sleep as long as they are told to, however long that is: longer waits are told in words alone."""

METHOD = "interactions"
UNKNOWN_NAME = "Invalid JSON payload received. Unknown name "
PARAMETER_UNKNOWN, QUOTA_EXCEEDED = "parameter_unknown", "quota_exceeded"

_ENCODER = msgspec.json.Encoder()


class Row(NamedTuple):
    """How one kind of problem is answered: HTTP status and code."""

    status: int
    code: str


TABLE: dict[type[Problem], Row] = {
    errors.Problem: Row(500, "api_error"),
    errors.InvalidArgument: Row(400, "invalid_request"),
    errors.UnknownPrevious: Row(404, "not_found"),
    errors.InvalidKey: Row(401, "authentication"),
    errors.Unauthenticated: Row(401, "authentication"),
    errors.FailedPrecondition: Row(400, "failed_precondition"),
    errors.PermissionDenied: Row(403, "permission_denied"),
    errors.NoKey: Row(401, "authentication"),
    errors.NotFound: Row(404, "not_found"),
    errors.UnknownModel: Row(404, "model_not_found"),
    errors.AlreadyExists: Row(409, "already_exists"),
    errors.Aborted: Row(409, "aborted"),
    errors.ResourceExhausted: Row(429, "too_many_requests"),
    errors.QuotaExceeded: Row(429, "rate_limit_exceeded"),
    errors.OutOfCredits: Row(402, "payment_required"),
    errors.Cancelled: Row(499, "cancelled"),
    errors.Unavailable: Row(503, "service_unavailable"),
    errors.DeadlineExceeded: Row(504, "deadline_exceeded"),
    errors.Internal: Row(500, "api_error"),
}
"""A class without a row takes that of its nearest ancestor."""

CODES: dict[str, str] = {kind.code: row.code for kind, row in reversed(TABLE.items())}
"""By google.rpc's code, which is what is kept of a problem: the code of its least special row."""


def write_error(problem: Problem, version: str = "v1beta") -> tuple[int, bytes]:
    """Return HTTP status and body. ``version`` is that of the path, for the words."""
    body = _ENCODER.encode(ErrorBody(error_of(problem, version)))
    return row_of(type(problem)).status, msgspec.json.format(body, indent=2) + b"\n"


def error_of(problem: Problem, version: str = "v1beta") -> Error:
    """Return a problem in words and with its code."""
    return Error(google.status_of(problem, METHOD, version).message, _code(problem))


def headers_of(problem: Problem) -> Headers:
    """Return when to try again, where trying again soon may help."""
    wait_ms = problem.retry_after_ms
    if wait_ms is None or not 0 < wait_ms <= WAIT_MS_MAX:
        return ()
    return ("retry-after", str(-(-wait_ms // 1000))), ("retry-after-ms", str(wait_ms))


def code_of(code: str) -> str:
    """Return the code for one of google.rpc, such as ``UNAVAILABLE``."""
    return CODES.get(code, "api_error")


def row_of(kind: type[Problem]) -> Row:
    """Return the row of a problem's class, or of its nearest ancestor that has one."""
    return next(TABLE[base] for base in kind.__mro__ if base in TABLE)


def _code(problem: Problem) -> str:
    if isinstance(problem, QuotaExceeded) and any("PerDay" in each.quota_id for each in problem.violations):
        return QUOTA_EXCEEDED
    if isinstance(problem, InvalidArgument) and problem.message.startswith(UNKNOWN_NAME):
        return PARAMETER_UNKNOWN
    return row_of(type(problem)).code
