"""Every kind of problem has a deliberate row on OpenAI's wire, with all four members."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from geminid.core import errors
from geminid.core.errors import FieldViolation, InvalidArgument, Problem, QuotaExceeded, QuotaViolation
from geminid.wire.openai.errors import (
    TABLE,
    headers_of,
    row_of,
    write_error,
    write_error_event,
    write_unknown_url,
)
from geminid.wire.openai.gone import hint_of


def kinds(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == "geminid.core.errors":
            yield from kinds(kind)


@pytest.mark.parametrize("kind", [kind for kind in kinds() if Problem in kind.__bases__ or kind is Problem])
def test_every_direct_kind_of_problem_has_its_own_row(kind):
    assert kind in TABLE


@pytest.mark.parametrize("kind", list(kinds()))
def test_every_kind_has_a_status_that_clients_know(kind):
    assert row_of(kind).status in (400, 401, 403, 404, 409, 429, 500, 503, 504)


@pytest.mark.parametrize("problem", [errors.NoKey(), errors.Internal("no"), InvalidArgument("no")])
def test_a_body_has_all_four_members_whole_and_within_a_stream(problem):
    status, body = write_error(problem)
    assert status == row_of(type(problem)).status
    assert json.loads(body).keys() == {"error"}
    assert json.loads(body)["error"].keys() == {"message", "type", "param", "code"}
    event = write_error_event(problem)
    assert b"\n" not in event
    assert json.loads(event) == json.loads(body)


def test_a_field_that_another_room_names_is_the_param_as_this_wire_calls_it():
    def param(field: str) -> str | None:
        problem = InvalidArgument("no", violations=(FieldViolation("no", field),))
        return json.loads(write_error(problem)[1])["error"]["param"]

    assert param("messages[0].content[1].image_url.url") == "messages[0].content[1].image_url.url"
    assert param("generation_config.response_logprobs") == "logprobs"
    assert param("") is None


def test_what_cannot_be_encoded_is_told_all_the_same():
    assert "?" in json.loads(write_error(errors.UnknownModel("\ud800"))[1])["error"]["message"]


@pytest.mark.parametrize(
    ("quota_id", "words", "kind"),
    [
        ("GenerateRequestsPerMinutePerProjectPerModel", "requests per min (RPM): Limit 5", "requests"),
        ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "requests per day (RPD): Limit 5", "requests"),
        ("GenerateContentPaidTierInputTokensPerModelPerMinute", "tokens per min (TPM): Limit 5", "tokens"),
        ("ConcurrentRequestsPerProjectPerModel", "requests at once: Limit 5", "requests"),
        ("SpendPerDayPerProject", "spending: Limit 5", "requests"),
    ],
)
def test_a_limit_is_told_with_what_it_counts(quota_id, words, kind):
    problem = QuotaExceeded("tiny", (QuotaViolation(quota_id, "m", 5),), retry_after_ms=62_500)
    error = json.loads(write_error(problem)[1])["error"]
    assert words in error["message"]
    assert error["message"].endswith("Please try again in 1m3s.")
    assert (error["type"], error["code"]) == (kind, "rate_limit_exceeded")
    assert dict(headers_of(problem))[f"x-ratelimit-reset-{kind}"] == "1m3s"


@pytest.mark.parametrize(
    ("problem", "again"),
    [
        (errors.OutOfCredits("no"), False),
        (QuotaExceeded("tiny", ()), False),
        (QuotaExceeded("tiny", (), retry_after_ms=5 * 3_600_000), False),
        (QuotaExceeded("tiny", (), retry_after_ms=5_000), True),
        (errors.Unavailable("no", retry_after_ms=5_000), True),
        (errors.Internal("no"), True),
    ],
)
def test_clients_are_told_not_to_try_again_where_that_is_of_no_use(problem, again):
    assert (dict(headers_of(problem)).get("x-should-retry") != "false") is again


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/v1/assistants", "Responses API"),
        ("/v1/threads/thread_1/runs", "Responses API"),
        ("/v1/completions", "chat completions"),
        ("/v1/nosuch", ""),
    ],
)
def test_where_there_is_nothing_it_is_said_what_to_use_instead(path, hint):
    assert hint in hint_of(path)
    status, body = write_unknown_url("POST", path, hint_of(path))
    error = json.loads(body)["error"]
    assert (status, error["code"], error["param"]) == (404, "unknown_url", None)
    assert error["message"].startswith(f"Invalid URL (POST {path})")
