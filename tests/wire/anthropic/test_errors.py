"""Every kind of problem has a deliberate row on Anthropic's wire, with a type that goes with its status."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from geminid.core import errors
from geminid.core.errors import Problem
from geminid.wire.anthropic.errors import TABLE, headers_of, row_of, write_error, write_error_event

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def kinds(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == "geminid.core.errors":
            yield from kinds(kind)


@pytest.mark.parametrize("kind", [kind for kind in kinds() if Problem in kind.__bases__ or kind is Problem])
def test_every_direct_kind_of_problem_has_its_own_row(kind):
    assert kind in TABLE


@pytest.mark.parametrize("kind", list(kinds()))
def test_the_type_goes_with_the_status(kind):
    row = row_of(kind)
    assert TYPES[row.status] == row.type


@pytest.mark.parametrize(
    ("problem", "status", "message"),
    [
        (errors.UnknownModel("nosuch"), 404, "model: nosuch"),
        (errors.InputTooLong(200, 100), 400, "prompt is too long: 200 tokens > 100 maximum"),
        (errors.InvalidKey(), 401, "invalid x-api-key"),
        (errors.NoKey(), 401, "x-api-key header is required"),
        (errors.Unavailable("busy"), 529, "busy"),
        (errors.InvalidArgument("lone \ud800 half"), 400, "lone ? half"),
    ],
)
def test_words(problem, status, message):
    found, body = write_error(problem, "req_1")
    said = {"type": "error", "error": {"type": TYPES[status], "message": message}, "request_id": "req_1"}
    assert (found, json.loads(body)) == (status, said)
    assert write_error_event(problem, "req_1") == b"event: error\ndata: %b\n\n" % body


def test_when_to_try_again():
    assert headers_of(errors.Unavailable("busy", retry_after_ms=1500)) == (("retry-after", "2"),)
    assert headers_of(errors.Unavailable("busy")) == ()
