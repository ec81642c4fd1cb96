"""Lines of batches: whatever a line is, it becomes a request or a reason, and its result is one line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.errors import (
    FieldViolation,
    InvalidArgument,
    OutOfCredits,
    Problem,
    Unavailable,
    UnknownModel,
)
from geminid.wire.gemini import batch_lines
from geminid.wire.gemini.batch_lines import Line

KEYS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.text(max_size=5), KEYS, max_size=3)


def result(line: Line) -> dict[str, object]:
    """What a line is answered with, as clients read it."""
    if line.fault is not None:
        written = batch_lines.write_failure(line, line.fault)
    else:
        written = batch_lines.write_result(line, b'{\n  "candidates": [ ]\n}\n')
    assert written.endswith(b"}\n")
    assert written.count(b"\n") == 1
    return json.loads(written)


@given(KEYS, OBJECTS, st.none() | OBJECTS, st.booleans())
def test_what_hangs_on_a_request_comes_back_on_its_result(key, request, metadata, pretty):
    said = {"key": key, "request": request, "metadata": metadata}
    text = json.dumps(said, indent=3 if pretty else None).replace("\n", " ")
    line = batch_lines.read_line(text.encode(), 1)
    assert line.fault is None
    assert json.loads(line.request) == request
    expected = {"response": {"candidates": []}}
    expected |= {name: value for name, value in said.items() if name != "request" and value is not None}
    assert result(line) == expected


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_become_one_line(raw):
    line = batch_lines.read_line(raw, 12)
    result(line)
    assert line.fault is None or str(line.fault).startswith("Line 12: ")
    assert bool(line.request) is (line.fault is None)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"nonsense", "Unexpected token."),
        (b'{"key":"k","request":{"contents":"\xff"', "Invalid UTF-8"),
        (b'{"key":"\xff","request":{}}', "Invalid UTF-8"),
        (b"[" * 100_000, "Message too deep."),
        (b'{"request":{"a":' + b"[" * 100_000, "Message too deep."),
        (b'{"request":{},"key":' + b"[" * 90 + b"]" * 90 + b"}", None),
        (b'{"request":{},"key":' + b"[" * 101 + b"]" * 101 + b"}", "it nests too deep"),
        (b'{"request":{},"key":NaN}', "not finite"),
        (b"null", "it must be an object with a request."),
        (b"[]", "it must be an object with a request."),
        (b"{}", "request: it is not specified."),
        (b'{"request":null}', None),  # its reader says that a request is an object
        (b'{"request":null,}', "request: it must be an object."),
        (b'{"request":{},"metadata":3}', "metadata: it must be an object."),
        (b'{"contents":[]}', 'Unknown name "contents": Cannot find field.'),
        (b'{"custom_id":"1","request":{}}', 'Unknown name "custom_id": Cannot find field.'),
    ],
)
def test_what_is_wrong_with_a_line_is_said_with_its_number(raw, said):
    line = batch_lines.read_line(raw, 3)
    if said is None:
        assert line.fault is None
        return
    assert said in str(line.fault)
    assert str(line.fault).startswith("Line 3: ")
    assert result(line)["error"]["code"] == 3


def test_a_key_is_kept_where_only_the_rest_is_wrong():
    line = batch_lines.read_line(b'{"key":"k7","request":{},"method":"POST"}', 1)
    assert result(line) == {
        "error": {
            "code": 3,
            "message": 'Line 1: Invalid JSON payload received. Unknown name "method": Cannot find field.',
        },
        "key": "k7",
    }


def test_lines_are_read_as_forgivingly_as_bodies():
    line = batch_lines.read_line(b"{'key': 'k', 'request': {'contents': [],},}", 1)
    assert (line.key, json.loads(line.request), line.fault) == (b'"k"', {"contents": []}, None)


def test_a_request_of_a_body_is_a_line_with_metadata():
    written = batch_lines.write_line(b'{\n "contents": [] }', b'{"key":"k1"}')
    assert written == b'{"request":{"contents":[]},"metadata":{"key":"k1"}}\n'
    line = batch_lines.read_line(written, 1)
    assert batch_lines.write_result(line, b"{}") == b'{"response":{},"metadata":{"key":"k1"}}\n'
    assert batch_lines.write_line(b"{}") == b'{"request":{}}\n'


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (InvalidArgument("no", violations=(FieldViolation("no", "a.b"),)), 3),
        (Unavailable("later", retry_after_ms=100), 14),
        (OutOfCredits("no money"), 8),
    ],
)
def test_a_failure_is_a_status_of_number_and_words(problem, code):
    written = batch_lines.write_failure(Line(key=b'"k"'), problem)
    assert json.loads(written) == {"error": {"code": code, "message": str(problem)}, "key": "k"}


def test_a_problem_without_a_row_of_its_own_keeps_its_code():
    class Given(Problem):
        code = "CANCELLED"

    assert json.loads(batch_lines.write_failure(Line(), Given("ended")))["error"]["code"] == 1


def test_an_unknown_model_is_named_with_the_verb_of_the_batch():
    written = json.loads(batch_lines.write_failure(Line(), UnknownModel("x"), batch_lines.EMBED))
    assert written["error"]["code"] == 5
    assert written["error"]["message"].startswith("models/x is not found for API version v1beta, or is not ")
    assert " supported for asyncBatchEmbedContent." in written["error"]["message"]


def test_an_embedding_tells_its_tokens_as_text():
    assert batch_lines.write_embedding(b"[0.5,1]", 7) == b'{"embedding":{"values":[0.5,1]},"tokenCount":"7"}'


def test_a_refused_line_has_its_number_and_no_key():
    line = batch_lines.refused_line(9, "it is longer than 10 bytes.")
    assert result(line) == {"error": {"code": 3, "message": "Line 9: it is longer than 10 bytes."}}
