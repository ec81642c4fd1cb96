"""Who is OpenAI's client and who is Google's, where both have the path."""

import pytest
from starlette.routing import Match

from geminid.web.openai.sharing import SharedRoute, is_openais


def scope(headers=(), query=b"", method="GET", path="/v1/models"):
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": "http", "method": method, "path": path, "headers": raw, "query_string": query}


BEARER = ("authorization", "Bearer sk-x")


@pytest.mark.parametrize(
    ("headers", "query", "openais"),
    [
        ([BEARER], b"", True),
        ([("authorization", "bearer sk-x"), ("x-stainless-lang", "python")], b"", True),
        ([BEARER], b"limit=3", True),
        ([], b"", False),
        ([("authorization", "Basic eA==")], b"", False),
        ([BEARER, ("x-goog-user-project", "p")], b"", False),
        ([BEARER, ("x-goog-api-client", "genai")], b"", False),
        ([BEARER, ("x-goog-api-key", "k")], b"", False),
        ([BEARER], b"key=k", False),
        ([("x-goog-api-key", "k")], b"", False),
    ],
)
def test_a_bearer_and_nothing_of_googles_is_openais(headers, query, openais):
    assert is_openais(scope(headers, query)) is openais


def test_a_shared_route_is_not_there_for_others():
    route = SharedRoute("/v1/models", lambda request: None, methods=["GET"])
    assert route.matches(scope([BEARER]))[0] is Match.FULL
    assert route.matches(scope())[0] is Match.NONE
    assert route.matches(scope([BEARER], method="DELETE"))[0] is Match.PARTIAL
