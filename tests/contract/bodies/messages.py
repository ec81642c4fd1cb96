"""Anthropic's Messages."""

from collections.abc import Iterable
from typing import Any

from contract.bodies.remarks import but, less, refusals_of, refused
from contract.fields import Opened, Request, Unserved
from geminid.wire.anthropic import messages, refusals, schema

INVALID = "invalid_request_error"
TOOL = {"name": "f", "input_schema": {"type": "object"}}
TEXT = {"type": "text", "text": "hello"}
EPHEMERAL = {"cache_control": {"type": "ephemeral"}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
CITED = less("citations=none")
CACHED = less("cache_control=implicit", "what requests share is cached by itself")
BLOCKS = "messages[].content[]"
RESIZED = tuple(
    f"{BLOCKS}{each}.transformations.oversized_image" for each in ("", ".content[]", ".source.content[]")
)
PLACES = (
    f"{BLOCKS}.cache_control",
    f"{BLOCKS}.content[].cache_control",
    f"{BLOCKS}.source.content[].cache_control",
)

BLOCK_TYPES = (
    *("bash_code_execution_tool_result", "code_execution_tool_result", "container_upload", "server_tool_use"),
    *("text_editor_code_execution_tool_result", "tool_search_tool_result", "web_fetch_tool_result"),
    "web_search_tool_result",
)
RESULT_TYPES = ("browser_state", "tool_reference")
TOOL_TYPES = (
    *("bash_20250124", "browser_toolset_20260801", "code_execution_20250522", "code_execution_20250825"),
    *("code_execution_20260120", "code_execution_20260521", "computer_toolset_20260801", "memory_20250818"),
    *("text_editor_20250124", "text_editor_20250429", "text_editor_20250728", "tool_search_tool_bm25"),
    *("tool_search_tool_bm25_20251119", "tool_search_tool_regex", "tool_search_tool_regex_20251119"),
    *("web_fetch_20250910", "web_fetch_20260209", "web_fetch_20260309", "web_fetch_20260318"),
    *("web_search_20250305", "web_search_20260209", "web_search_20260318"),
)


def sdk() -> Iterable[Any]:
    from anthropic.types import message_create_params as params

    return (params.MessageCreateParamsNonStreaming, params.MessageCreateParamsStreaming)


def _said(*blocks: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(blocks)}]}


MESSAGES = Request(
    path="POST /v1/messages",
    messages=(schema.MessagesRequest,),
    sdk=sdk,
    least={"model": "gemini-3.1-flash-lite", "max_tokens": 2048, **_said(TEXT)},
    read=lambda body: messages.read_request(body, messages.Reading()).downgrades,
    beyond=frozenset(("user_profile_id", "workspace_id")),  # headers
    unserved=(
        Unserved("messages[].content[]", BLOCK_TYPES, INVALID, lambda tag: _said({"type": tag})),
        Unserved("messages[].content[].content[]", RESULT_TYPES, INVALID),
        Unserved("tools[]", TOOL_TYPES, INVALID, lambda tag: {"tools": [{"type": tag, "name": "t"}]}),
    ),
    opened={"tools": Opened((("custom", schema.Tool),))},
    remarks={
        **refusals_of(refusals.REFUSALS, INVALID),
        **dict.fromkeys(PLACES, CACHED),
        "cache_control": CACHED._replace(sample=EPHEMERAL),
        "system[].cache_control": CACHED._replace(sample={"system": [{**TEXT, **EPHEMERAL}]}),
        "tools[].cache_control": CACHED._replace(sample={"tools": [{**TOOL, **EPHEMERAL}]}),
        f"{BLOCKS}.citations (document)": CITED._replace(
            sample=_said({**DOCUMENT, "citations": {"enabled": True}})
        ),
        f"{BLOCKS}.citations (search_result)": CITED,
        f"{BLOCKS}.content[].citations (document)": CITED,
        f"{BLOCKS}.content[].citations (search_result)": CITED,
        "messages[] (system)": less(
            "messages.role=system-moved-to-the-front",
            "",
            {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]},
        ),
        "speed": less("speed=standard", "`fast` is `standard`", {"speed": "fast"}),
        **dict.fromkeys(RESIZED, less("transformations.oversized_image=downsize")),
        "stop_sequences": less(
            "stop_sequences=told-as-end_turn",
            "they end the answer, whose `stop_reason` is `end_turn`",
            {"stop_sequences": ["x"]},
        ),
        "output_config.effort": less(
            "output_config.effort=high", "`xhigh` and `max` are `high`", {"output_config": {"effort": "max"}}
        ),
        "tools[].input_examples": less(
            "tools.0.input_examples=not-told-to-the-model", "", {"tools": [{**TOOL, "input_examples": [{}]}]}
        ),
        "tools[].defer_loading": refused(
            INVALID, "let through: false", {"tools": [{**TOOL, "defer_loading": True}]}
        ),
        "tools[].allowed_callers": but(
            INVALID, "all but `direct`", {"tools": [{**TOOL, "allowed_callers": ["code_execution"]}]}
        ),
    },
)
