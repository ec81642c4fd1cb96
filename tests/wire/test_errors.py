"""Errors on the wire: every kind of problem has a deliberate row, in the shape that clients parse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from geminid.core import errors
from geminid.core.errors import FieldViolation, OutOfCredits, Problem, QuotaExceeded, QuotaViolation
from geminid.wire.gemini.errors import TABLE, row_of, write_error, write_error_event


def kinds(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__.startswith("geminid."):
            yield from kinds(kind)


def body(problem: Problem, **call: str) -> dict[str, Any]:
    return json.loads(write_error(problem, **call)[1])["error"]


@pytest.mark.parametrize("kind", [kind for kind in kinds() if Problem in kind.__bases__ or kind is Problem])
def test_every_direct_kind_of_problem_has_its_own_row(kind):
    assert kind in TABLE


@pytest.mark.parametrize("kind", list(kinds()))
def test_every_kind_is_answered_with_the_code_that_it_says(kind):
    assert row_of(kind).code == kind.code
    assert 400 <= row_of(kind).status <= 599


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (errors.InvalidArgument("no"), 400, "INVALID_ARGUMENT"),
        (errors.FailedPrecondition("no"), 400, "FAILED_PRECONDITION"),
        (errors.PermissionDenied("no"), 403, "PERMISSION_DENIED"),
        (errors.NotFound("no"), 404, "NOT_FOUND"),
        (errors.ResourceExhausted("no"), 429, "RESOURCE_EXHAUSTED"),
        (errors.Internal("no"), 500, "INTERNAL"),
        (errors.Unavailable("no"), 503, "UNAVAILABLE"),
        (errors.DeadlineExceeded("no"), 504, "DEADLINE_EXCEEDED"),
        (Problem("no"), 500, "UNKNOWN"),
    ],
)
def test_each_problem_has_its_status_and_its_own_words(problem, status, code):
    assert write_error(problem)[0] == status
    assert body(problem) == {"code": status, "message": "no", "status": code}


def test_a_body_is_pretty_and_an_event_is_one_line_with_error_first():
    problem = errors.Unavailable("busy")
    assert write_error(problem)[1] == (
        b'{\n  "error": {\n    "code": 503,\n    "message": "busy",\n    "status": "UNAVAILABLE"\n  }\n}\n'
    )
    assert write_error_event(problem) == b'{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}'


def test_an_unknown_model_is_told_in_googles_words():
    assert body(errors.UnknownModel("x"), method="countTokens", version="v1") == {
        "code": 404,
        "message": (
            "models/x is not found for API version v1, or is not supported for countTokens. Call "
            "ModelService.ListModels to see the list of available models and their supported methods."
        ),
        "status": "NOT_FOUND",
    }
    assert b"v1alpha" in write_error_event(errors.UnknownModel("x"), version="v1alpha")


def test_a_prompt_that_is_too_long_is_told_in_googles_words():
    assert body(errors.InputTooLong(9, 8))["message"] == (
        "The input token count (9) exceeds the maximum number of tokens allowed (8)."
    )


def test_violations_are_told_as_bad_request_without_empty_fields():
    problem = errors.InvalidArgument("a\nb", violations=(FieldViolation("a", "x.y"), FieldViolation("b")))
    assert body(problem)["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "x.y", "description": "a"}, {"description": "b"}],
        }
    ]


@pytest.mark.parametrize(
    ("ms", "delay"),
    [(26_000, "26s"), (1500, "1.5s"), (26_070, "26.07s"), (1, "0.001s"), (0, "0s"), (-5, "0s")],
)
def test_a_hint_to_retry_is_told_as_a_duration(ms, delay):
    assert body(errors.ResourceExhausted("no", retry_after_ms=ms))["details"] == [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    ]


def test_an_error_can_be_told_whatever_name_it_quotes():
    assert "models/? is not found" in body(errors.UnknownModel("\ud800"))["message"]


def test_a_new_kind_takes_the_row_of_its_ancestor():
    class Newer(errors.UnknownModel):
        pass

    assert row_of(Newer) is TABLE[errors.UnknownModel]


def test_limits_that_are_reached_are_told_in_googles_full_shape():
    minute = QuotaViolation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "x.com/requests", 15)
    day = QuotaViolation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "x.com/requests", 1000)
    problem = QuotaExceeded("gemini-3.1-flash-lite", (minute, day), retry_after_ms=26_070)
    status, body = write_error(problem)
    error = json.loads(body)["error"]
    assert (status, error["code"], error["status"]) == (429, 429, "RESOURCE_EXHAUSTED")
    assert error["message"].splitlines()[1:] == [
        "* Quota exceeded for metric: x.com/requests, limit: 15, model: gemini-3.1-flash-lite",
        "* Quota exceeded for metric: x.com/requests, limit: 1000, model: gemini-3.1-flash-lite",
        "Please retry in 26.07s.",
    ]
    help_, failure, retry = error["details"]
    assert help_ == {
        "@type": "type.googleapis.com/google.rpc.Help",
        "links": [
            {
                "description": "Learn more about Gemini API quotas",
                "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
            }
        ],
    }
    assert failure["@type"] == "type.googleapis.com/google.rpc.QuotaFailure"
    assert failure["violations"][0] == {
        "quotaMetric": "x.com/requests",
        "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": "gemini-3.1-flash-lite"},
        "quotaValue": "15",
    }
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "26.07s"}


def test_a_limit_that_never_clears_has_no_retry_info():
    problem = QuotaExceeded("m", (QuotaViolation("a", "b", 0),))
    _, body = write_error(problem)
    error = json.loads(body)["error"]
    assert "limit: 0, model: m" in error["message"]
    assert "retry in" not in error["message"]
    assert [each["@type"].rpartition(".")[2] for each in error["details"]] == ["Help", "QuotaFailure"]


def test_a_project_that_cannot_pay_is_told_so_with_402():
    status, body = write_error(OutOfCredits("Nothing is left."))
    error = json.loads(body)["error"]
    assert (status, error) == (
        402,
        {"code": 402, "message": "Nothing is left.", "status": "RESOURCE_EXHAUSTED"},
    )
