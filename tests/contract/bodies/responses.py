"""OpenAI's Responses."""

from collections.abc import Iterable
from typing import Any

from contract.bodies.remarks import CACHED, TABLED, UNSERVED, VALUE, but, less, refusals_of, refused
from contract.fields import Opened, Remark, Request, Unserved
from geminid.core.card import ModelCard
from geminid.wire.openai.responses import items, refusals, request, schema, tools

CARD = ModelCard(name="tiny", title="Tiny", context_tokens_max=9, input_tokens_max=9, output_tokens_max=9)
HOSTED_CHOICES = (
    *("apply_patch", "code_interpreter", "computer", "computer_use", "computer_use_preview", "custom"),
    *("image_generation", "mcp", "shell", "web_search_preview", "web_search_preview_2025_03_11"),
)
FUNCTION = {"type": "function", "name": "f"}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "x"}


def sdk() -> Iterable[Any]:
    from openai.types.responses import response_create_params as params

    return (params.ResponseCreateParamsNonStreaming, params.ResponseCreateParamsStreaming)


def downgrades_of(body: bytes) -> tuple[str, ...]:
    return request.read_request(
        request.parse_request(body), items.Known(), request.Reading(card=CARD)
    ).downgrades


RESPONSES = Request(
    path="POST /v1/responses",
    messages=(schema.ResponsesRequest,),
    sdk=sdk,
    least={"model": "gemini-3.1-flash-lite", "input": "hello"},
    read=downgrades_of,
    opened={
        "input": Opened(
            (("message", schema.AskedMessage), ("message", schema.SaidMessage), *items.KINDS.items())
        ),
        "tools": Opened(tuple(tools.KINDS.items())),
        "tool_choice": Opened(tuple(tools.CHOICES.items()), listed=False),
    },
    unserved=(
        Unserved("input[]", items.UNSERVED, UNSERVED, lambda tag: {"input": [{"type": tag}]}),
        Unserved("tools[]", tools.HOSTED, UNSERVED, lambda tag: {"tools": [{"type": tag}]}),
        Unserved(
            "tool_choice",
            HOSTED_CHOICES,
            UNSERVED,
            lambda tag: {"tools": [FUNCTION], "tool_choice": {"type": tag}},
        ),
    ),
    remarks={
        **refusals_of(refusals.REFUSALS, TABLED),
        "prompt_cache_options": Remark("without effect", "`prewarm` is refused: 400 `unsupported_parameter`"),
        "input[].content[].prompt_cache_breakpoint": CACHED,
        "input[].output[].prompt_cache_breakpoint": CACHED,
        "input[].namespace": refused(TABLED, "", {"input": [{**CALL, "namespace": "n"}]}),
        "input[].async": refused(TABLED, "let through: false", {"input": [{**CALL, "async": True}]}),
        "tools[].async": refused(TABLED, "let through: false", {"tools": [{**FUNCTION, "async": True}]}),
        "tools[].defer_loading": refused(
            TABLED, "let through: false", {"tools": [{**FUNCTION, "defer_loading": True}]}
        ),
        "tools[].allowed_callers": but(
            TABLED, "a list without `direct`", {"tools": [{**FUNCTION, "allowed_callers": ["x"]}]}
        ),
        "text.verbosity": less(
            "text.verbosity=not-enforced", "`low` and `high` change nothing", {"text": {"verbosity": "low"}}
        ),
        "reasoning.effort": less(
            "reasoning.effort=high", "`xhigh` and `max` are `high`", {"reasoning": {"effort": "max"}}
        ),
        "reasoning.summary": less(
            "reasoning.summary=whole-thoughts",
            "thoughts are told whole",
            {"reasoning": {"summary": "concise"}},
        ),
        "reasoning.context": less(
            "reasoning.context=current_turn",
            "`all_turns` is `current_turn`",
            {"reasoning": {"context": "all_turns"}},
        ),
        "reasoning.mode": but(VALUE, "all but `standard`", {"reasoning": {"mode": "x"}}),
        "top_logprobs": less(
            "top_logprobs=chosen-token-only",
            "of free text only the chosen token is told",
            {"top_logprobs": 3},
        ),
        "truncation": less(
            "truncation=disabled",
            "`auto` folds inputs where `engine.long_input` is `fold`",
            {"truncation": "auto"},
        ),
        "stream_options.include_obfuscation": less(
            "stream_options.include_obfuscation=none",
            "",
            {"stream": True, "stream_options": {"include_obfuscation": True}},
        ),
        "service_tier": less(
            "service_tier=default", "`scale` and `ultrafast` are `default`", {"service_tier": "scale"}
        ),
    },
)
