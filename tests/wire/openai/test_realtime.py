"""Live sessions without a connection: voices are found, bounds kept, prompts shortened, answers ended."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import struct
from array import array

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.content import Blob, Text, ToolCall
from geminid.core.errors import InputTooLong, Unavailable
from geminid.core.events import Finished, FinishReason, Started, TextDelta, ThoughtDelta, ToolCallMade
from geminid.core.usage import Usage
from geminid.wire.openai.realtime import events
from geminid.wire.openai.realtime.client_events import event_id_of, read_event
from geminid.wire.openai.realtime.conversation import Bounds, Conversation, Waiting
from geminid.wire.openai.realtime.events import COMPLETED, ResponseWriter, Teller, cancelled, response_of
from geminid.wire.openai.realtime.items import (
    Kept,
    Sound,
    item_of_call,
    item_of_sound,
    item_of_text,
    turns_of,
)
from geminid.wire.openai.realtime.prompt import shortened
from geminid.wire.openai.realtime.schema import Pcm, Pcma, Pcmu, Retention, ServerVad
from geminid.wire.openai.realtime.session import Session
from geminid.wire.openai.realtime.sound import Voice, amplitude, bytes_of, in_file, length_ms
from geminid.wire.openai.refused import Refused

FORMS = (Pcm(), Pcmu(), Pcma())


def ids():
    numbers = itertools.count(1)
    return lambda kind: f"{kind}_{next(numbers)}"


def tone(time_ms, level=8_000, rate=24_000):
    return array("h", (int(level * math.sin(at / 8)) for at in range(rate * time_ms // 1000))).tobytes()


def quiet(time_ms):
    return bytes(2 * 24 * time_ms)


# -- sound ---------------------------------------------------------------------------------------------

TALK = quiet(1_000) + tone(800) + quiet(1_000) + tone(600) + quiet(700)


def spoken(data, cuts=(), **vad):
    voice = Voice(ServerVad(**vad), Pcm())
    edges = [0, *sorted(cuts), len(data)]
    return [each for a, b in itertools.pairwise(edges) for each in voice.hear(data[a:b])]


def test_turns_are_found_with_the_padding_before_and_the_silence_after_them():
    first, end, second, last = spoken(TALK)
    assert [each.began for each in (first, end, second, last)] == [True, False, True, False]
    assert first.at_ms == pytest.approx(700, abs=20)
    assert end.at_ms == pytest.approx(2_300, abs=20)
    assert second.at_ms == pytest.approx(2_500, abs=20)
    assert last.at_ms == pytest.approx(3_900, abs=20)


@settings(max_examples=25)
@given(st.lists(st.integers(0, len(TALK)), max_size=12))
def test_the_same_turns_are_found_however_the_sound_is_cut(cuts):
    assert spoken(TALK, cuts) == spoken(TALK)


def test_a_click_a_steady_noise_and_silence_are_no_speech():
    assert spoken(quiet(500) + tone(30) + quiet(500)) == []
    assert spoken(quiet(2_000)) == []
    assert spoken(tone(1_500, 100)) == []


def test_thresholds_decide_what_is_loud():
    soft = quiet(300) + tone(500, 700) + quiet(800)
    assert len(spoken(soft, threshold=0.2)) == 2
    assert spoken(soft, threshold=1.0) == []


@pytest.mark.parametrize("form", FORMS)
def test_lengths_and_files(form):
    assert length_ms(bytes_of(500, form), form) == 500
    data = bytes(range(200))
    file = in_file(data, form)
    tag, channels, rate, _, width, bits = struct.unpack("<HHIIHH", file[20:36])
    assert (file[:4], file[8:16], file[-len(data) :]) == (b"RIFF", b"WAVEfmt ", data)
    assert struct.unpack("<I", file[4:8])[0] == len(file) - 8
    assert (channels, rate * width) == (1, bytes_of(1_000, form))
    assert (tag, bits) == {Pcm: (1, 16), Pcmu: (7, 8), Pcma: (6, 8)}[type(form)]


def test_g711_is_as_loud_as_its_definition_says():
    assert amplitude(b"\xff\x7f", Pcmu()) == 0  # both zeros of µ-law
    assert amplitude(b"\x00\x80", Pcmu()) == 32_124  # its loudest values
    assert amplitude(b"\xd5\x55", Pcma()) == 8  # the quietest of A-law
    assert amplitude(b"\x2a\xaa", Pcma()) == 32_256
    assert amplitude(b"", Pcm()) == amplitude(b"\x01", Pcm()) == 0
    assert amplitude(struct.pack("<hh", -100, 300), Pcm()) == 200


# -- waiting sound -------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=12))
def test_detected_turns_are_items_of_their_own_stretch(sizes):
    waiting, taken, at = Waiting(Pcm(), ServerVad(), ids()), [], 0
    for size in itertools.cycle(sizes):
        if at >= len(TALK):
            break
        taken += waiting.append(TALK[at : at + size])
        at += size
    begun = [turn for turn in taken if turn.began]
    ended = [turn for turn in taken if not turn.began]
    assert [turn.item_id for turn in begun] == [turn.item_id for turn in ended]
    for begin, end in zip(begun, ended, strict=True):
        assert end.kept.item.id == end.item_id
        start = bytes_of(begin.at_ms, Pcm())
        assert end.kept.sounds[0].data == TALK[start : bytes_of(end.at_ms, Pcm())]


def test_silence_is_not_kept():
    waiting = Waiting(Pcm(), ServerVad(), ids())
    for _ in range(50):
        assert list(waiting.append(quiet(1_000))) == []
    assert len(waiting) <= bytes_of(1_400, Pcm())


def test_without_detection_all_of_it_waits_for_the_client():
    waiting = Waiting(Pcm(), None, ids())
    assert list(waiting.append(TALK)) == []
    assert waiting.commit().sounds[0].data == TALK
    with pytest.raises(Refused, match="buffer too small"):
        waiting.commit()
    list(waiting.append(tone(90)))
    with pytest.raises(Refused, match="only has 90ms"):
        waiting.commit()
    waiting.clear()
    assert len(waiting) == 0


def test_another_form_begins_anew():
    waiting = Waiting(Pcm(), None, ids())
    list(waiting.append(tone(500)))
    waiting.set(Pcmu(), ServerVad())
    assert len(waiting) == 0
    list(waiting.append(bytes(800)))
    assert waiting.commit().sounds[0] == Sound(bytes(800), Pcmu())


# -- conversations -------------------------------------------------------------------------------------


def message(text, role="user", item_id="x"):
    kept = Kept(item_of_text(item_id, text, "completed"), [Text(text)])
    kept.item.role = role
    return kept


def test_items_and_their_bytes_are_bounded_and_room_comes_back():
    conversation = Conversation(Bounds(items_max=2, bytes_max=10), ids())
    conversation.put(message("four", item_id="a"))
    with pytest.raises(Refused, match="10 bytes"):
        conversation.put(message("sevenny", item_id="b"))
    with pytest.raises(Refused, match="10 bytes"):
        conversation.check_room(7)
    conversation.put(message("six...", item_id="b"))
    with pytest.raises(Refused, match="2 items"):
        conversation.put(message("", item_id="c"))
    conversation.drop("a")
    conversation.drop("b")
    assert (len(conversation), conversation.size_bytes) == (0, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=12))
def test_items_stand_where_they_were_put(acts):
    conversation, model = Conversation(Bounds(), ids()), []
    for number, (drop, place) in enumerate(acts):
        if drop and model:
            conversation.drop(model.pop(place % len(model)))
            continue
        behind = place % (len(model) + 1)
        previous = model[behind - 1] if behind else "root"
        told = conversation.put(message("", item_id=str(number)), previous)
        assert told == (model[behind - 1] if behind else None)
        model.insert(behind, str(number))
    assert [kept.item.id for kept in conversation] == model


def test_words_stand_for_a_sound_once_they_are_known_and_silence_for_itself():
    kept = item_of_sound("s", Sound(bytes(4_800), Pcm()))
    (turn,) = turns_of([kept])[1]
    assert isinstance(turn.parts[0], Blob)
    kept.heard(0, "")
    assert isinstance(turns_of([kept])[1][0].parts[0], Blob)
    kept.heard(0, "hello")
    assert turns_of([kept])[1][0].parts == (Text("hello", "audio"),)
    assert kept.item.content[0].transcript == "hello"


def test_a_prompt_that_is_too_long_loses_its_oldest_items_and_no_result_without_its_call():
    call = Kept(item_of_call(ToolCall("f", {}, "c"), "call", "{}"), [ToolCall("f", {}, "c")])
    result = msgspec.structs.replace(
        message(""), item=msgspec.structs.replace(call.item, type="function_call_output")
    )
    items = [message("old"), call, result, message("new")]
    session = Session(id="s", kind="realtime")
    problem = InputTooLong(100, 60)
    assert shortened(items, session, problem) == [items[3]]
    assert shortened(items[3:], session, problem) is None
    assert shortened(items, msgspec.structs.replace(session, truncation="disabled"), problem) is None
    half = msgspec.structs.replace(session, truncation=Retention(retention_ratio=0.5))
    assert shortened([message(str(n)) for n in range(10)], half, InputTooLong(100, 99))[0].parts == [
        Text("6")
    ]


@given(st.integers(2, 300), st.integers(1, 10_000), st.integers(1, 10_000))
def test_shortening_always_ends(count, tokens, tokens_max):
    items = [message(str(number)) for number in range(count)]
    session = Session(id="s", kind="realtime")
    while (shorter := shortened(items, session, InputTooLong(tokens, tokens_max))) is not None:
        assert len(shorter) < len(items)
        assert shorter[-1] is items[-1]
        items = shorter


# -- answers -------------------------------------------------------------------------------------------

words = st.text(max_size=4)
produced = st.lists(
    st.builds(TextDelta, words, st.integers(0, 3))
    | st.builds(ThoughtDelta, words, st.integers(0, 3))
    | st.builds(ToolCallMade, st.builds(ToolCall, st.just("f"), st.just({"a": 1}), words), st.just(1)),
    max_size=8,
)
ENDINGS = (COMPLETED, cancelled("client_cancelled"), events.failed(Unavailable("no")))


@given(produced, st.sampled_from(ENDINGS), st.booleans())
def test_every_item_that_was_begun_is_ended_and_stands_in_the_answer(made, ending, joins):
    new_id, put = ids(), []
    conversation = Conversation(Bounds(), new_id)

    def putting(kept):
        put.append(kept.item.id)
        return conversation.put(kept)

    response = response_of("r", "c" if joins else None, None, None)
    writer = ResponseWriter(response, Teller(new_id), new_id, putting if joins else None)
    texts = [writer.begin()]
    for event in (Started(Usage(prompt=1)), *made):
        texts += writer.write(event)
    texts += writer.end(ending, Usage(prompt=1))
    told = [json.loads(text) for text in texts]
    added = [each["item"]["id"] for each in told if each["type"] == "response.output_item.added"]
    done = [each["item"] for each in told if each["type"] == "response.output_item.done"]
    assert added == [item["id"] for item in done]
    assert told[-1]["response"]["output"] == done
    assert put == (added if joins else [])
    text = "".join(event.text for event in made if isinstance(event, TextDelta))
    assert text == "".join(item["content"][0]["text"] for item in done if item["type"] == "message")
    assert sum(isinstance(event, ToolCallMade) for event in made) == sum(
        item["type"] == "function_call" for item in done
    )
    assert len({each["event_id"] for each in told}) == len(told)
    assert told[-1]["response"]["status"] == ending.status


def test_engines_endings_are_told():
    reasons = {reason: events.ending_of(Finished(reason, 0, "why")) for reason in FinishReason}
    assert reasons[FinishReason.STOP] is COMPLETED
    assert reasons[FinishReason.MAX_TOKENS].details["reason"] == "max_output_tokens"
    assert reasons[FinishReason.MALFORMED_CALL].details["error"]["message"] == "why"


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_usage_adds_up(text, audio, image, thoughts):
    usage = Usage(
        prompt=text + audio + image,
        candidates=3,
        thoughts=thoughts,
        media={"audio": audio, "image": image},
        cached=text,
    )
    told = events.usage_told(usage)
    details = told["input_token_details"]
    assert details["text_tokens"] == text
    assert sum(details[f"{kind}_tokens"] for kind in ("text", "audio", "image")) == told["input_tokens"]
    assert told["total_tokens"] == usage.total
    assert told["output_tokens"] == 3 + thoughts


@given(
    st.text(max_size=200)
    | st.recursive(st.none() | st.text(max_size=5), st.lists, max_leaves=5).map(json.dumps)
)
def test_whatever_is_sent_is_an_event_or_a_mistake(text):
    with contextlib.suppress(Refused):
        read_event(text)
    assert event_id_of(text) is None


@pytest.mark.parametrize(
    ("text", "event_id"),
    [('{"event_id": "e", "type": 1}', "e"), ('{"event_id": 5}', None), ("[1]", None), ("[" * 5000, None)],
)
def test_an_event_that_cannot_be_read_is_named_as_far_as_it_can_be(text, event_id):
    assert event_id_of(text) == event_id
