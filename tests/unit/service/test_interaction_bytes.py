"""What interactions are kept as, and told again from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import Blob, FileRef, Look, Picture, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.errors import Internal
from geminid.core.events import Answer, Candidate, FinishReason, TokenLogprob
from geminid.core.interaction import Step, steps_of
from geminid.core.usage import Usage
from geminid.service.interaction_bytes import EVENTS, STEPS, TURNS, deflated, inflated, placeless
from geminid.service.interaction_told import spelled

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
arguments = st.dictionaries(
    st.text(max_size=5),
    st.recursive(numbers | st.text(max_size=5) | st.none() | st.booleans(), st.lists),
    max_size=3,
)
calls = st.builds(ToolCall, st.text(max_size=5), arguments, st.text(max_size=5))
results = st.builds(ToolResult, st.text(max_size=5), arguments, st.text(max_size=5))
media = st.builds(Blob, st.just("image/png"), st.binary(max_size=20), st.just(Look(start_ms=3)))
refs = st.builds(FileRef, st.text(max_size=10))
parts = st.one_of(
    st.builds(Text, st.text(max_size=600)),
    st.builds(Thought, st.text()),
    media,
    refs,
    calls,
    results,
    st.builds(Picture, st.binary(max_size=9)),
)
turns = st.lists(
    st.builds(Turn, st.sampled_from(["user", "model"]), st.lists(parts, max_size=4).map(tuple)), max_size=4
).map(tuple)
counts = st.integers(0, 1_000)


@st.composite
def steps(draw):
    thought, text = draw(st.text(max_size=9)), draw(st.text(max_size=9))
    logprobs = draw(
        st.lists(st.builds(TokenLogprob, st.text(max_size=3), counts, st.floats(-9, 0)), max_size=3)
    )
    made = tuple(draw(st.lists(calls, max_size=3)))
    spoken = bool(text or logprobs or made)
    usage = Usage(
        prompt=draw(counts),
        cached=draw(counts),
        thoughts=draw(counts),
        candidates=draw(counts) if spoken else 0,
    )
    candidate = Candidate(
        text, draw(st.sampled_from(FinishReason)), tuple(logprobs), thought, made, draw(st.text(max_size=4))
    )
    return Step(
        receipt=draw(st.text(max_size=4)),
        answer=Answer(candidates=(candidate,), usage=usage),
        results=tuple(draw(st.lists(results, max_size=2))),
    )


@given(turns)
def test_turns_come_out_as_they_went_in(said):
    assert TURNS.unpack(TURNS.pack(said)) == said


@given(st.lists(steps(), max_size=3).map(tuple))
def test_steps_are_told_again_by_events_that_spell_them(said):
    assert STEPS.unpack(STEPS.pack(said)) == said
    events = tuple(spelled(said))
    assert steps_of(events) == said
    assert EVENTS.unpack(EVENTS.pack(events)) == events


@given(st.binary(max_size=5_000))
def test_bytes_come_out_as_they_went_in(data):
    assert inflated(deflated(data)) == data
    assert len(deflated(data)) <= len(data) + 1


def test_what_repeats_itself_is_kept_small():
    assert len(deflated(b"words and words " * 1_000)) < 1_000


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00mx", b"\x00j{", b"\x01no", b"\x00z\x90"])
def test_what_cannot_be_read_is_our_fault(data):
    with pytest.raises(Internal, match="cannot be read"):
        TURNS.unpack(data)


def test_places_of_media_are_not_kept():
    inner = FileRef("files/a", field="contents[0].parts[1]")
    said = (
        Turn("user", (Blob("image/png", b"x", field="contents[0]"), Text("a"))),
        Turn("user", (ToolResult("f", {}, "i", (inner, Text("b"))),)),
    )
    assert placeless(said) == (
        Turn("user", (Blob("image/png", b"x"), Text("a"))),
        Turn("user", (ToolResult("f", {}, "i", (FileRef("files/a"), Text("b"))),)),
    )
