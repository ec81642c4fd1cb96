"""What the address of a stored interaction asks for, and what is kept for whoever asks."""

import json

import pytest

from geminid.core.errors import InvalidArgument
from geminid.wire.interactions.kept import read_kept, write_kept
from geminid.wire.interactions.queries import Query, read_query


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({}, Query(False, False, 0)),
        ({"stream": "true"}, Query(True, False, 0)),
        ({"stream": "True", "last_event_id": "17"}, Query(True, False, 17)),
        ({"include_input": "true", "stream": "false"}, Query(False, True, 0)),
        ({"stream": "", "key": "sk-x"}, Query(False, False, 0)),
    ],
)
def test_a_query_means_what_it_says(said, meant):
    assert read_query(said) == meant


@pytest.mark.parametrize(
    "said",
    [
        {"stream": "yes"},
        {"include_input": "2"},
        {"last_event_id": "17"},
        {"stream": "true", "last_event_id": "-1"},
        {"stream": "true", "last_event_id": "abc"},
        {"stream": "true", "last_event_id": "٣"},
        {"stream": "true", "last_event_id": "9" * 5000},
    ],
)
def test_anything_else_is_refused_with_its_name(said):
    with pytest.raises(InvalidArgument) as caught:
        read_query(said)
    assert caught.value.violations[0].field in said


@pytest.mark.parametrize("given", ["Hi", {"type": "text", "text": "é"}, [{"a": None}], None])
def test_an_input_is_given_back_as_it_was_sent(given):
    kept = read_kept(write_kept(given, True, "flex"))
    assert (kept.thoughts, kept.tier) == (True, "flex")
    assert read_kept(b"").tier == "standard"
    assert json.loads(bytes(kept.input)) == given
