"""Answers and streams of chunks: their shape, and that both spell the same answer."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.events import (
    Answer,
    Candidate,
    Event,
    Finished,
    FinishReason,
    Started,
    TextDelta,
    TokenLogprob,
    fold,
)
from geminid.core.usage import Usage
from geminid.wire.gemini.generate import ChunkWriter, write_answer

STOP, MAX = FinishReason.STOP, FinishReason.MAX_TOKENS


def writer(candidates: int = 1, **usage: int) -> ChunkWriter:
    chunks = ChunkWriter("gemma", "abc", candidates)
    assert chunks.write(Started(Usage(**({"prompt": 9} | usage)))) is None
    return chunks


def chunk(body: bytes | None) -> dict[str, Any]:
    assert body is not None
    assert b"\n" not in body
    return json.loads(body)


def answer(*candidates: Candidate, **usage: int) -> dict[str, Any]:
    return json.loads(write_answer(Answer(candidates, Usage(**usage)), "gemma", "abc"))


def test_a_chunk_is_compact_and_in_googles_key_order():
    assert writer().write(TextDelta("hi", 1)) == (
        b'{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"index":0}],'
        b'"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1,"totalTokenCount":10,'
        b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}],"serviceTier":"standard"},'
        b'"modelVersion":"gemma","responseId":"abc"}'
    )


def test_the_final_chunk_has_an_empty_text_and_the_reason():
    chunks = writer()
    chunks.write(TextDelta("hi", 1))
    (candidate,) = chunk(chunks.write(Finished(STOP)))["candidates"]
    assert candidate == {
        "content": {"parts": [{"text": ""}], "role": "model"},
        "finishReason": "STOP",
        "index": 0,
    }


def test_a_limit_met_before_any_visible_text_leaves_no_parts():
    chunks = writer()
    assert chunks.write(TextDelta("", 5)) is None
    last = chunk(chunks.write(Finished(MAX)))
    assert last["candidates"] == [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}]
    assert last["usageMetadata"]["candidatesTokenCount"] == 5


def test_a_limit_met_after_text_has_parts():
    chunks = writer()
    chunks.write(TextDelta("hi", 1))
    (candidate,) = chunk(chunks.write(Finished(MAX)))["candidates"]
    assert candidate["content"] == {"parts": [{"text": ""}], "role": "model"}


def test_an_answer_without_a_word_has_an_empty_text():
    (candidate,) = chunk(writer().write(Finished(STOP)))["candidates"]
    assert candidate["content"] == {"parts": [{"text": ""}], "role": "model"}


def test_held_back_tokens_are_counted_with_the_next_chunk():
    chunks = writer()
    assert chunks.write(TextDelta("", 2)) is None
    assert chunk(chunks.write(TextDelta("é", 1)))["usageMetadata"]["candidatesTokenCount"] == 3


def test_usage_tells_cached_and_thought_tokens_and_no_zeros():
    usage = chunk(writer(prompt=20, cached=8, thoughts=5).write(TextDelta("a", 1)))["usageMetadata"]
    assert usage == {
        "promptTokenCount": 20,
        "cachedContentTokenCount": 8,
        "candidatesTokenCount": 1,
        "totalTokenCount": 26,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 8}],
        "thoughtsTokenCount": 5,
        "serviceTier": "standard",
    }
    assert "candidatesTokenCount" not in chunk(writer().write(Finished(STOP)))["usageMetadata"]


def test_a_run_of_events_becomes_one_chunk_with_the_end_folded_in():
    events = [
        Started(Usage(prompt=3)),
        TextDelta("a", 1),
        TextDelta("", 1),
        TextDelta("b", 1),
        Finished(STOP),
    ]
    told = chunk(ChunkWriter("gemma", "abc").write_many(events))
    assert told["candidates"] == [
        {"content": {"parts": [{"text": "ab"}], "role": "model"}, "finishReason": "STOP", "index": 0}
    ]
    assert told["usageMetadata"]["totalTokenCount"] == 6


@pytest.mark.parametrize("events", [[], [TextDelta("", 1)], [Started(Usage(prompt=1)), TextDelta("", 1)]])
def test_a_run_that_tells_nothing_is_no_chunk(events):
    assert ChunkWriter("gemma", "abc").write_many(events) is None


def test_several_candidates_share_a_chunk():
    events = [
        TextDelta("b", 1, candidate=1),
        TextDelta("a", 1),
        Finished(STOP, candidate=1),
        TextDelta("A", 1),
    ]
    told = chunk(writer(candidates=2).write_many(events))
    assert [
        (c["index"], c["content"]["parts"][0]["text"], c.get("finishReason")) for c in told["candidates"]
    ] == [
        (0, "aA", None),
        (1, "b", "STOP"),
    ]


LOGPROBS = (TokenLogprob("a", 1, -0.5), TokenLogprob("b", 2, -1.5))


def test_log_probabilities_are_told_with_their_tokens_and_the_mean_at_the_end():
    chunks = writer()
    first = chunk(chunks.write(TextDelta("", 1, logprobs=LOGPROBS[:1])))["candidates"][0]
    assert first["logprobsResult"] == {
        "chosenCandidates": [{"token": "a", "tokenId": 1, "logProbability": -0.5}],
        "logProbabilitySum": -0.5,
    }
    assert first["content"]["parts"] == [{"text": ""}]
    last = chunk(chunks.write_many([TextDelta("ab", 1, logprobs=LOGPROBS[1:]), Finished(STOP)]))[
        "candidates"
    ][0]
    assert last["avgLogprobs"] == -1.0
    assert list(last) == ["content", "finishReason", "index", "avgLogprobs", "logprobsResult"]


def test_a_certain_token_keeps_its_zeros():
    told = chunk(writer().write(TextDelta("a", 1, logprobs=(TokenLogprob("a", 0, 0.0),))))
    assert told["candidates"][0]["logprobsResult"] == {
        "chosenCandidates": [{"token": "a", "tokenId": 0, "logProbability": 0.0}],
        "logProbabilitySum": 0.0,
    }


def test_a_unary_answer_is_pretty_printed_in_googles_key_order():
    body = write_answer(Answer((Candidate("hi", STOP),), Usage(prompt=2, candidates=1)), "gemma", "abc")
    assert body.startswith(b'{\n  "candidates": [\n    {\n      "content": {\n        "parts": [\n')
    assert body.endswith(b'\n  "responseId": "abc"\n}\n')
    assert list(json.loads(body)) == ["candidates", "usageMetadata", "modelVersion", "responseId"]


def test_a_unary_answer_tells_candidates_by_index():
    told = answer(Candidate("a", STOP), Candidate("", MAX), Candidate("", STOP), prompt=1)["candidates"]
    assert told == [
        {"content": {"parts": [{"text": "a"}], "role": "model"}, "finishReason": "STOP", "index": 0},
        {"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 1},
        {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 2},
    ]


def test_a_unary_answer_tells_log_probabilities():
    (told,) = answer(Candidate("ab", STOP, LOGPROBS), prompt=1)["candidates"]
    assert told["avgLogprobs"] == -1.0
    assert told["logprobsResult"]["logProbabilitySum"] == -2.0
    assert [entry["tokenId"] for entry in told["logprobsResult"]["chosenCandidates"]] == [1, 2]


# Laws: any stream that an engine may send, cut into runs anyhow.

LOGPROB = st.builds(TokenLogprob, st.text(max_size=3), st.integers(0, 9), st.floats(-5, 0))


@st.composite
def streams(draw) -> tuple[int, list[list[Event]]]:
    candidates = draw(st.integers(1, 3))
    lines: list[list[Event]] = []
    for index in range(candidates):
        deltas = st.builds(
            TextDelta,
            st.text(max_size=4),
            st.integers(0, 4),
            st.just(index),
            st.lists(LOGPROB, max_size=2).map(tuple),
        )
        finish = Finished(draw(st.sampled_from(FinishReason)), index)
        lines.append([*draw(st.lists(deltas, max_size=5)), finish])
    events: list[Event] = [
        Started(draw(st.builds(Usage, prompt=st.integers(1, 50), cached=st.integers(0, 1))))
    ]
    while any(lines):
        events.append(draw(st.sampled_from([line for line in lines if line])).pop(0))
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=6)))
    edges = [0, *cuts, len(events)]
    return candidates, [events[a:b] for a, b in itertools.pairwise(edges)]


async def _each(events: list[Event]):
    for event in events:
        yield event


@settings(max_examples=100, deadline=None)
@given(streams())
def test_chunks_spell_the_same_answer_as_one_body(stream):
    candidates, runs = stream
    chunks = ChunkWriter("gemma", "abc", candidates)
    told = [chunk(body) for run in runs if (body := chunks.write_many(run)) is not None]
    folded = asyncio.run(fold(_each([event for run in runs for event in run])))
    whole = json.loads(write_answer(folded, "gemma", "abc"))

    assert told[-1]["usageMetadata"] == whole["usageMetadata"]
    for expected in whole["candidates"]:
        mine = [c for one in told for c in one["candidates"] if c["index"] == expected["index"]]
        assert _joined(mine) == _joined([expected])
        assert [c.get("finishReason") for c in mine] == [None] * (len(mine) - 1) + [expected["finishReason"]]
        assert mine[-1].get("avgLogprobs") == pytest.approx(expected.get("avgLogprobs"))
    counts = [one["usageMetadata"].get("candidatesTokenCount", 0) for one in told]
    assert counts == sorted(counts)
    for one in told:
        usage = one["usageMetadata"]
        assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage.get("candidatesTokenCount", 0)


def _joined(candidates: list[dict[str, Any]]) -> tuple[str, list[Any]]:
    texts = [part["text"] for c in candidates for part in c["content"].get("parts", ())]
    results = [c["logprobsResult"]["chosenCandidates"] for c in candidates if "logprobsResult" in c]
    return "".join(texts), [entry for result in results for entry in result]


@settings(max_examples=50, deadline=None)
@given(streams())
def test_event_by_event_spells_the_same_text_as_in_runs(stream):
    candidates, runs = stream
    one_by_one, in_runs = ChunkWriter("gemma", "abc", candidates), ChunkWriter("gemma", "abc", candidates)
    single = [chunk(body) for run in runs for event in run if (body := one_by_one.write(event)) is not None]
    merged = [chunk(body) for run in runs if (body := in_runs.write_many(run)) is not None]
    for index in range(candidates):
        mine, theirs = (
            [c for one in told for c in one["candidates"] if c["index"] == index] for told in (single, merged)
        )
        assert _joined(mine) == _joined(theirs)
    assert single[-1]["usageMetadata"] == merged[-1]["usageMetadata"]
