"""Requests of the Messages API mean what its reference says; mistakes are told with their paths."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import Blob, FileRef, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.errors import InvalidArgument
from geminid.core.manner import Manner
from geminid.core.request import JsonOutput, Sampling, Thinking
from geminid.wire.anthropic.messages import Reading, ReadMessages, read_count, read_request
from geminid.wire.anthropic.refused import Refused

GENUINE = Reading(genuine=lambda signature: signature == "genuine")
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Rome"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "21C"}
TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
PNG = base64.b64encode(b"picture").decode()


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def read(messages: Any = None, reading: Reading = GENUINE, **fields: Any) -> ReadMessages:
    body = {"model": "m", "max_tokens": 2048, "messages": messages or [user("hello")], **fields}
    return read_request(json.dumps(body).encode(), reading)


def parts(content: Any) -> tuple[Any, ...]:
    return read([user(content)]).request.turns[0].parts


def mistake(messages: Any = None, **fields: Any) -> str:
    with pytest.raises(Refused) as caught:
        read(messages, **fields)
    return caught.value.message


# -- what is said ----------------------------------------------------------------------------------------


def test_words_are_turns_and_instructions_stand_apart():
    said = read([user("a"), assistant("b"), user([{"type": "text", "text": "c"}])], system="be kind").request
    assert said.system == (Text("be kind"),)
    assert said.turns == (Turn("user", (Text("a"),)), Turn("model", (Text("b"),)), Turn("user", (Text("c"),)))


def test_instructions_among_the_messages_are_moved_to_the_front_and_that_is_told():
    later = {"role": "system", "content": [{"type": "text", "text": "and brief"}]}
    said = read([user("a"), later], system="be kind")
    assert said.request.system == (Text("be kind"), Text("and brief"))
    assert said.downgrades == ("messages.role=system-moved-to-the-front",)
    assert mistake([later]).startswith("This model does not support assistant message prefill")


def test_settings():
    options = {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop_sequences": ["END"]}
    found = read(**options, metadata={"user_id": "u-1"}).request
    assert found.sampling == Sampling(temperature=0.5, top_p=0.9, top_k=40)
    assert (found.tokens_max, found.stop, found.labels) == (2048, ("END",), {"user": "u-1"})


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            Blob("image/png", b"picture", field="messages.0.content.0.source.data"),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
            FileRef("https://a.example/b.png", field="messages.0.content.0.source.url"),
        ),
        (
            {"type": "document", "source": {"type": "file", "file_id": "file_abc"}, "title": "Lease"},
            FileRef("files/abc", field="messages.0.content.0.source.file_id", name="Lease"),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            Text("words\n\n"),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "words"}, "title": "T"},
            Text("T\n\nwords\n\n"),
        ),
        (
            {
                "type": "search_result",
                "source": "s",
                "title": "T",
                "content": [{"type": "text", "text": "w"}],
            },
            Text("T\ns\n\nw\n\n"),
        ),
    ],
)
def test_what_is_shown(block, part):
    assert parts([block]) == (part,)


def test_a_document_of_blocks_with_what_should_be_known_of_it():
    source = {"type": "content", "content": [{"type": "text", "text": "words"}]}
    block = {"type": "document", "source": source, "title": "T", "context": "old"}
    assert parts([block]) == (Text("old\n\n"), Text("T\n\n"), Text("words"))


# -- tools -----------------------------------------------------------------------------------------------


def test_calls_and_their_results_are_turns_of_their_own():
    said = read(
        [user("weather?"), assistant([CALL]), user([RESULT, {"type": "text", "text": "so?"}])]
    ).request
    assert said.turns[1:] == (
        Turn("model", (ToolCall("get_weather", {"city": "Rome"}, "toolu_1"),)),
        Turn("user", (ToolResult("get_weather", {"output": "21C"}, "toolu_1"),)),
        Turn("user", (Text("so?"),)),
    )


@pytest.mark.parametrize(
    ("given_back", "response"),
    [
        ({"content": '{"celsius": 21}'}, {"celsius": 21}),
        ({"content": "{broken"}, {"output": "{broken"}),
        ({"content": None}, {"output": ""}),
        ({"content": "no such city", "is_error": True}, {"error": "no such city"}),
        ({"content": [{"type": "text", "text": "21C"}]}, {"output": "21C"}),
    ],
)
def test_what_a_tool_gave_back(given_back, response):
    (_, _, results) = read([user("?"), assistant([CALL]), user([{**RESULT, **given_back}])]).request.turns
    assert results.parts[0].response == response


def test_a_picture_that_a_tool_gave_back():
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    (_, _, results) = read(
        [user("?"), assistant([CALL]), user([{**RESULT, "content": [picture]}])]
    ).request.turns
    assert [part.data for part in results.parts[0].parts] == [b"picture"]


@pytest.mark.parametrize(
    ("choice", "mode", "calls_max", "names"),
    [
        (None, "auto", None, ["get_weather", "other"]),
        ({"type": "auto", "disable_parallel_tool_use": True}, "auto", 1, ["get_weather", "other"]),
        ({"type": "any"}, "any", None, ["get_weather", "other"]),
        ({"type": "tool", "name": "other"}, "any", None, ["other"]),
        ({"type": "none"}, "none", None, []),
    ],
)
def test_which_tools_may_be_called(choice, mode, calls_max, names):
    found = read(tools=[TOOL, {**TOOL, "name": "other", "type": "custom"}], tool_choice=choice).request
    assert (found.call_mode, found.calls_max) == (mode, calls_max)
    assert [tool.name for tool in found.tools] == names


def test_what_no_grammar_enforces_of_a_tool_is_told_unless_it_is_strict():
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {}, "uniqueItems": True}}}
    assert read(tools=[{**TOOL, "input_schema": schema}]).downgrades == (
        "tools.0.input_schema=without-uniqueItems",
    )
    told = mistake(tools=[{**TOOL, "input_schema": schema, "strict": True}])
    assert told.startswith("tools.0.input_schema.properties.a")


# -- thinking and forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "thinking", "shown"),
    [
        ({}, Thinking(level="minimal"), (False, True)),
        ({"thinking": {"type": "disabled"}}, Thinking(budget_tokens=0), (False, True)),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            Thinking(budget_tokens=1024, include=True),
            (True, True),
        ),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            Thinking(level="high", include=True),
            (True, False),
        ),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            Thinking(level="low", include=True),
            (True, True),
        ),
        ({"output_config": {"effort": "max"}}, Thinking(level="high"), (False, True)),
    ],
)
def test_thinking(options, thinking, shown):
    found = read(**options)
    assert (found.request.thinking, tuple(found.shows)) == (thinking, shown)


def test_a_name_without_levels_takes_its_effort_as_it_likes():
    reading = msgspec.structs.replace(GENUINE, manner_of=lambda name: Manner(levels=False))
    assert read(reading=reading, output_config={"effort": "low"}).request.thinking == Thinking(
        budget_tokens=-1
    )


@pytest.mark.parametrize("field", ["output_config", "output_format"])
def test_an_answer_in_a_form(field):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    form = {"type": "json_schema", "schema": schema}
    output = read(**{field: {"format": form} if field == "output_config" else form}).request.output
    assert isinstance(output, JsonOutput)
    assert output.schema == schema


def test_thoughts_come_back_with_their_signatures():
    thought = {"type": "thinking", "thinking": "hm", "signature": "genuine"}
    text = {"type": "text", "text": "b"}
    assert read([user("a"), assistant([thought, text]), user("c")]).request.turns[1].parts == (
        Thought("hm"),
        Text("b"),
    )
    forged = [user("a"), assistant([{**thought, "signature": "forged"}, text]), user("c")]
    assert mistake(forged) == "messages.1.content.0: Invalid `signature` in `thinking` block"
    assert read(forged, Reading()).request.turns
    redacted = [user("a"), assistant([{"type": "redacted_thinking", "data": "x"}, text]), user("c")]
    assert mistake(redacted).startswith("messages.1.content.0: Invalid `data`")


# -- what is served with less ----------------------------------------------------------------------------


CACHE = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ()),
        (CACHE, ("cache_control=implicit",)),
        ({"system": [{"type": "text", "text": "s", **CACHE}]}, ("cache_control=implicit",)),
        ({"tools": [{**TOOL, **CACHE}]}, ("cache_control=implicit",)),
        ({"tools": [{**TOOL, **CACHE}], **CACHE}, ("cache_control=implicit",)),
        ({"speed": "fast"}, ("speed=standard",)),
        ({"stop_sequences": ["x"]}, ("stop_sequences=told-as-end_turn",)),
        ({"output_config": {"effort": "xhigh"}}, ("output_config.effort=high",)),
        ({"tools": [{**TOOL, "input_examples": [{}]}]}, ("tools.0.input_examples=not-told-to-the-model",)),
    ],
)
def test_downgrades(options, told):
    assert read(**options).downgrades == told


def test_citations_are_not_given_and_that_is_told():
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "w"}}
    assert read([user([{**document, "citations": {"enabled": True}}])]).downgrades == ("citations=none",)
    assert read([user([{**document, "citations": {"enabled": False}}])]).downgrades == ()


# -- mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
        ({"temperature": 1.5}, "temperature: Input should be less than or equal to 1.0"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"container": "c"}, "container: Not supported by this server. Nothing is run here."),
        ({"mcp_servers": [{}]}, "mcp_servers: Not supported by this server."),
        ({"inference_geo": "us"}, "inference_geo: Not supported by this server."),
        ({"context_management": {"edits": [{}]}}, "context_management: Not supported by this server."),
        ({"tool_choice": {"type": "any"}}, "tool_choice: tool_choice may only be specified while providing tools."),
        ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice: Tool 'x' not found in provided tools"),
        ({"tools": [{"name": "f"}]}, "tools.0.input_schema: Field required"),
        ({"tools": [{**TOOL, "input_schema": {"type": "string"}}]}, "tools.0.input_schema: JSON schema is invalid: its type must be 'object'"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "`max_tokens` must be greater than `thinking.budget_tokens`."),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "thinking.budget_tokens: Input should be greater than or equal to 1024"),
        ({"output_format": {"type": "json_schema", "schema": {}}, "output_config": {"format": {"type": "json_schema", "schema": {}}}}, "output_format: output_format and output_config.format cannot both be set."),
    ],
)  # fmt: skip
def test_mistakes_in_options(fields, told):
    assert mistake(**fields) == told


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([user("")], "messages.0: user messages must have non-empty content"),
        ([user([{"type": "text", "text": ""}])], "messages.0.content.0: text content blocks must be non-empty"),
        ([user([{"text": "x"}])], "messages.0.content.0.type: Field required"),
        ([user([CALL])], "messages.0.content.0: `tool_use` blocks can only be in `assistant` messages"),
        ([user("a"), assistant([RESULT])], "messages.1.content.0: `tool_result` blocks can only be in `user` messages"),
        ([user("a"), assistant([{"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}}])], "messages.1.content.0: `document` blocks can only be in `user` messages"),
        ([user("a"), assistant("b")], "This model does not support assistant message prefill. The conversation must end with a user message."),
        ([user([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "§"}}])], "messages.0.content.0.source.data: Invalid base64 data"),
        ([user([{"type": "image", "source": {"type": "url", "url": "nowhere"}}])], "messages.0.content.0.source.url: Only HTTPS URLs are supported."),
        ([{"role": "user", "content": "x", "name": "Ada"}], "messages.0.name: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_mistakes_in_messages(messages, told):
    assert mistake(messages) == told


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k"])
def test_what_the_newer_version_removed_is_refused_by_strict_servers_alone(field):
    strict = msgspec.structs.replace(GENUINE, strict=True)
    assert read(**{field: 1}).request.sampling != Sampling()
    assert read(reading=msgspec.structs.replace(strict, version="2023-06-01"), **{field: 1}).request
    with pytest.raises(Refused, match=f"{field}: Extra inputs are not permitted"):
        read(reading=strict, **{field: 1})


@pytest.mark.parametrize("later", [[], [user("?")], [user([{**RESULT, "tool_use_id": "toolu_2"}])]])
def test_every_call_is_answered_by_the_next_message(later):
    told = mistake([user("weather?"), assistant([CALL]), *later])
    assert "toolu_1" in told or "toolu_2" in told
    assert "tool_result" in told


def test_a_tool_that_is_run_elsewhere_is_refused_by_its_type():
    told = mistake(tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}])
    assert told.startswith("tools.0.type: Not supported by this server.")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"{}", b"\xff", b"[" * 10_000])
def test_what_is_no_request_is_refused(body):
    with pytest.raises(Refused):
        read_request(body, GENUINE)


def test_a_history_that_ends_with_the_model_can_be_counted():
    body = {"model": "m", "messages": [user("a"), assistant("b")]}
    assert len(read_count(json.dumps(body).encode(), GENUINE).request.turns) == 2
    with pytest.raises(Refused, match="stream: Extra inputs"):
        read_count(json.dumps({**body, "stream": True}).encode(), GENUINE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3000) | st.floats(allow_nan=False) | st.sampled_from(
        ["user", "assistant", "text", "tool_use", "tool_result", "thinking", "image", "x", ""]
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["role", "content", "type", "text", "id", "name", "input", "source", "tool_use_id", "x"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(messages=JSON, tools=JSON, system=JSON)
def test_whatever_is_sent_is_read_or_refused_and_nothing_else(messages, tools, system):
    body = {"model": "m", "max_tokens": 5, "messages": messages, "tools": tools, "system": system}
    with contextlib.suppress(InvalidArgument):
        assert read_request(json.dumps(body).encode(), GENUINE).request.turns
