"""Problems on this wire: every one has a status and a code of Google's reference."""

import json

import pytest

from geminid.core import errors as tree
from geminid.core.errors import Problem
from geminid.wire.interactions import errors

REFERENCE = {
    "invalid_request": 400,
    "failed_precondition": 400,
    "parameter_unknown": 400,
    "authentication": 401,
    "payment_required": 402,
    "permission_denied": 403,
    "not_found": 404,
    "model_not_found": 404,
    "already_exists": 409,
    "aborted": 409,
    "rate_limit_exceeded": 429,
    "quota_exceeded": 429,
    "too_many_requests": 429,
    "cancelled": 499,
    "api_error": 500,
    "service_unavailable": 503,
    "deadline_exceeded": 504,
}
"""Google's table of this API's error codes."""


def problems(kind: type[Problem] = Problem) -> list[type[Problem]]:
    return [kind, *(each for child in kind.__subclasses__() for each in problems(child))]


@pytest.mark.parametrize("kind", problems(), ids=lambda kind: kind.__name__)
def test_every_problem_has_a_code_of_the_reference_with_its_status(kind):
    row = errors.row_of(kind)
    assert REFERENCE[row.code] == row.status


def test_what_is_kept_of_a_problem_is_told_with_its_most_general_code():
    assert errors.code_of("UNAVAILABLE") == "service_unavailable"
    assert errors.code_of("INVALID_ARGUMENT") == "invalid_request"
    assert errors.code_of("RESOURCE_EXHAUSTED") == "too_many_requests"
    assert errors.code_of("NOT_FOUND") == "not_found"
    assert errors.code_of("PERMISSION_DENIED") == "permission_denied"
    assert errors.code_of("FAILED_PRECONDITION") == "failed_precondition"
    assert errors.code_of("INTERNAL") == errors.code_of("UNKNOWN") == errors.code_of("?") == "api_error"


def test_words_that_cannot_be_encoded_are_told_all_the_same():
    status, body = errors.write_error(tree.NotFound("There is no \ud800 here."))
    assert (status, json.loads(body)["error"]["message"]) == (404, "There is no ? here.")


def test_who_may_try_again_soon_is_told_when():
    soon = tree.Unavailable("busy", retry_after_ms=1500)
    assert errors.headers_of(soon) == (("retry-after", "2"), ("retry-after-ms", "1500"))


@pytest.mark.parametrize("wait_ms", [None, 0, 60_001, 86_400_000])
def test_no_client_is_told_to_sleep_long(wait_ms):
    assert errors.headers_of(tree.Unavailable("busy", retry_after_ms=wait_ms)) == ()
