"""OpenAI's chat completions."""

from collections.abc import Iterable
from typing import Any

from contract.bodies.remarks import (
    CACHED,
    TABLED,
    UNSERVED,
    VALUE,
    but,
    less,
    refusals_of,
    refused,
    strictly_of,
)
from contract.fields import Remark, Request
from geminid.wire.openai import chat, refusals, schema

HELLO = [{"role": "user", "content": "hello"}]


def sdk() -> Iterable[Any]:
    from openai.types.chat import completion_create_params as params

    return (params.CompletionCreateParamsNonStreaming, params.CompletionCreateParamsStreaming)


def _messages(*more: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [*HELLO, *more]}


FUNCTION = {"type": "function", "function": {"name": "f"}}
CUSTOM = {"type": "custom", "custom": {"name": "c"}}
SAFETY = "safety_settings=not-enforced"
UNSAFE = {"safety_settings": [{"category": "x", "threshold": "BLOCK_LOW_AND_ABOVE"}]}

CHAT = Request(
    path="POST /v1/chat/completions",
    messages=(schema.ChatRequest,),
    sdk=sdk,
    least={"model": "gemini-3.1-flash-lite", "messages": HELLO},
    read=lambda body: chat.read_request(body, chat.Reading()).downgrades,
    remarks={
        **refusals_of(refusals.REFUSALS, TABLED),
        **strictly_of((*refusals.STRICTLY, "n")),
        "modalities": but(TABLED, "`audio`", {"modalities": ["text", "audio"]}),
        "messages[] (function)": refused(
            UNSERVED, "use role `tool`", _messages({"role": "function", "name": "f", "content": "x"})
        ),
        "messages[].name": less(
            "messages.name=not-told-to-the-model", "", {"messages": [{**HELLO[0], "name": "Ada"}]}
        ),
        "messages[].name (tool)": Remark("without effect", "the call says which function it was"),
        "messages[].content[].prompt_cache_breakpoint": CACHED,
        "messages[].audio": refused(
            TABLED, "", _messages({"role": "assistant", "content": "x", "audio": {"id": "a"}}, *HELLO)
        ),
        "messages[].function_call": refused(
            TABLED,
            "use `tool_calls`",
            _messages({"role": "assistant", "function_call": {"name": "f", "arguments": ""}}, *HELLO),
        ),
        "messages[].tool_calls[] (custom)": refused(
            VALUE, "", _messages({"role": "assistant", "tool_calls": [{**CUSTOM, "id": "c"}]})
        ),
        "tools[] (custom)": refused(VALUE, "", {"tools": [CUSTOM]}),
        "tool_choice (custom)": refused(VALUE, "", {"tools": [FUNCTION], "tool_choice": CUSTOM}),
        "tool_choice.allowed_tools.tools[] (custom)": refused(
            VALUE,
            "",
            {
                "tools": [FUNCTION],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [CUSTOM]},
                },
            },
        ),
        "top_logprobs": less(
            "top_logprobs=chosen-token-only",
            "of free text only the chosen token is told",
            {"logprobs": True, "top_logprobs": 3},
        ),
        "stream_options.include_obfuscation": less(
            "stream_options.include_obfuscation=none",
            "",
            {"stream": True, "stream_options": {"include_obfuscation": True}},
        ),
        "reasoning_effort": less(
            "reasoning_effort=high", "`xhigh` and `max` are `high`", {"reasoning_effort": "max"}
        ),
        "service_tier": less("service_tier=default", "`scale` is `default`", {"service_tier": "scale"}),
        "store": less("store=not-kept", "", {"store": True}),
        "verbosity": less("verbosity=not-enforced", "`low` and `high` change nothing", {"verbosity": "low"}),
        "google.safety_settings": less(SAFETY, "", {"google": UNSAFE}),
        "extra_body.google.safety_settings": less(SAFETY, "", {"extra_body": {"google": UNSAFE}}),
    },
)
