"""Calls and their results in a conversation: how they are read, in which order, and with which signature."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.content import Blob, FileRef, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.errors import InvalidArgument
from geminid.core.events import Answer, Candidate, FinishReason
from geminid.core.manner import Manner
from geminid.core.usage import Usage
from geminid.wire.gemini import count, generate
from geminid.wire.gemini.generate import Reading
from geminid.wire.gemini.turnrules import BYPASSES, CALL_TURN, COUNTS, NOT_VALID, RESPONSE_TURN

OURS = "b3Vycw=="
READING = Reading(genuine=lambda raw: raw == OURS)
UNCHECKED = Reading(manner=Manner(signatures_checked=False), genuine=lambda raw: False)


def call(name: str = "f", signature: str | None = None, **fields: Any) -> dict[str, Any]:
    signed = {"thoughtSignature": signature} if signature is not None else {}
    return {"functionCall": {"name": name, "args": {}} | fields, **signed}


def result(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": {"output": 1}} | fields}


def text(words: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"text": words, **fields}


def user(*parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


SIGNED = call(signature=OURS)


def read(*contents: dict[str, Any], reading: Reading = READING) -> tuple[Turn, ...]:
    return generate.read_request(json.dumps({"contents": contents}).encode(), "m", reading).request.turns


def refusal(*contents: dict[str, Any], reading: Reading = READING) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as caught:
        read(*contents, reading=reading)
    return [(violation.description, violation.field) for violation in caught.value.violations]


# Parts.


def test_a_call_and_its_result_are_read():
    turns = read(
        user(text()),
        model(text("hm", thought=True), call("w", OURS, args={"a_b": [1, {"c": None}]}, id="a1b2c3d4")),
        user({"functionResponse": {"name": "w", "id": "a1b2c3d4", "response": {"output": "21C"}}}),
    )
    assert turns == (
        Turn("user", (Text("hello"),)),
        Turn("model", (Thought("hm"), ToolCall("w", {"a_b": [1, {"c": None}]}, "a1b2c3d4"))),
        Turn("user", (ToolResult("w", {"output": "21C"}, "a1b2c3d4"),)),
    )


@pytest.mark.parametrize("args", [{}, {"args": None}, {"args": {}}])
def test_a_call_without_arguments_has_none(args):
    bare = {"functionCall": {"name": "f"} | args, "thoughtSignature": OURS}
    assert read(user(text()), model(bare), user(result()))[1].parts == (ToolCall("f", {}),)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"response": {"a": 1}}, {"a": 1}),
        ({"response": "21C"}, {"output": "21C"}),
        ({"response": [1, 2]}, {"output": [1, 2]}),
        ({"response": 0}, {"output": 0}),
        ({"response": None}, {}),
        ({}, {}),
    ],
)
def test_a_response_that_is_no_object_is_put_into_one(response, expected):
    said = {"functionResponse": {"name": "f"} | response}
    assert read(user(text()), model(SIGNED), user(said))[2].parts == (ToolResult("f", expected),)


@pytest.mark.parametrize("role", ["user", "function", "tool", "", None])
def test_results_come_in_every_role_that_clients_use(role):
    assert read(user(text()), model(SIGNED), user(result(), role=role))[2].role == "user"


def test_ids_that_were_never_given_and_fields_of_live_sessions_are_accepted():
    said = result(id="pyd_ai_12", willContinue=False, scheduling="SILENT")
    turns = read(user(text()), model(call(signature=OURS, id="pyd_ai_12")), user(said))
    assert turns[2].parts == (ToolResult("f", {"output": 1}, "pyd_ai_12"),)


@pytest.mark.parametrize("kind", ["text/plain", "TEXT/CSV; charset=utf-8", "image/png"])
def test_media_beside_a_result_are_kept(kind):
    blob = {"mimeType": kind, "data": base64.b64encode("naïve".encode()).decode()}
    parts = [{"inlineData": blob}, {"fileData": {"fileUri": "files/x"}}]
    turns = read(user(text()), model(SIGNED), user(result(parts=parts)))
    path = "contents[2].parts[0].function_response.parts"
    kept = (
        Blob(kind.partition(";")[0].lower(), "naïve".encode(), field=f"{path}[0].inline_data"),
        FileRef("files/x", field=f"{path}[1].file_data"),
    )
    assert turns[2].parts == (ToolResult("f", {"output": 1}, "", kept),)


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"inlineData": {"mimeType": "font/woff", "data": "AAAA"}}, "inline_data.mime_type"),
        ({"inlineData": {"data": "AAAA"}}, "inline_data.mime_type"),
        ({"inlineData": {"mimeType": "text/plain", "data": ""}}, "inline_data.data"),
        ({"fileData": {}}, "file_data.file_uri"),
        ({}, "data"),
    ],
)
def test_broken_media_beside_a_result_are_refused_by_their_path(part, field):
    ((_, path),) = refusal(user(text()), model(SIGNED), user(result(parts=[part])))
    assert path == f"contents[2].parts[0].function_response.parts[0].{field}"


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (call(name=""), "function_call.name"),
        ({"functionCall": {}}, "function_call.name"),
        (call(args=[1]), "function_call.args"),
        (call(args="x"), "function_call.args"),
        (call(partialArgs=[{"a": 1}]), "function_call.partial_args"),
        (call(willContinue=True), "function_call.will_continue"),
    ],
)
def test_calls_that_are_none_are_refused_by_their_path(part, field):
    ((_, path),) = refusal(user(text()), model(part | {"thoughtSignature": OURS}), user(result()))
    assert path == f"contents[1].parts[0].{field}"


def test_a_result_without_a_name_is_refused_in_googles_words():
    assert refusal(user(text()), model(SIGNED), user(result(name=""))) == [
        (
            "* GenerateContentRequest.contents[2].parts[0].function_response.name: Name cannot be empty.",
            "contents[2].parts[0].function_response.name",
        )
    ]


@pytest.mark.parametrize("part", [call(), result()])
def test_a_system_instruction_calls_nothing(part):
    body = {"contents": [user(text())], "systemInstruction": {"parts": [text(), part]}}
    with pytest.raises(InvalidArgument) as caught:
        generate.read_request(json.dumps(body).encode(), "m", READING)
    (violation,) = caught.value.violations
    assert violation.field.startswith("system_instruction.parts[1].function_")


# The order of turns.


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param([model(SIGNED), user(result())], id="at the beginning"),
        pytest.param([user(text(), call())], id="by the user"),
        pytest.param([user(call()), model(text())], id="by the user alone"),
    ],
)
def test_a_call_stands_after_the_user(contents):
    ((message, field),) = [entry for entry in refusal(*contents) if entry[0] == CALL_TURN]
    assert message == CALL_TURN
    assert field.endswith(".function_call")


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param([user(text()), model(SIGNED), user(text())], id="none"),
        pytest.param([user(text()), model(SIGNED, call("g")), user(result())], id="too few"),
        pytest.param([user(text()), model(SIGNED), user(result(), result("g"))], id="too many"),
        pytest.param([user(text()), model(SIGNED, call("g")), user(result()), model(text())], id="older"),
    ],
)
def test_there_are_as_many_results_as_calls(contents):
    assert refusal(*contents) == [(COUNTS, "contents[2]")]


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param([user(result())], id="alone"),
        pytest.param([user(text()), model(text()), user(result())], id="after an answer"),
        pytest.param([user(text()), model(SIGNED), user(text()), user(result())], id="later"),
        pytest.param([user(text()), model(SIGNED, result()), user(result())], id="by the model"),
    ],
)
def test_a_result_stands_after_its_call(contents):
    ((message, field),) = refusal(*contents)
    assert message == RESPONSE_TURN
    assert field.endswith(".function_response")


def test_interleaved_calls_and_results_are_refused():
    interleaved = [user(text()), model(SIGNED), user(result()), model(call("g")), user(result("g"))]
    assert len(refusal(*interleaved)) == 1


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param([user(text()), model(SIGNED), user(result())], id="a step"),
        pytest.param([user(text()), model(SIGNED, call("g")), user(result(), result("g"))], id="parallel"),
        pytest.param([user(text()), model(SIGNED), user(result()), model(text()), user(text())], id="past"),
        pytest.param(
            [user(text()), model(text("", thought=True)), model(SIGNED), user(result())], id="chunks"
        ),
        pytest.param(
            [user(text()), model(SIGNED), model(call("g")), model(text("")), user(result(), result("g"))],
            id="parallel calls in chunks",
        ),
        pytest.param(
            [user(text()), model(SIGNED, call("g")), user(result()), user(result("g"))],
            id="results in contents of their own",
        ),
        pytest.param([user(text()), model(SIGNED), user(result(), text("go on"))], id="text beside"),
        pytest.param([user(text()), model(SIGNED), user(result()), user(text("go on"))], id="text after"),
        pytest.param([user(text()), model(SIGNED), user(result()), model(SIGNED), user(result())], id="two"),
        pytest.param([user(text()), model(SIGNED)], id="not yet answered"),
    ],
)
def test_what_clients_send_is_accepted(contents):
    assert len(read(*contents)) == len(contents)


# Signatures.


def test_the_first_call_of_each_step_of_the_current_turn_needs_a_signature():
    contents = [
        user(text()),
        model(call("f")),
        user(result()),
        model(text("x"), call("g")),
        user(result("g")),
    ]
    assert refusal(*contents) == [
        (
            "Function call `f` in the `2.` content block is missing a `thought_signature`.",
            "contents[1].parts[0].thought_signature",
        ),
        (
            "Function call `g` in the `4.` content block is missing a `thought_signature`.",
            "contents[3].parts[1].thought_signature",
        ),
    ]


@pytest.mark.parametrize("raw", ["AAAA", "not base64!", "é", "skip_thought_signature", "="])
def test_a_wrong_signature_is_refused_in_googles_words(raw):
    assert refusal(user(text()), model(call(signature=raw)), user(result())) == [
        (NOT_VALID, "contents[1].parts[0].thought_signature")
    ]


@pytest.mark.parametrize("value", BYPASSES)
@pytest.mark.parametrize(
    "encode",
    [
        bytes.decode,
        lambda value: base64.b64encode(value).decode(),
        lambda value: base64.urlsafe_b64encode(value).rstrip(b"=").decode(),
    ],
    ids=["as it is", "base64", "URL-safe without padding"],
)
def test_documented_values_pass_for_a_signature(value, encode):
    read(user(text()), model(call(signature=encode(value))), user(result()))


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param(
            [user(text()), model(call()), user(result()), model(text()), user(text())], id="an earlier turn"
        ),
        pytest.param([user(text()), model(call()), user(result(), text())], id="the user said more"),
        pytest.param([user(text()), model(SIGNED, call("g")), user(result(), result("g"))], id="beside"),
        pytest.param([user(text()), model(text(thoughtSignature="wrong")), user(text())], id="on text"),
        pytest.param(
            [user(text()), model(text(thoughtSignature="wrong"), SIGNED), user(result())], id="text before"
        ),
        pytest.param(
            [user(text()), model(SIGNED, call("g", "wrong")), user(result(), result("g"))], id="wrong beside"
        ),
    ],
)
def test_elsewhere_signatures_are_not_looked_at(contents):
    read(*contents)


def test_a_name_that_does_not_check_accepts_everything():
    read(
        user(text()),
        model(call()),
        user(result()),
        model(call(signature="x")),
        user(result()),
        reading=UNCHECKED,
    )


def test_counting_follows_the_same_rules():
    contents = [user(text()), model(call()), user(result())]
    for body in ({"contents": contents}, {"generateContentRequest": {"contents": contents}}):
        with pytest.raises(InvalidArgument, match="missing a `thought_signature`"):
            count.read_request(json.dumps(body).encode(), "m", READING)


# Laws.

PARTS = st.one_of(
    st.builds(text, st.text(max_size=2)),
    st.builds(text, st.text(max_size=2), thought=st.booleans(), thoughtSignature=st.text(max_size=3)),
    st.builds(call, st.sampled_from("fg"), st.sampled_from([None, OURS, "x"]), args=st.just({"a": 1})),
    st.builds(result, st.sampled_from("fg"), response=st.none() | st.integers() | st.just({"a": 1})),
)
CONTENTS = st.builds(
    lambda role, parts: {"role": role, "parts": parts},
    st.sampled_from(["user", "model", "model", "function", "tool", None]),
    st.lists(PARTS, max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(CONTENTS, max_size=6), st.sampled_from([READING, UNCHECKED]))
def test_no_order_of_turns_is_a_crash_and_what_is_read_answers_every_call(contents, reading):
    with contextlib.suppress(InvalidArgument):
        turns = read(*contents, reading=reading)
        calls = [part for turn in turns for part in turn.parts if isinstance(part, ToolCall)]
        results = [part for turn in turns for part in turn.parts if isinstance(part, ToolResult)]
        assert len(results) == len(calls) or (turns[-1].role == "model" and len(results) < len(calls))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.builds(
    ToolCall,
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_.:-]{0,9}", fullmatch=True),
    st.dictionaries(st.text(max_size=3), JSON, max_size=3),
    st.text(max_size=8),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=3).map(tuple), st.text(max_size=3))
def test_calls_that_are_sent_back_are_those_that_were_made(calls, words):
    made = Answer((Candidate(words, FinishReason.STOP, calls=calls),), Usage())
    body = json.loads(generate.write_answer(made, "m", "id", sign=lambda *_: OURS))
    content = body["candidates"][0]["content"]
    results = user(*(result(made.name, id=made.id) for made in calls))
    said = (Text(words),) if words else ()
    assert read(user(text()), content, results)[1] == Turn("model", (*said, *calls))
