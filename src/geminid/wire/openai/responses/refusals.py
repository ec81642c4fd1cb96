"""What this server knows of Responses and does not do: one table, applied and printed.

As for chat completions, a field is never dropped in silence: it is honoured, ignored where ``schema`` says
so, served with less and named in a header (``DOWNGRADES``), or refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from geminid.wire.openai import refused
from geminid.wire.openai.refusals import Refusal, check_rows
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.responses.schema import Reasoning, ResponsesRequest


class Downgrade(NamedTuple):
    """One field that is served with less than was asked for. asks: tells the requests that ask for more."""

    field: str
    told: str
    asks: Callable[[ResponsesRequest], bool]


def _never(value: object) -> bool:
    return False


REFUSALS: tuple[Refusal, ...] = (
    Refusal("conversation", "Use previous_response_id instead.", _never),
    Refusal("prompt", "Prompt templates are not kept here; send instructions and input.", _never),
    Refusal(
        "context_management",
        "Nothing is compacted here.",
        lambda entries: not entries,
        "null, an empty list",
    ),
    Refusal(
        "background_options",
        "Background responses begin as soon as they can.",
        lambda options: (
            not set(options) - {"completion_window", "continuation_id"}
            and options.get("completion_window") in (None, "soonest")
        ),
        '`{"completion_window": "soonest"}`',
    ),
    Refusal("moderation", "", _never),
    Refusal("access_programs", "", lambda programs: not programs, "null, an empty object"),
    Refusal(
        "image",
        "Pictures are never compressed in their context.",
        lambda image: image.get("context_compression") in (None, "auto", "disabled") and len(image) < 2,
        '`{"context_compression": "auto"}`, `"disabled"`',
    ),
    Refusal(
        "prompt_cache_options",
        "Every request is answered.",
        lambda options: not options.prewarm,
        "everything but `prewarm`",
    ),
)

MOVED = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
    "functions": "tools",
    "function_call": "tool_choice",
    "logprobs": "top_logprobs",
}
"""Parameters of chat completions, and what they are called here."""

MODES = ("standard",)


def _reasoning(message: ResponsesRequest) -> Reasoning:
    return message.reasoning or Reasoning()


def summary_of(message: ResponsesRequest) -> str | None:
    """Return how thoughts are to be told, by either of its names."""
    return _reasoning(message).summary or _reasoning(message).generate_summary


DOWNGRADES: tuple[Downgrade, ...] = (
    Downgrade(
        "text.verbosity",
        "not-enforced",
        lambda message: bool(message.text and message.text.verbosity in ("low", "high")),
    ),
    Downgrade("reasoning.effort", "high", lambda message: _reasoning(message).effort in ("xhigh", "max")),
    Downgrade("reasoning.summary", "whole-thoughts", lambda message: summary_of(message) == "concise"),
    Downgrade(
        "reasoning.context", "current_turn", lambda message: _reasoning(message).context == "all_turns"
    ),
    Downgrade("service_tier", "default", lambda message: message.service_tier in ("scale", "ultrafast")),
    Downgrade(
        "stream_options.include_obfuscation",
        "none",
        lambda message: bool(message.stream_options and message.stream_options.include_obfuscation),
    ),
)


def check_supported(message: ResponsesRequest) -> None:
    """Raise :class:`~geminid.wire.openai.refused.Refused` for the first field that is not served."""
    check_rows(message, REFUSALS)
    mode = _reasoning(message).mode
    if mode is not None and mode not in MODES:
        raise refused.wrong_value("reasoning.mode", mode, MODES)


def downgrades_of(message: ResponsesRequest) -> list[str]:
    """Return what is served with less than was asked for."""
    return [f"{row.field}={row.told}" for row in DOWNGRADES if row.asks(message)]


def in_this_apis_words(problem: Refused) -> Refused:
    """Return the mistake of unknown arguments as Responses tell it: one at a time, and where it moved to."""
    if not problem.names:
        return problem
    name = problem.names[0]
    if name not in MOVED:
        return refused.unknown(name)
    return Refused(
        f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to "
        f"'{MOVED[name]}'. Try again with the new parameter.",
        name,
        refused.UNSUPPORTED_PARAMETER,
    )
