"""An answer in many chunks says what it says in one body."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import ToolCall
from geminid.core.events import (
    Event,
    Finished,
    FinishReason,
    Started,
    TextDelta,
    ThoughtDelta,
    TokenLogprob,
    ToolCallMade,
    fold,
)
from geminid.core.usage import Usage
from geminid.wire.openai import answers
from geminid.wire.openai.answers import Telling
from geminid.wire.openai.chunks import DONE, ChatFraming, ChunkWriter
from geminid.wire.openai.surfaces import SURFACES
from make import card

words = st.text(max_size=6)
counts = st.integers(0, 5)


@st.composite
def one_candidate(draw, index: int) -> list[Event]:
    thoughts = draw(st.lists(st.builds(ThoughtDelta, words, counts, st.just(index)), max_size=3))
    logprobs = st.builds(
        lambda token: (TokenLogprob(token, 1, -0.5),), st.text(min_size=1, max_size=4)
    ) | st.just(())
    texts = draw(st.lists(st.builds(TextDelta, words, counts, st.just(index), logprobs), max_size=3))
    calls = st.builds(
        lambda name, tokens: ToolCallMade(ToolCall(name, {"a": name}, f"id{name}"), tokens, index),
        st.sampled_from(["f", "g"]),
        counts,
    )
    made = draw(st.lists(calls, max_size=2))
    reason = draw(st.sampled_from(FinishReason))
    detail = "Malformed" if reason is FinishReason.MALFORMED_CALL else ""
    return [*thoughts, *texts, *made, Finished(reason, index, detail)]


@st.composite
def streams(draw) -> tuple[int, list[Event]]:
    candidates = draw(st.integers(1, 2))
    queues = [draw(one_candidate(index)) for index in range(candidates)]
    events: list[Event] = [Started(Usage(prompt=7, cached=3, media={"audio": 2}))]
    while any(queues):
        queue = draw(st.sampled_from([each for each in queues if each]))
        events.append(queue.pop(0))
    return candidates, events


async def folded(events):
    async def each():
        for event in events:
            yield event

    return await fold(each())


def gathered(chunks: list[dict], candidates: int) -> list[dict]:
    """Put chunks together as SDKs do."""
    found = [
        {"content": "", "calls": [], "finish": None, "tokens": [], "refusal": None} for _ in range(candidates)
    ]
    for chunk in chunks:
        for choice in chunk["choices"]:
            into, delta = found[choice["index"]], choice["delta"]
            into["content"] += delta.get("content") or ""
            into["calls"] += delta.get("tool_calls", [])
            into["refusal"] = delta.get("refusal") or into["refusal"]
            into["tokens"] += (choice.get("logprobs") or {}).get("content", [])
            assert into["finish"] is None
            into["finish"] = choice["finish_reason"]
    return found


@given(streams(), st.sampled_from(SURFACES), st.booleans())
def test_chunks_put_together_are_the_whole_answer(stream, surface, thoughts):
    candidates, events = stream
    telling = Telling(thoughts=thoughts, logprobs=True, usage=True)
    heading = answers.heading_of(surface, card(), "id", 1, telling)
    whole = json.loads(answers.write_answer(asyncio.run(folded(events)), heading, telling))
    writer = ChunkWriter(heading, telling, candidates)
    chunks = [json.loads(chunk) for event in events if (chunk := writer.write(event)) is not None]
    last = json.loads(writer.write_usage() or b"{}")
    assert last["usage"] == whole["usage"]
    assert last["choices"] == []
    for choice, into in zip(whole["choices"], gathered(chunks, candidates), strict=True):
        message = choice["message"]
        assert into["content"] == (message.get("content") or "")
        assert into["finish"] == choice["finish_reason"]
        assert into["refusal"] == message.get("refusal")
        assert into["tokens"] == (choice.get("logprobs") or {}).get("content", [])
        assert [call.pop("index") for call in into["calls"]] == list(range(len(into["calls"])))
        assert into["calls"] == message.get("tool_calls", [])


def test_a_stream_that_has_failed_does_not_look_like_a_whole_one():
    framing = ChatFraming()
    framing.closing = lambda: b"{}"
    assert framing.last() == b"data: {}\n\n" + DONE
    framing.failed = True
    assert framing.last() == b""
    assert framing.first() == b""
