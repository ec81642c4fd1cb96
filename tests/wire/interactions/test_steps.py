"""Inputs of interactions: what was answered can be sent back, and nothing that is sent breaks the reader."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import Blob, FileRef, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.errors import InvalidArgument
from geminid.core.events import Finished, FinishReason, Started, TextDelta, ThoughtDelta, ToolCallMade
from geminid.core.interaction import Interaction, StepBegun, steps_of, turns_of_step
from geminid.core.usage import Usage
from geminid.wire.interactions.answers import FACE, Telling, write_interaction
from geminid.wire.interactions.create import Reading, read_body, read_message
from interacting import status_of

MODEL = "gemini-3.1-flash-lite"
READING = Reading(genuine=lambda signature: signature.startswith("signed"))
USER = {"type": "user_input", "content": [{"type": "text", "text": "Hello"}]}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
calls = st.lists(st.dictionaries(texts, texts, max_size=2), max_size=3).map(
    lambda given: [ToolCall("f", args, f"c{index}") for index, args in enumerate(given)]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(
    (
        *("user_input", "model_output", "thought", "function_call", "function_result", "text", "image"),
        *("video", "document", "audio", "google_search_call", "nothing"),
    )
)
steps_of_any_kind = st.fixed_dictionaries(
    {"type": words},
    optional=dict.fromkeys(
        (
            *("content", "text", "signature", "summary", "id", "name", "arguments", "call_id", "result"),
            *("is_error", "data", "uri", "mime_type", "resolution", "processing", "extra"),
        ),
        json_values,
    ),
)


def turns(given, before=(), **fields):
    body = json.dumps({"model": MODEL, "input": given, **fields}).encode()
    return read_message(read_body(body), before, READING).request.turns


def refused(given, before=(), **fields):
    with pytest.raises(InvalidArgument) as caught:
        turns(given, before, **fields)
    return caught.value.message


@given(thought=texts | st.none(), text=texts | st.none(), made=calls, loud=st.booleans())
def test_what_was_answered_can_be_sent_back(thought, text, made, loud):
    """Stateless use: the steps of an answer are put behind those that it answers, as they are."""
    told = [StepBegun("r1"), Started(Usage(prompt=3))]
    told += [ThoughtDelta(thought, 1)] if thought else []
    told += [TextDelta(text, 1)] if text else []
    told += [ToolCallMade(call, 5) for call in made] + [Finished(FinishReason.STOP)]
    steps = steps_of(told)
    interaction = Interaction(
        id="v1_a",
        project="p",
        wire=FACE.wire,
        model="tiny",
        asked=MODEL,
        status=status_of(steps),
        created_ms=0,
        updated_ms=0,
        expires_ms=0,
        steps=steps,
    )
    body = json.loads(write_interaction(interaction, Telling(thoughts=loud), lambda *of: "signed"))
    results = [{"type": "function_result", "call_id": call.id, "result": "done"} for call in made]
    again = turns([USER, *body.get("steps", []), *(results or [USER])])
    said = [
        msgspec.structs.replace(
            turn, parts=tuple(part for part in turn.parts if loud or not isinstance(part, Thought))
        )
        for turn in turns_of_step(steps[0])
    ]
    assert list(again[1:-1]) == [turn for turn in said if turn.parts]
    if made:
        assert again[-1].parts == tuple(ToolResult("f", {"output": "done"}, call.id) for call in made)


@given(given=st.lists(steps_of_any_kind, max_size=4) | steps_of_any_kind | json_values)
def test_whatever_is_sent_is_read_or_refused_with_words(given):
    try:
        found = turns(given)
    except InvalidArgument:
        assert refused(given)
    else:
        assert found
        assert all(isinstance(turn, Turn) and turn.parts for turn in found)


def test_every_way_to_say_the_same_is_the_same():
    said = (Turn("user", (Text("Hi"),)),)
    text = {"type": "text", "text": "Hi"}
    ways = ("Hi", text, [text], ["Hi"], [{"type": "user_input", "content": [text]}])
    more = ({"type": "user_input", "content": "Hi"}, [{"type": "user_input", "content": text}])
    assert all(turns(way) == said for way in (*ways, *more))


def test_results_are_named_after_the_calls_that_were_said_before():
    before = (Turn("user", (Text("?"),)), Turn("model", (ToolCall("f", {}, "a"), ToolCall("g", {}, "b"))))
    given = [{"type": "function_result", "call_id": name, "result": {"n": 1}} for name in "ba"]
    (turn,) = turns(given, before)
    assert turn.parts == (ToolResult("g", {"n": 1}, "b"), ToolResult("f", {"n": 1}, "a"))
    assert "function response turn" in refused(given, before[:1])
    assert "number of function response parts" in refused(given[:1], before)
    assert "there is no function_call of this id" in refused([given[0], given[0]], before)


def test_words_may_stand_behind_results_but_not_before_them():
    before = (Turn("model", (ToolCall("f", {}, "a"),)),)
    result, text = {"type": "function_result", "call_id": "a", "result": "x"}, {"type": "text", "text": "So?"}
    assert [type(part) for part in turns([result, text], before)[0].parts] == [ToolResult, Text]
    assert "immediately after a function call" in refused([text, result], before)


def test_media_have_their_places_for_errors():
    image = {"type": "image", "data": "aGVsbG8=", "mime_type": "image/png"}
    far = {"type": "document", "uri": "https://example.com/a.pdf"}
    (turn,) = turns([{"type": "user_input", "content": [image, far]}])
    near, there = turn.parts
    assert isinstance(near, Blob)
    assert isinstance(there, FileRef)
    assert (near.field, there.field) == ("input[0].content[0].data", "input[0].content[1].uri")


def test_signatures_are_asked_for_in_the_current_turn_only():
    call = {"type": "function_call", "id": "c", "name": "f", "arguments": {}}
    result = {"type": "function_result", "call_id": "c", "result": "x"}
    assert "missing a `thought_signature`" in refused([USER, call, result])
    assert turns([USER, call, result, {"type": "model_output", "content": "So."}, USER])
    assert "not valid" in refused([USER, {**call, "signature": "forged"}, result])
    assert turns([USER, {**call, "signature": "signed"}, result])


def test_many_mistakes_are_told_at_once_and_not_without_end():
    message = refused([{"type": "text"}] * 500, response_modalities=["audio"])
    assert message.count("text is required") == 49
    assert "response_modalities" in message
