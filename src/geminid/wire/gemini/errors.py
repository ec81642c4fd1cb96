"""Problems on the Gemini wire: one table from the tree of errors to status, words and details.

It knows no exception that is not a ``Problem``. Invariant: ``error`` is the first key and ``code`` a
number, which is how clients recognise an error inside of a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from geminid.core import errors
from geminid.core.errors import InvalidArgument, InvalidKey, Problem, QuotaExceeded, UnknownModel
from geminid.wire.gemini.answers import pretty
from geminid.wire.gemini.replies import ErrorBody, ErrorStatus

_ENCODER = msgspec.json.Encoder()
_TYPE = "type.googleapis.com/google.rpc."
_KEY_INFO: dict[str, object] = {
    "@type": f"{_TYPE}ErrorInfo",
    "reason": "API_KEY_INVALID",
    "domain": "googleapis.com",
    "metadata": {"service": "generativelanguage.googleapis.com"},
}


_HELP_URL = "https://ai.google.dev/gemini-api/docs/rate-limits"
_HELP: dict[str, object] = {
    "@type": f"{_TYPE}Help",
    "links": [{"description": "Learn more about Gemini API quotas", "url": _HELP_URL}],
}


class Call(NamedTuple):
    """What was called: the verb after the colon, and the version in the path."""

    method: str
    version: str


Words = Callable[[Any, Call], str]


class Row(NamedTuple):
    """How one kind of problem is answered: HTTP status, google.rpc code, and its message."""

    status: int
    code: str
    words: Words


def _own_words(problem: Problem, call: Call) -> str:
    return problem.message


def _unknown_model(problem: UnknownModel, call: Call) -> str:
    return (
        f"models/{problem.name} is not found for API version {call.version}, or is not supported for "
        f"{call.method}. Call ModelService.ListModels to see the list of available models and their "
        "supported methods."
    )


def _quota_exceeded(problem: QuotaExceeded, call: Call) -> str:
    lines = [
        "You exceeded your current quota, please check your plan and billing details. For more information "
        f"on this error, head to: {_HELP_URL}. "
    ]
    lines += [
        f"* Quota exceeded for metric: {each.metric}, limit: {each.value}, model: {problem.model}"
        for each in problem.violations
    ]
    if problem.retry_after_ms is not None:
        lines.append(f"Please retry in {_duration(problem.retry_after_ms)}.")
    return "\n".join(lines)


TABLE: dict[type[Problem], Row] = {
    errors.Problem: Row(500, "UNKNOWN", _own_words),
    errors.InvalidArgument: Row(400, "INVALID_ARGUMENT", _own_words),
    errors.Unauthenticated: Row(401, "UNAUTHENTICATED", _own_words),
    errors.FailedPrecondition: Row(400, "FAILED_PRECONDITION", _own_words),
    errors.PermissionDenied: Row(403, "PERMISSION_DENIED", _own_words),
    errors.NotFound: Row(404, "NOT_FOUND", _own_words),
    errors.UnknownModel: Row(404, "NOT_FOUND", _unknown_model),
    errors.AlreadyExists: Row(409, "ALREADY_EXISTS", _own_words),
    errors.Aborted: Row(409, "ABORTED", _own_words),
    errors.ResourceExhausted: Row(429, "RESOURCE_EXHAUSTED", _own_words),
    errors.QuotaExceeded: Row(429, "RESOURCE_EXHAUSTED", _quota_exceeded),
    errors.OutOfCredits: Row(402, "RESOURCE_EXHAUSTED", _own_words),
    errors.Cancelled: Row(499, "CANCELLED", _own_words),
    errors.Unavailable: Row(503, "UNAVAILABLE", _own_words),
    errors.DeadlineExceeded: Row(504, "DEADLINE_EXCEEDED", _own_words),
    errors.Internal: Row(500, "INTERNAL", _own_words),
}
"""A class without a row takes that of its nearest ancestor."""


NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
            *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED"),
            *("OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
        )
    )
}
"""The numbers of google.rpc.Code."""


class Status(msgspec.Struct):
    """A google.rpc.Status: the number of its code, and words."""

    code: int
    message: str


def write_error(
    problem: Problem, *, method: str = "generateContent", version: str = "v1beta"
) -> tuple[int, bytes]:
    """Return HTTP status and body. ``method`` and ``version`` are those of the path, for the words."""
    body = _body(problem, Call(method, version))
    return body.error.code, pretty(body)


def status_of(problem: Problem, method: str, version: str = "v1beta") -> Status:
    """Return a problem as a google.rpc.Status, as it stands inside of answers: its number and its words."""
    words = row_of(type(problem)).words(problem, Call(method, version))
    return Status(code=NUMBERS[problem.code], message=_sayable(words))


def write_error_event(problem: Problem, *, method: str = "generateContent", version: str = "v1beta") -> bytes:
    """Return the body on one line, for a stream that has already begun."""
    return _ENCODER.encode(_body(problem, Call(method, version)))


def row_of(kind: type[Problem]) -> Row:
    """Return the row of a problem's class, or of its nearest ancestor that has one."""
    return next(TABLE[base] for base in kind.__mro__ if base in TABLE)


def _body(problem: Problem, call: Call) -> ErrorBody:
    row = row_of(type(problem))
    return ErrorBody(
        error=ErrorStatus(
            code=row.status,
            message=_sayable(row.words(problem, call)),
            status=row.code,
            details=_details(problem) or None,
        )
    )


def _sayable(text: str) -> str:
    """Replace what cannot be encoded: an error must always be told, whatever name it quotes."""
    return text.encode(errors="replace").decode()


def _details(problem: Problem) -> list[dict[str, object]]:
    details: list[dict[str, object]] = []
    if isinstance(problem, InvalidKey):
        details += [
            _KEY_INFO,
            {"@type": f"{_TYPE}LocalizedMessage", "locale": "en-US", "message": problem.message},
        ]
    if isinstance(problem, InvalidArgument) and problem.violations:
        details.append(_bad_request(problem))
    if isinstance(problem, QuotaExceeded):
        details += [_HELP, _quota_failure(problem)]
    if problem.retry_after_ms is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": _duration(problem.retry_after_ms)})
    return details


def _bad_request(problem: InvalidArgument) -> dict[str, object]:
    violations = [
        {"field": violation.field, "description": violation.description}
        if violation.field
        else {"description": violation.description}
        for violation in problem.violations
    ]
    return {"@type": f"{_TYPE}BadRequest", "fieldViolations": violations}


def _quota_failure(problem: QuotaExceeded) -> dict[str, object]:
    violations = [
        {
            "quotaMetric": each.metric,
            "quotaId": each.quota_id,
            "quotaDimensions": {"location": "global", "model": problem.model},
            "quotaValue": str(each.value),
        }
        for each in problem.violations
    ]
    return {"@type": f"{_TYPE}QuotaFailure", "violations": violations}


def _duration(ms: int) -> str:
    seconds, rest = divmod(max(ms, 0), 1000)
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    return f"{seconds}{fraction}s"
