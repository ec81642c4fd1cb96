"""Answers of the Messages API: the same blocks, whole or streamed, and events in the order of its reference."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import ToolCall
from geminid.core.events import (
    Event,
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    ThoughtDelta,
    ToolCallMade,
    fold,
)
from geminid.core.usage import Usage
from geminid.wire.anthropic.answers import EventWriter, Heading, write_answer
from geminid.wire.anthropic.messages import Shows

TEXT = (Started(Usage(prompt=12)), TextDelta("Hello", 1), TextDelta(" there", 1), Finished(FinishReason.STOP))
CALL = ToolCallMade(ToolCall("get_weather", {"city": "Rome"}, "1"), 7)
THOUGHT = (ThoughtDelta("hm", 2), ThoughtDelta(", yes", 1))
SHOWN = Shows(thinking=True)


def heading(shows: Shows = SHOWN) -> Heading:
    return Heading(id="R1", model="tiny", shows=shows, sign=lambda block: f"signed-{block}")


def whole(events: tuple[Event, ...], shows: Shows = SHOWN) -> dict[str, Any]:
    async def each():
        for event in events:
            yield event

    return json.loads(write_answer(asyncio.run(fold(each())), heading(shows)))


def streamed(events: tuple[Event, ...], shows: Shows = SHOWN) -> list[dict[str, Any]]:
    writer = EventWriter(heading(shows))
    lines = b"".join(filter(None, map(writer.write, events))).decode().split("\n\n")
    assert lines.pop() == ""
    found = []
    for line in lines:
        name, _, data = line.partition("\ndata: ")
        found.append(json.loads(data))
        assert name == f"event: {found[-1]['type']}"
    return found


def gathered(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Put a message together as the SDKs do."""
    message, opened = events[0]["message"], {}
    for event in events[1:]:
        match event["type"]:
            case "content_block_start":
                message["content"].append({**event["content_block"]})
                opened[event["index"]] = ""
            case "content_block_delta":
                block, delta = message["content"][event["index"]], dict(event["delta"])
                kind = delta.pop("type")
                ((name, more),) = delta.items()
                if kind == "input_json_delta":
                    opened[event["index"]] += more
                    block["input"] = json.loads(opened[event["index"]])
                else:
                    block[name] += more
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    return message


def test_a_whole_answer():
    assert whole(TEXT) == {
        "id": "msg_R1",
        "type": "message",
        "role": "assistant",
        "model": "tiny",
        "content": [{"type": "text", "text": "Hello there", "citations": None}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 2,
            "output_tokens_details": {"thinking_tokens": 0},
            "service_tier": "standard",
        },
    }


def test_events_in_their_order():
    events = (Started(Usage(prompt=12)), *THOUGHT, TextDelta("It is", 2), CALL, Finished(FinishReason.STOP))
    told = streamed(events)
    assert [(event["type"], event.get("index")) for event in told] == [
        ("message_start", None),
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_delta", 0),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
        ("content_block_start", 2),
        ("content_block_delta", 2),
        ("content_block_stop", 2),
        ("message_delta", None),
        ("message_stop", None),
    ]
    assert told[4]["delta"] == {"type": "signature_delta", "signature": "signed-0"}
    assert told[10]["delta"] == {"type": "input_json_delta", "partial_json": '{"city":"Rome"}'}
    assert told[12]["delta"]["stop_reason"] == "tool_use"


def test_thoughts_that_nobody_asked_for_are_counted_and_not_told():
    events = (Started(Usage(prompt=1)), *THOUGHT, TextDelta("yes", 1), Finished(FinishReason.STOP))
    answer = whole(events, Shows())
    assert [block["type"] for block in answer["content"]] == ["text"]
    assert answer["usage"]["output_tokens"] == 4
    assert gathered(streamed(events, Shows())) == answer


def test_thoughts_without_their_words_are_signed():
    events = (Started(Usage(prompt=1)), *THOUGHT, TextDelta("yes", 1), Finished(FinishReason.STOP))
    answer = whole(events, Shows(thinking=True, words=False))
    assert answer["content"][0] == {"type": "thinking", "thinking": "", "signature": "signed-0"}
    assert gathered(streamed(events, Shows(thinking=True, words=False))) == answer


def test_what_a_cache_had_is_no_input_and_known_at_the_end_of_a_stream():
    events = (Started(Usage(prompt=100)), PrefixFound(64), TextDelta("a", 1), Finished(FinishReason.STOP))
    usage = streamed(events)[-2]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (36, 64)
    assert gathered(streamed(events)) == whole(events)


@pytest.mark.parametrize(
    ("finished", "reason", "details"),
    [
        (Finished(FinishReason.MAX_TOKENS), "max_tokens", None),
        (
            Finished(FinishReason.MALFORMED_CALL, detail="no call"),
            "refusal",
            {"type": "refusal", "explanation": "no call", "category": None},
        ),
    ],
)
def test_why_an_answer_ended(finished, reason, details):
    answer = whole((Started(Usage(prompt=1)), finished))
    assert (answer["stop_reason"], answer["stop_details"], answer["content"]) == (reason, details, [])


THOUGHTS = st.builds(ThoughtDelta, st.text(max_size=4), st.integers(0, 3))
TEXTS = st.builds(TextDelta, st.text(max_size=4), st.integers(0, 3))
CALLS = st.builds(
    lambda args, name, tokens: ToolCallMade(ToolCall(name, args, name), tokens),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.text(min_size=1, max_size=3),
    st.integers(1, 9),
)
REASONS = st.sampled_from(list(FinishReason))


@given(
    st.lists(THOUGHTS, max_size=3),
    st.lists(TEXTS, max_size=3),
    st.lists(CALLS, max_size=2),
    REASONS,
    st.booleans(),
)
def test_a_stream_spells_the_whole_answer(thoughts, texts, calls, reason, shown):
    events = (Started(Usage(prompt=9)), *thoughts, *texts, *calls, Finished(reason))
    told = streamed(events, Shows(thinking=shown))
    assert gathered(told) == whole(events, Shows(thinking=shown))
    started = [event["index"] for event in told if event["type"] == "content_block_start"]
    stopped = [event["index"] for event in told if event["type"] == "content_block_stop"]
    assert started == stopped == list(range(len(started)))
