"""A response in many events says what it says in one body, and can be gone on from by hand or by its id."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.errors import Unavailable
from geminid.core.events import (
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    ThoughtDelta,
    TokenLogprob,
    ToolCallMade,
)
from geminid.core.interaction import (
    Ended,
    Interaction,
    StepBegun,
    StepEvent,
    ToolAnswered,
    calls_of,
    fault_of,
    steps_of,
    turns_of_step,
)
from geminid.core.usage import Usage
from geminid.core.vector import Compare, Every, Some
from geminid.wire.openai.filters import read_filter
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.responses.draft import Draft, draft_of, heading_of
from geminid.wire.openai.responses.events import ResponsesFraming
from geminid.wire.openai.responses.items import Known, read_items, references_of
from geminid.wire.openai.responses.kept import Kept, Showing, read_kept, write_kept
from geminid.wire.openai.responses.names import FACE, Place, item_id, place_of
from geminid.wire.openai.responses.request import Reading, parse_request, read_request
from geminid.wire.openai.responses.search import FILE_SEARCH, Found, found_in, result_of
from geminid.wire.openai.responses.writing import EventWriter, write_response
from make import card

ID = "resp_bjxcwl891xnpybvw7alecdzg6ukn5tougth6rzmt"
words = st.text(max_size=6)
counts = st.integers(0, 5)


def sign(receipt: str, candidate: int, part: int) -> str:
    return f"{receipt}/{candidate}/{part}"


def kept_of(showing: Showing, *, background: bool = False, searches: bool = True) -> Kept:
    body: dict[str, Any] = {"model": "m", "input": "hello", "background": background}
    if searches:
        body["tools"] = [{"type": "file_search", "vector_store_ids": ["vs_1"]}]
    read = read_request(parse_request(json.dumps(body).encode()), Known(), Reading(card=card("tiny")))
    return msgspec.structs.replace(read.kept, showing=showing)


# -- streams of events ---------------------------------------------------------------------------------

found = st.builds(
    Found,
    file_id=st.sampled_from(["f1", "f2"]),
    filename=st.just("a.txt"),
    score=st.just(0.5),
    text=words,
)


@st.composite
def one_step(draw, number: int, last: bool) -> list[StepEvent]:
    logprobs = st.builds(lambda token: (TokenLogprob(token, 1, -0.5),), st.text(min_size=1, max_size=4))
    events: list[StepEvent] = [StepBegun(f"r{number}"), Started(Usage(prompt=7))]
    if draw(st.booleans()):
        events.append(PrefixFound(3))
    events += draw(st.lists(st.builds(ThoughtDelta, words, counts), max_size=3))
    events += draw(
        st.lists(st.builds(TextDelta, words, counts, st.just(0), logprobs | st.just(())), max_size=3)
    )
    names = draw(st.lists(st.sampled_from([FILE_SEARCH] if not last else ["f", "g"]), max_size=2))
    if not last:
        names = names or [FILE_SEARCH]
    calls = [ToolCall(name, {"query": "q"}, f"{number}x{place}") for place, name in enumerate(names)]
    events += [ToolCallMade(call, 2) for call in calls]
    if last and draw(st.booleans()):
        reason = draw(st.sampled_from(FinishReason))
        detail = "Malformed" if reason is FinishReason.MALFORMED_CALL else ""
        return [*events, Finished(reason, 0, detail)]
    events.append(Finished(FinishReason.STOP))
    if not last:
        events += [ToolAnswered(result_of(call, draw(st.lists(found, max_size=2)))) for call in calls]
    return events


@st.composite
def streams(draw) -> tuple[StepEvent, ...]:
    steps = draw(st.integers(1, 3))
    return tuple(event for n in range(steps) for event in draw(one_step(n, n == steps - 1)))


def ended(events: tuple[StepEvent, ...], status: str = "") -> Interaction:
    steps = steps_of(events)
    last = steps[-1].answer.candidates[0].reason if steps else FinishReason.STOP
    waits = "requires_action" if calls_of(steps) else "completed"
    return Interaction(
        id=ID,
        project="p",
        wire=FACE.wire,
        model="tiny",
        asked="m",
        status=status or (waits if last is FinishReason.STOP else "incomplete"),
        created_ms=1_000,
        updated_ms=2_000,
        expires_ms=3_000,
        steps=steps,
    )


def told(writer: EventWriter, events: list[Any]) -> list[dict]:
    sent = [writer.begin(), *(writer.write(event) for event in events)]
    frames = b"".join(each for each in sent if each).decode().split("\n\n")[:-1]
    return [json.loads(frame.partition("\ndata: ")[2]) for frame in frames]


def gathered(stream: list[dict]) -> list[dict]:
    """Put events together as SDKs do: items by their places, deltas behind each other."""
    items: dict[int, dict] = {}
    texts: dict[tuple[int, str], str] = {}
    for event in stream:
        match event["type"]:
            case "response.output_item.added":
                assert event["output_index"] == len(items)
                items[event["output_index"]] = event["item"]
            case "response.output_text.delta" | "response.reasoning_summary_text.delta":
                key = event["output_index"], event["item_id"]
                texts[key] = texts.get(key, "") + event["delta"]
            case "response.output_text.done" | "response.reasoning_summary_text.done":
                assert texts.get((event["output_index"], event["item_id"]), "") == event["text"]
            case "response.output_item.done":
                before = items[event["output_index"]]
                assert (before["id"], before["type"]) == (event["item"]["id"], event["item"]["type"])
                items[event["output_index"]] = event["item"]
    return [items[index] for index in sorted(items)]


showings = st.builds(
    Showing, thoughts=st.booleans(), sealed=st.booleans(), logprobs=st.booleans(), results=st.booleans()
)


@given(streams(), showings, st.booleans())
def test_a_stream_put_together_is_the_whole_response(events, showing, background):
    kept, interaction = kept_of(showing, background=background), ended(events)
    stream = told(EventWriter(Draft(heading_of(interaction, kept), sign)), [*events, Ended(interaction)])
    whole = json.loads(write_response(interaction, kept, sign))
    assert stream[-1]["type"] == f"response.{whole['status']}"
    assert stream[-1]["response"] == whole
    assert gathered(stream) == whole["output"]
    assert [event["sequence_number"] for event in stream] == list(range(len(stream)))


@given(streams(), showings, st.data())
def test_whoever_comes_back_gets_the_rest_and_nothing_twice(events, showing, data):
    kept, interaction = kept_of(showing, background=True), ended(events)
    all_of_them = told(EventWriter(Draft(heading_of(interaction, kept), sign)), [*events, Ended(interaction)])
    place = data.draw(st.integers(0, len(all_of_them) - 1))
    rest = told(EventWriter(Draft(heading_of(interaction, kept), sign), place), [*events, Ended(interaction)])
    assert rest == all_of_them[place + 1 :]


@given(streams(), st.data())
def test_a_response_that_failed_says_so_in_its_last_event(events, data):
    cut = events[: data.draw(st.integers(0, len(events) - 1))]
    interaction = ended(cut, "in_progress")
    writer = EventWriter(Draft(heading_of(interaction, kept_of(Showing())), sign))
    stream = told(writer, list(cut))
    frames = writer.fail(Unavailable("The engine stopped.")).decode().split("\n\n")
    error, failed = (json.loads(frame.partition("\ndata: ")[2]) for frame in frames[:2])
    assert error["sequence_number"] == len(stream)
    assert failed["sequence_number"] == len(stream) + 1
    assert (error["type"], error["code"], failed["type"]) == ("error", "server_error", "response.failed")
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"]["message"] == error["message"]
    assert len(failed["response"]["output"]) == len(gathered(stream))


def test_a_stored_failure_is_told_as_it_was_streamed():
    events = (StepBegun("r"), Started(Usage(prompt=1)), TextDelta("One", 1))
    problem = Unavailable("The engine stopped.")
    interaction = msgspec.structs.replace(ended(events, "failed"), fault=fault_of(problem))
    kept = kept_of(Showing())
    writer = EventWriter(Draft(heading_of(interaction, kept), sign))
    told(writer, list(events))
    live = writer.fail(problem)
    again = EventWriter(Draft(heading_of(interaction, kept), sign))
    told(again, list(events))
    assert again.write(Ended(interaction)) == live


def test_what_is_made_is_told_while_it_is_made():
    events = (StepBegun("r"), Started(Usage(prompt=1)), TextDelta("One", 1))
    interaction = ended(events, "in_progress")
    whole = json.loads(write_response(interaction, kept_of(Showing()), sign))
    assert (whole["status"], whole["usage"], whole["completed_at"]) == ("in_progress", None, None)
    assert (whole["output"][0]["status"], whole["output"][0]["content"][0]["text"]) == ("in_progress", "One")


def test_a_function_of_the_caller_may_have_the_name_of_the_search_where_nothing_is_searched():
    events = (StepBegun("r"), Started(Usage()), ToolCallMade(ToolCall(FILE_SEARCH, {}, "1"), 1))
    interaction = ended((*events, Finished(FinishReason.STOP)))
    output = json.loads(write_response(interaction, kept_of(Showing(), searches=False), sign))["output"]
    assert [item["type"] for item in output] == ["function_call"]


def test_what_is_not_stored_does_not_say_so():
    interaction = msgspec.structs.replace(ended(()), stored=False)
    assert heading_of(interaction, kept_of(Showing())).settings.store is False


def test_a_stream_has_nothing_behind_its_last_event():
    framing = ResponsesFraming()
    assert (framing.first(), framing.frame(b"x"), framing.last()) == (b"", b"x", b"")


# -- going on ------------------------------------------------------------------------------------------


def plain(turns) -> list[Any]:
    """Turns without what differs by how they came: ids of calls, thoughts, and words that are none."""
    said = []
    for turn in turns:
        parts = []
        for part in turn.parts:
            match part:
                case Thought() | Text(""):
                    continue
                case ToolCall():
                    parts.append(ToolCall(part.name, part.args))
                case ToolResult():
                    parts.append(ToolResult(part.name, part.response))
                case _:
                    parts.append(part)
        if parts:
            said.append(Turn(turn.role, tuple(parts)))
    return said


@given(one_step(0, True))
def test_an_output_sent_back_means_what_going_on_by_id_means(events):
    (step,) = steps_of(events)
    interaction = ended(tuple(events))
    output = json.loads(write_response(interaction, kept_of(Showing(), searches=False), sign))["output"]
    spoken = [item for item in output if item.get("content") != [{"type": "refusal", "refusal": "Malformed"}]]
    calls = [item["call_id"] for item in spoken if item["type"] == "function_call"]
    results = [{"type": "function_call_output", "call_id": each, "output": "x"} for each in calls]
    by_hand = read_items([*spoken, *results, {"role": "user", "content": "on"}], Known())
    pending = calls_of((step,))
    by_id = read_items([*results, {"role": "user", "content": "on"}], Known(pending=pending, follows=True))
    kept = [turn for turn in turns_of_step(step) if turn.parts]
    assert plain(by_hand.turns) == plain([*kept, *by_id.turns])


def test_results_are_found_by_the_ids_that_clients_know():
    pending = (ToolCall("f", {}, "abc"), ToolCall("g", {}, "def"))
    said = [
        {"type": "function_call_output", "call_id": "call_def", "output": "2"},
        {"type": "function_call_output", "call_id": "call_abc", "output": "1"},
    ]
    (turn,) = read_items(said, Known(pending=pending, follows=True)).turns
    assert [(part.name, part.id) for part in turn.parts] == [("g", "def"), ("f", "abc")]


def test_what_is_referred_to_is_named():
    items = [{"type": "item_reference", "id": "a"}, {"id": "b"}, {"role": "user", "content": "c"}, {"id": 5}]
    assert references_of(items) == ("a", "b")


@given(st.sampled_from(["msg_", "rs_", "fc_", "fs_", "item_"]), st.integers(0, 4095), st.booleans())
def test_an_item_is_found_by_its_id(kind, number, sent):
    assert place_of(item_id(kind, ID, number, sent=sent)) == Place(ID, sent, number)


@given(st.text(max_size=12))
def test_ids_of_others_are_no_places(said):
    place = place_of(said)
    assert place is None or place.response_id.startswith("resp_")


# -- what is kept --------------------------------------------------------------------------------------


@given(showings)
def test_what_is_kept_comes_back(showing):
    kept = kept_of(showing)
    assert read_kept(write_kept(kept)) == kept


@given(st.lists(found, max_size=3))
def test_what_was_found_comes_back(pieces):
    assert found_in(result_of(ToolCall(FILE_SEARCH, {}, "1"), pieces)) == pieces


def test_too_many_searches_have_found_nothing():
    assert found_in(ToolResult(FILE_SEARCH, {"error": "too many"}, "1")) == []


# -- hostile requests ----------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    [
        *("type", "role", "content", "id", "call_id", "output", "name", "arguments", "summary", "queries"),
        *("text", "image_url", "file_id", "encrypted_content", "results", "input_audio"),
    ]
)
kinds = st.sampled_from(
    [
        *("message", "function_call", "function_call_output", "reasoning", "file_search_call", "input_text"),
        *("item_reference", "output_text", "input_image", "user", "assistant", "developer", "call_1"),
    ]
)
items = st.dictionaries(
    keys, kinds | json_values | st.lists(st.dictionaries(keys, kinds), max_size=2), max_size=6
)


def refused(act):
    """Return with which mistake an act is refused, or what comes of it; anything else fails the test."""
    try:
        return None, act()
    except Refused as problem:
        return problem, None


@given(st.lists(items, min_size=1, max_size=4))
def test_any_input_is_read_or_refused_with_its_parameter(said):
    body = json.dumps({"model": "m", "input": said}).encode()
    problem, read = refused(lambda: read_request(parse_request(body), Known(), Reading(card=card("tiny"))))
    assert problem.message if problem is not None else read.request.turns


@given(
    st.dictionaries(st.sampled_from(["tools", "tool_choice", "text", "reasoning", "include"]), json_values)
)
def test_any_setting_is_read_or_refused(settings):
    body = json.dumps({"model": "m", "input": "a", **settings}).encode()
    problem, _ = refused(lambda: read_request(parse_request(body), Known(), Reading(card=card("tiny"))))
    assert problem is None or problem.message


filters = st.recursive(
    st.builds(
        Compare,
        st.text(min_size=1, max_size=3),
        st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]),
        st.text(max_size=3) | st.booleans() | st.floats(-9, 9),
    )
    | st.builds(
        Compare,
        st.text(min_size=1, max_size=3),
        st.sampled_from(["in", "nin"]),
        st.lists(st.text(max_size=3) | st.floats(-9, 9), max_size=2).map(tuple),
    ),
    lambda inner: st.builds(
        lambda kind, each: kind(tuple(each)), st.sampled_from([Every, Some]), st.lists(inner, max_size=2)
    ),
    max_leaves=4,
)


def spelled(wanted) -> dict:
    match wanted:
        case Every(each):
            return {"type": "and", "filters": [spelled(one) for one in each]}
        case Some(each):
            return {"type": "or", "filters": [spelled(one) for one in each]}
    return {"type": wanted.op, "key": wanted.key, "value": wanted.value}


@given(filters)
def test_a_filter_comes_out_as_it_was_meant(wanted):
    assert read_filter(json.loads(json.dumps(spelled(wanted))), "filters") == wanted


@given(json_values)
def test_any_filter_is_read_or_refused_with_its_path(said):
    problem, _ = refused(lambda: read_filter(said, "filters"))
    assert problem is None or (problem.param or "").startswith("filters")


def test_a_draft_of_nothing_is_a_response():
    assert draft_of(ended((), "queued"), kept_of(Showing()), sign).response("queued").output == []
