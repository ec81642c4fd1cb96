"""What this server knows of OpenAI's chat completions and does not do: one table, applied and printed.

A field is never dropped in silence: it is honoured, ignored where ``schema`` says so, served with less and
named in a header (``DOWNGRADES``), or refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from geminid.wire.openai import refused
from geminid.wire.openai.reading import Message
from geminid.wire.openai.schema import ChatRequest


class Refusal(NamedTuple):
    """One refused field. harmless: tells the values that ask for nothing; accepted: those in words."""

    field: str
    reason: str
    harmless: Callable[[Any], bool]
    accepted: str = "null"


class Downgrade(NamedTuple):
    """One field that is served with less than was asked for. asks: tells the values that ask for more."""

    field: str
    told: str
    asks: Callable[[ChatRequest], bool]


def _never(value: object) -> bool:
    return False


REFUSALS: tuple[Refusal, ...] = (
    Refusal("functions", "Use tools instead.", lambda value: not value, "null, an empty list"),
    Refusal("function_call", "Use tool_choice instead.", _never),
    Refusal("logit_bias", "", lambda value: not value, "null, an empty object"),
    Refusal("prediction", "", _never),
    Refusal("audio", "Only text is answered.", _never),
    Refusal("modalities", "Only text is answered.", lambda kinds: "audio" not in kinds, '["text"]'),
    Refusal("web_search_options", "This server does not search the web.", _never),
    Refusal("moderation", "", _never),
)

DOWNGRADES: tuple[Downgrade, ...] = (
    Downgrade("store", "not-kept", lambda message: bool(message.store)),
    Downgrade("verbosity", "not-enforced", lambda message: message.verbosity in ("low", "high")),
    Downgrade("reasoning_effort", "high", lambda message: message.reasoning_effort in ("xhigh", "max")),
    Downgrade("service_tier", "default", lambda message: message.service_tier == "scale"),
    Downgrade(
        "stream_options.include_obfuscation",
        "none",
        lambda message: bool(message.stream_options and message.stream_options.include_obfuscation),
    ),
)


STRICTLY = ("presence_penalty", "frequency_penalty", "logprobs")
"""Fields that recent Gemini models refuse, and this server with ``server.strict``; and several answers."""


def check_supported(message: ChatRequest, strict: bool) -> None:
    """Raise :class:`~geminid.wire.openai.refused.Refused` for the first field that is not served."""
    check_rows(message, REFUSALS)
    if strict:
        for field in STRICTLY:
            if getattr(message, field):
                raise refused.unsupported(field)
        if (message.n or 1) > 1:
            raise refused.unsupported("n")


def check_rows(message: Message, rows: Sequence[Refusal]) -> None:
    """Raise :class:`~geminid.wire.openai.refused.Refused` for the first field that ``rows`` refuse."""
    for row in rows:
        value = getattr(message, row.field)
        if value is not None and not row.harmless(value):
            raise refused.unsupported(row.field, row.reason)


def downgrades_of(message: ChatRequest) -> list[str]:
    """Return what is served with less than was asked for."""
    return [f"{row.field}={row.told}" for row in DOWNGRADES if row.asks(message)]
