"""Framing: official clients break on anything but chunks, so nothing else may be sent."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from geminid.wire.sse import ArrayFraming, Framing, SseFraming


def body(framing: Framing, chunks: list[bytes]) -> bytes:
    return framing.first() + b"".join(framing.frame(chunk) for chunk in chunks) + framing.last()


def test_events_are_data_lines_ended_by_a_blank_line_and_nothing_else():
    assert body(SseFraming(), [b'{"a":1}', b'{"b":2}']) == b'data: {"a":1}\r\n\r\ndata: {"b":2}\r\n\r\n'
    assert body(SseFraming(), []) == b""


def test_a_list_parts_its_chunks_with_commas_on_their_own_lines():
    assert body(ArrayFraming(), [b"{}", b'{"a":1}']) == b'[{}\r\n,\r\n{"a":1}\r\n]'
    assert body(ArrayFraming(), []) == b"[]"


@given(st.lists(st.dictionaries(st.text(), st.integers())))
def test_a_list_is_json_whatever_its_chunks(values):
    assert json.loads(body(ArrayFraming(), [json.dumps(value).encode() for value in values])) == values


def test_headers_tell_the_form_and_keep_proxies_from_collecting():
    sse, array = dict(SseFraming.headers), dict(ArrayFraming.headers)
    assert sse["content-type"] == "text/event-stream"
    assert array["content-type"] == "application/json; charset=UTF-8"
    assert sse["x-accel-buffering"] == array["x-accel-buffering"] == "no"
