"""Answers and streams of chunks: their shape, and that both spell the same answer."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.content import ToolCall
from geminid.core.events import (
    Answer,
    Candidate,
    Event,
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    ThoughtDelta,
    TokenLogprob,
    ToolCallMade,
    fold,
)
from geminid.core.usage import Usage
from geminid.wire.gemini.generate import ChunkWriter, Telling, write_answer

STOP, MAX, MALFORMED = FinishReason.STOP, FinishReason.MAX_TOKENS, FinishReason.MALFORMED_CALL
PLAIN, THOUGHTS = Telling(), Telling(thoughts=True)


def sign(candidate: int, part: int) -> str:
    return f"signed-{candidate}"


def writer(
    candidates: int = 1, *, telling: Telling = PLAIN, signed: bool = False, **usage: int
) -> ChunkWriter:
    chunks = ChunkWriter("gemma", "abc", candidates, telling, sign if signed else None)
    assert chunks.write(Started(Usage(**({"prompt": 9} | usage)))) is None
    return chunks


def chunk(body: bytes | None) -> dict[str, Any]:
    assert body is not None
    assert b"\n" not in body
    return json.loads(body)


def body(
    *candidates: Candidate, telling: Telling = PLAIN, signed: bool = False, **usage: int
) -> dict[str, Any]:
    answer = Answer(candidates, Usage(**usage))
    return json.loads(write_answer(answer, "gemma", "abc", telling, sign if signed else None))


def answer(*candidates: Candidate, **fields: Any) -> list[dict[str, Any]]:
    return body(*candidates, **fields)["candidates"]


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
    told = answer(Candidate("a", STOP), Candidate("", MAX), Candidate("", STOP), prompt=1)
    assert told == [
        {"content": {"parts": [{"text": "a"}], "role": "model"}, "finishReason": "STOP", "index": 0},
        {"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 1},
        {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 2},
    ]


def test_a_unary_answer_tells_log_probabilities():
    (told,) = answer(Candidate("ab", STOP, LOGPROBS), prompt=1)
    assert told["avgLogprobs"] == -1.0
    assert told["logprobsResult"]["logProbabilitySum"] == -2.0
    assert [entry["tokenId"] for entry in told["logprobsResult"]["chosenCandidates"]] == [1, 2]


def test_alternatives_are_told_sorted_and_no_more_than_asked_for():
    labels = (TokenLogprob("no", 1, -2.5), TokenLogprob("yes", 0, -0.5), TokenLogprob("so", 2, -1.5))
    entry = TokenLogprob("yes", 0, -0.5, labels)
    told = answer(Candidate("yes", STOP, (entry,)), telling=Telling(alternatives=2))[0]["logprobsResult"]
    assert list(told) == ["chosenCandidates", "topCandidates", "logProbabilitySum"]
    assert told["topCandidates"] == [
        {
            "candidates": [
                {"token": "yes", "tokenId": 0, "logProbability": -0.5},
                {"token": "so", "tokenId": 2, "logProbability": -1.5},
            ]
        }
    ]
    chunks = writer(telling=Telling(alternatives=2))
    assert chunk(chunks.write(TextDelta("yes", 1, 0, (entry,))))["candidates"][0]["logprobsResult"] == told


def test_where_no_alternatives_are_known_the_chosen_token_stands_alone():
    told = answer(Candidate("ab", STOP, LOGPROBS), telling=Telling(alternatives=5))[0]["logprobsResult"]
    assert [entry["candidates"] for entry in told["topCandidates"]] == [
        [entry] for entry in told["chosenCandidates"]
    ]


# Thoughts.


def test_thoughts_stand_before_the_answer_when_they_are_wanted():
    said = Candidate("42", STOP, thought="hm")
    assert answer(said, telling=THOUGHTS, thoughts=3)[0]["content"]["parts"] == [
        {"text": "hm", "thought": True},
        {"text": "42"},
    ]
    assert answer(said, thoughts=3)[0]["content"]["parts"] == [{"text": "42"}]


def test_a_chunk_of_thoughts_counts_no_answer():
    chunks = writer(telling=THOUGHTS)
    told = chunk(chunks.write(ThoughtDelta("hm", 3)))
    assert told["candidates"] == [
        {"content": {"parts": [{"text": "hm", "thought": True}], "role": "model"}, "index": 0}
    ]
    assert told["usageMetadata"] == {
        "promptTokenCount": 9,
        "totalTokenCount": 12,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
        "thoughtsTokenCount": 3,
        "serviceTier": "standard",
    }


def test_thoughts_that_are_not_wanted_are_counted_all_the_same():
    chunks = writer()
    assert chunks.write(ThoughtDelta("hm", 3)) is None
    usage = chunk(chunks.write(TextDelta("42", 1)))["usageMetadata"]
    assert (usage["thoughtsTokenCount"], usage["candidatesTokenCount"], usage["totalTokenCount"]) == (
        3,
        1,
        13,
    )


def test_who_only_thought_within_the_limit_said_nothing():
    said = Candidate("", MAX, thought="hm")
    assert answer(said)[0]["content"] == {"role": "model"}
    assert answer(said, telling=THOUGHTS)[0]["content"]["parts"] == [{"text": "hm", "thought": True}]


# Function calls.

CALL = ToolCall("w", {"city": "Paris", "a_b": [1]}, "a1b2c3d4")
BARE = ToolCall("g", {}, "e5f6a7b8")


def test_calls_are_whole_parts_and_end_with_stop():
    (told,) = answer(Candidate("", STOP, calls=(CALL, BARE)))
    assert told == {
        "content": {
            "parts": [
                {"functionCall": {"name": "w", "args": {"city": "Paris", "a_b": [1]}, "id": "a1b2c3d4"}},
                {"functionCall": {"name": "g", "args": {}, "id": "e5f6a7b8"}},
            ],
            "role": "model",
        },
        "finishReason": "STOP",
        "index": 0,
        "finishMessage": "Model generated function call(s).",
    }


def test_a_call_is_one_chunk_and_the_end_another():
    chunks = writer()
    assert chunks.write(ToolCallMade(BARE, 7)) == (
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"g","args":{},"id":"e5f6a7b8"}}],'
        b'"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":7,'
        b'"totalTokenCount":16,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}],'
        b'"serviceTier":"standard"},"modelVersion":"gemma","responseId":"abc"}'
    )
    (last,) = chunk(chunks.write(Finished(STOP)))["candidates"]
    assert last["content"]["parts"] == [{"text": ""}]
    assert (last["finishReason"], last["finishMessage"]) == ("STOP", "Model generated function call(s).")


def test_a_call_that_failed_leaves_no_parts_and_says_what_it_was():
    (told,) = answer(Candidate("", MALFORMED, detail="Malformed function call: w("))
    assert told == {
        "content": {"role": "model"},
        "finishReason": "MALFORMED_FUNCTION_CALL",
        "index": 0,
        "finishMessage": "Malformed function call: w(",
    }
    (last,) = chunk(writer().write(Finished(MALFORMED, detail="Malformed function call: w(")))["candidates"]
    assert last == told


def test_a_call_without_an_id_has_none():
    (told,) = answer(Candidate("", STOP, calls=(ToolCall("f", {}),)))
    assert told["content"]["parts"] == [{"functionCall": {"name": "f", "args": {}}}]


# Signatures.


def signatures(parts: list[dict[str, Any]]) -> list[str | None]:
    return [part.get("thoughtSignature") for part in parts]


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (Candidate("42", STOP, thought="hm"), [None, "signed-0"]),
        (Candidate("", STOP), ["signed-0"]),
        (Candidate("half", MAX), ["signed-0"]),
        (Candidate("", STOP, calls=(CALL, BARE)), ["signed-0", None]),
        (Candidate("wait", STOP, calls=(CALL, BARE), thought="hm"), [None, None, "signed-0", None]),
        (Candidate("", MAX, thought="hm"), [None]),
    ],
)
def test_the_first_call_is_signed_or_else_the_last_text(candidate, expected):
    (told,) = answer(candidate, telling=THOUGHTS, signed=True)
    assert signatures(told["content"]["parts"]) == expected


def test_a_stream_is_signed_at_its_end_where_the_text_is_empty():
    chunks = writer(signed=True)
    assert signatures(chunk(chunks.write(TextDelta("hi", 1)))["candidates"][0]["content"]["parts"]) == [None]
    (last,) = chunk(chunks.write(Finished(STOP)))["candidates"]
    assert last["content"]["parts"] == [{"text": "", "thoughtSignature": "signed-0"}]


def test_a_stream_of_calls_is_signed_at_its_first_call_only():
    chunks = writer(candidates=2, signed=True)
    told = [
        chunk(chunks.write(event))["candidates"][0]["content"]["parts"]
        for event in (
            TextDelta("wait", 1),
            ToolCallMade(CALL, 1),
            ToolCallMade(BARE, 1),
            ToolCallMade(BARE, 1, candidate=1),
            Finished(STOP),
            Finished(STOP, candidate=1),
        )
    ]
    assert [signatures(parts) for parts in told] == [
        [None],
        ["signed-0"],
        [None],
        ["signed-1"],
        [None],
        [None],
    ]


def test_the_tier_is_told_whole_and_streamed():
    told = write_answer(Answer((Candidate("a", STOP),), Usage(prompt=1)), "m", "id", Telling(tier="flex"))
    assert json.loads(told)["usageMetadata"]["serviceTier"] == "flex"
    streamed = chunk(writer(telling=Telling(tier="priority")).write(TextDelta("a", 1)))
    assert streamed["usageMetadata"]["serviceTier"] == "priority"


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
        thoughts = st.builds(ThoughtDelta, st.text(max_size=4), st.integers(0, 4), st.just(index))
        calls = st.builds(ToolCallMade, st.sampled_from([CALL, BARE]), st.integers(0, 4), st.just(index))
        lines.append(
            [
                *draw(st.lists(thoughts, max_size=3)),
                *draw(st.lists(deltas, max_size=5)),
                *draw(st.lists(calls, max_size=2)),
                Finished(draw(st.sampled_from(FinishReason)), index),
            ]
        )
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
@given(streams(), st.builds(Telling, thoughts=st.booleans(), alternatives=st.integers(0, 2)))
def test_chunks_spell_the_same_answer_as_one_body(stream, telling):
    candidates, runs = stream
    chunks = ChunkWriter("gemma", "abc", candidates, telling, sign)
    told = [chunk(body) for run in runs if (body := chunks.write_many(run)) is not None]
    folded = asyncio.run(fold(_each([event for run in runs for event in run])))
    whole = json.loads(write_answer(folded, "gemma", "abc", telling, sign))

    assert told[-1]["usageMetadata"] == whole["usageMetadata"]
    for expected in whole["candidates"]:
        mine = [c for one in told for c in one["candidates"] if c["index"] == expected["index"]]
        assert _joined(mine) == _joined([expected])
        assert [c.get("finishReason") for c in mine] == [None] * (len(mine) - 1) + [expected["finishReason"]]
        assert mine[-1].get("avgLogprobs") == pytest.approx(expected.get("avgLogprobs"))
        assert mine[-1].get("finishMessage") == expected.get("finishMessage")
        assert sum("thoughtSignature" in part for part in _parts(mine)) <= 1
        assert _signed_calls(mine) == _signed_calls([expected])
    counts = [one["usageMetadata"].get("candidatesTokenCount", 0) for one in told]
    assert counts == sorted(counts)
    for one in told:
        usage = one["usageMetadata"]
        counted = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
        assert usage["totalTokenCount"] == usage["promptTokenCount"] + counted


def _parts(candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [part for c in candidates for part in c["content"].get("parts", ())]


def _signed_calls(candidates: list[dict[str, Any]]) -> list[bool]:
    return ["thoughtSignature" in part for part in _parts(candidates) if "functionCall" in part]


def _joined(candidates: list[dict[str, Any]]) -> tuple[Any, ...]:
    parts = _parts(candidates)
    thoughts = "".join(part["text"] for part in parts if part.get("thought"))
    texts = "".join(part["text"] for part in parts if "text" in part and not part.get("thought"))
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    results = [c["logprobsResult"] for c in candidates if "logprobsResult" in c]
    chosen = [entry for result in results for entry in result["chosenCandidates"]]
    return thoughts, texts, calls, chosen, [e for r in results for e in r.get("topCandidates", ())]


@settings(max_examples=50, deadline=None)
@given(streams())
def test_event_by_event_spells_the_same_text_as_in_runs(stream):
    candidates, runs = stream
    one_by_one, in_runs = (ChunkWriter("gemma", "abc", candidates, THOUGHTS) for _ in range(2))
    single = [chunk(body) for run in runs for event in run if (body := one_by_one.write(event)) is not None]
    merged = [chunk(body) for run in runs if (body := in_runs.write_many(run)) is not None]
    for index in range(candidates):
        mine, theirs = (
            [c for one in told for c in one["candidates"] if c["index"] == index] for told in (single, merged)
        )
        assert _joined(mine) == _joined(theirs)
    assert single[-1]["usageMetadata"] == merged[-1]["usageMetadata"]


def test_what_was_found_of_the_prompt_is_in_every_chunk_and_the_same_as_in_one_body():
    chunks = ChunkWriter("gemma", "abc")
    chunks.write(Started(Usage(prompt=9, cached=2, media={"image": 4}, cached_media={"image": 1})))
    assert chunks.write(PrefixFound(3, {"image": 2})) is None
    told = [chunk(chunks.write(event)) for event in (TextDelta("a", 1), TextDelta("b", 1), Finished(STOP))]
    usage = {
        "promptTokenCount": 9,
        "cachedContentTokenCount": 5,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 5},
            {"modality": "IMAGE", "tokenCount": 4},
        ],
        "cacheTokensDetails": [
            {"modality": "TEXT", "tokenCount": 2},
            {"modality": "IMAGE", "tokenCount": 3},
        ],
    }
    assert all(each["usageMetadata"].items() >= usage.items() for each in told)
    whole = Usage(prompt=9, cached=5, candidates=2, media={"image": 4}, cached_media={"image": 3})
    answer = Answer((Candidate("ab", STOP),), whole)
    assert json.loads(write_answer(answer, "gemma", "abc"))["usageMetadata"] == told[-1]["usageMetadata"]
