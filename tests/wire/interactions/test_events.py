"""Streams of interactions: whatever the engine's deltas look like, and wherever a reader goes on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import ToolCall
from geminid.core.events import Finished, FinishReason, Started, TextDelta, ThoughtDelta, ToolCallMade
from geminid.core.interaction import Ended, Interaction, StepBegun, steps_of
from geminid.core.usage import Usage
from geminid.wire.interactions import answers, events
from geminid.wire.interactions.answers import Telling
from interacting import CREATED_MS, ID, status_of

LOUD = Telling(thoughts=True)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
calls = st.builds(ToolCall, st.just("f"), st.dictionaries(texts, texts, max_size=2), st.just("c1"))


@st.composite
def answers_of_models(draw):
    """Events as an engine may give them."""
    said = [Started(Usage(prompt=3))]
    said += [ThoughtDelta(text, 1) for text in draw(st.lists(texts, max_size=3))]
    said += [TextDelta(text, 1) for text in draw(st.lists(texts, max_size=4))]
    said += [ToolCallMade(call, 5) for call in draw(st.lists(calls, max_size=2))]
    return [StepBegun("r1"), *said, Finished(draw(st.sampled_from(FinishReason)))]


def interaction_of(told, **fields):
    steps = steps_of(told)
    given_fields = {
        "id": ID,
        "project": "default",
        "wire": "interactions",
        "model": "tiny",
        "asked": "tiny",
        "status": status_of(steps),
        "created_ms": CREATED_MS,
        "updated_ms": CREATED_MS,
        "expires_ms": 0,
        "steps": steps,
        **fields,
    }
    return Interaction(**given_fields)


def sign(receipt, step):
    return f"{receipt}/{step}"


def stream(told, telling=LOUD, after=0, **fields):
    """The events of a stream, as a client parses them."""
    interaction = interaction_of(told, **fields)
    writer = events.EventWriter(interaction, telling, sign, after)
    framed = b"".join([writer.begin(), *map(writer.write, [*told, Ended(interaction)])]).decode()
    return [parsed(block) for block in framed.split("\n\n")[:-1]]


def parsed(block):
    name, data = block.split("\n", 1)
    event = json.loads(data.removeprefix("data: "))
    assert name == f"event: {event['event_type']}"
    return event


def assembled(said):
    """What a client puts together: the steps, and the last event."""
    steps = {}
    for event in said:
        match event["event_type"]:
            case "step.start":
                assert event["index"] == len(steps)
                steps[event["index"]] = dict(event["step"])
            case "step.delta":
                _add(steps[event["index"]], event["delta"])
    return [_whole(step) for step in steps.values()], said[-1]


def _add(step, delta):
    match delta["type"]:
        case "text":
            step["text"] = step.get("text", "") + delta["text"]
        case "thought_summary":
            step["summary"] = step.get("summary", "") + delta["content"]["text"]
        case "thought_signature":
            step["signature"] = delta["signature"]
        case "arguments_delta":
            step["spelled"] = step.get("spelled", "") + delta["arguments"]


def _whole(step):
    said = {"type": step["type"]}
    if step["type"] == "thought":
        said["signature"] = step["signature"]
        if step.get("summary"):
            said["summary"] = [{"text": step["summary"], "type": "text"}]
    elif step["type"] == "model_output":
        said["content"] = [{"text": step["text"], "type": "text"}]
    else:
        said |= {"id": step["id"], "name": step["name"], "arguments": json.loads(step["spelled"])}
    return said


@given(told=answers_of_models(), thoughts=st.booleans())
def test_a_stream_spells_what_the_whole_body_says(told, thoughts):
    telling = Telling(thoughts=thoughts)
    interaction = interaction_of(told)
    body = json.loads(answers.write_interaction(interaction, telling, sign))
    steps, last = assembled(stream(told, telling))
    assert steps == body.pop("steps", [])
    assert last["interaction"] == body


@given(told=answers_of_models(), thoughts=st.booleans(), data=st.data())
def test_a_stream_goes_on_after_any_of_its_events(told, thoughts, data):
    telling = Telling(thoughts=thoughts)
    whole = stream(told, telling)
    seen = data.draw(st.integers(0, len(whole)))
    after = int(whole[seen - 1]["event_id"]) if seen else 0
    assert whole[:seen] + stream(told, telling, after) == whole


@given(told=answers_of_models(), data=st.data())
def test_events_have_the_same_places_however_the_deltas_were_cut(told, data):
    """As when the live stream was in pieces, and what is kept of it is whole."""
    joined = [StepBegun("r1"), Started(Usage(prompt=3))]
    for kind in (ThoughtDelta, TextDelta):
        pieces = [event for event in told if isinstance(event, kind)]
        if pieces:
            joined.append(kind("".join(each.text for each in pieces), len(pieces)))
    joined += [event for event in told if isinstance(event, ToolCallMade | Finished)]
    live = stream(told)
    seen = data.draw(st.integers(0, len(live)))
    after = int(live[seen - 1]["event_id"]) if seen else 0
    assert assembled(live[:seen] + stream(joined, after=after)) == assembled(live)


def test_ids_grow_and_are_told_where_they_can_be_used():
    told = [StepBegun("r1"), Started(Usage(prompt=3)), TextDelta("Hello", 1), Finished(FinishReason.STOP)]
    numbered = [int(event["event_id"]) for event in stream(told)]
    assert numbered == sorted(set(numbered))
    unstored = stream(told, stored=False)
    assert not any("event_id" in event for event in unstored)
    assert unstored[0]["interaction"]["id"] == unstored[1]["interaction_id"] == ""


def test_a_stream_that_has_failed_does_not_look_whole():
    framing = events.EventFraming()
    assert framing.last() == b"event: done\ndata: [DONE]\n\n"
    framing.failed = lambda: True
    assert framing.last() == b""


@pytest.mark.parametrize("after", [10**6, 999_999_999_999_999_999])
def test_after_the_end_there_is_nothing(after):
    told = [StepBegun("r1"), Started(Usage(prompt=3)), TextDelta("Hello", 1), Finished(FinishReason.STOP)]
    assert stream(told, after=after) == []
