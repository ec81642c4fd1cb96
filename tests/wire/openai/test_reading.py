"""Bodies are read strictly, and whatever is refused has a mistake that can be told."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.errors import InvalidArgument
from geminid.wire.openai.chat import Reading, read_request
from geminid.wire.openai.reading import Reader
from geminid.wire.openai.refused import NOT_JSON, Refused
from geminid.wire.openai.schema import ChatRequest

READER = Reader(ChatRequest)
STRICT = msgspec.json.Decoder(ChatRequest)
SMALLEST = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**64) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from([*ChatRequest.__struct_fields__, "unknown"])
WORDS = ("type", "role", "content", "text", "function", "name", "user", "assistant", "tool", "json_schema")
shaped = st.recursive(
    values | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, min_size=1, max_size=4)
    ),
    max_leaves=8,
)


@given(st.dictionaries(fields, values | shaped, max_size=4))
def test_a_body_has_a_mistake_if_and_only_if_the_strict_decoder_refuses_it(said):
    body = json.dumps({**SMALLEST, **said}).encode("utf-8", "surrogatepass")
    try:
        STRICT.decode(body)
        sound = True
    except (ValueError, RecursionError):
        sound = False
    mistake = READER.mistake(body)
    assert (mistake is None) == sound, (said, mistake)


@given(st.dictionaries(fields, values | shaped, max_size=4))
def test_whatever_a_body_says_it_is_read_or_refused(said):
    body = json.dumps({**SMALLEST, **said}).encode("utf-8", "surrogatepass")
    told = "read"
    try:
        read_request(body, Reading())
    except InvalidArgument as error:
        told = error.message
    assert 0 < len(told) < 3_000


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b'{"model": }', b"\xff", b'{"model":"\\ud800"}'])
def test_what_is_no_json_is_told_so(body):
    with pytest.raises(Refused) as caught:
        READER.read(body)
    assert (caught.value.message, caught.value.param) == (NOT_JSON, None)


@pytest.mark.parametrize("body", [b"[]", b"3", b"null"])
def test_what_is_no_object_is_told_so(body):
    with pytest.raises(Refused, match="expected an object"):
        READER.read(body)


def test_nesting_without_end_is_refused():
    for deep in (b'{"model":' + b"[" * 100_000, b'{"tools":' + b"[" * 200 + b"]" * 200 + b"}"):
        with pytest.raises(Refused):
            READER.read(deep)


def test_a_large_wrong_body_is_answered_in_few_words():
    body: dict[str, Any] = {**SMALLEST, "x" * 100_000: 1, **{f"a{i}": 1 for i in range(1_000)}}
    with pytest.raises(Refused) as caught:
        READER.read(json.dumps(body).encode())
    assert len(caught.value.message) < 3_000
