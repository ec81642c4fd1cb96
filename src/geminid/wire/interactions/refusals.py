"""What of the Interactions API this server knows and does not do: one table, applied and printed in the docs.

A field is never dropped in silence: it is honoured, ignored where ``schema`` says so, or here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from geminid.wire.interactions.schema import CreateInteraction, Modality, ServiceTier, Threshold
from geminid.wire.protojson import FreeForm


class Refusal(NamedTuple):
    """One refused field.

    path: from the request's root. reason: a sentence for the caller. harmless: tells the values that ask for
    nothing and are let through. accepted: those values in words, for the docs.
    """

    path: str
    reason: str
    harmless: Callable[[Any], bool]
    accepted: str = ""


class Downgrade(NamedTuple):
    """One field that is served with less than it asks for, and what the header says of it."""

    field: str
    told: str


def _never(value: object) -> bool:
    return False


def _empty(value: object) -> bool:
    return not (value.value if isinstance(value, FreeForm) else value)


_AGENTS = "there are no agents on this server; name a model."
REFUSALS: tuple[Refusal, ...] = (
    Refusal("agent", _AGENTS, _empty, "empty text"),
    Refusal("agent_config", _AGENTS, _empty, "an empty object"),
    Refusal("environment", "there are no environments on this server.", _empty, "an empty object"),
    Refusal(
        "webhook_config",
        "webhooks tell of batches only here; follow the interaction, or ask for it.",
        lambda config: not config.uris and config.user_metadata is None,
        "an empty object",
    ),
    Refusal("continuation_token", "this server never ends an answer for continuation.", _empty, "empty text"),
    Refusal(
        "response_modalities",
        "only text can be answered by this server.",
        lambda kinds: all(kind in (Modality.TEXT, None) for kind in kinds),
        "text",
    ),
    Refusal(
        "service_tier",
        "deferred is not offered here; use flex, or a batch.",
        lambda tier: tier is not ServiceTier.DEFERRED,
        "standard, flex, priority",
    ),
    Refusal("generation_config.speech_config", "speech cannot be answered by this server.", _empty, "empty"),
    Refusal("generation_config.image_config", "images cannot be answered by this server.", _empty, "empty"),
    Refusal("generation_config.video_config", "films cannot be answered by this server.", _empty, "empty"),
    Refusal(
        "generation_config.transcription_config",
        "how sound is transcribed cannot be chosen on this server.",
        _empty,
        "empty",
    ),
)
"""Every refused field of a request, beside tools, steps and formats."""

TOOLS: dict[str, str] = {
    "google_search": "searching is not supported by this server.",
    "code_execution": "code execution is not supported by this server.",
    "url_context": "fetching pages is not supported by this server.",
    "file_search": "searching files is not supported by this server.",
    "google_maps": "this tool is not supported by this server.",
    "computer_use": "this tool is not supported by this server.",
    "mcp_server": "MCP servers are not called by this server.",
    "retrieval": "this tool is not supported by this server.",
}
"""Tools that Google's service runs itself."""

_BUILT_IN = (
    *("google_search", "code_execution", "url_context", "file_search", "google_maps", "mcp_server_tool"),
    *("retrieval", "processing"),
)
STEPS: tuple[str, ...] = tuple(f"{name}_{end}" for name in _BUILT_IN for end in ("call", "result"))
"""Steps that such tools leave in a history."""
STEP_REASON = "steps of tools that a server runs are not supported by this server."
FORMATS: tuple[str, ...] = ("audio", "image", "video")
FORMAT_REASON = "only text can be answered by this server."

DOWNGRADES: tuple[Downgrade, ...] = (
    Downgrade("safety_settings", "not-enforced"),
    Downgrade("response_format", "without-KEYWORDS"),
    Downgrade("tools[].parameters", "without-KEYWORDS"),
    Downgrade("store", "not-kept"),
)
_HARMLESS = (None, Threshold.BLOCK_NONE, Threshold.OFF)


def refused_step(kind: str) -> str:
    """Return why a type of step is refused, or nothing."""
    return STEP_REASON if kind in STEPS else ""


def refused_fields(request: CreateInteraction) -> list[tuple[str, str]]:
    """Return (path, reason) for each refused field."""
    return [
        (row.path, row.reason)
        for row in REFUSALS
        if (value := _at(request, row.path)) is not None and not row.harmless(value)
    ]


def downgrades_of(request: CreateInteraction) -> list[str]:
    """Return what is served with less than was asked for, as far as the fields alone say it."""
    unsafe = any(setting.threshold not in _HARMLESS for setting in request.safety_settings or ())
    return ["safety_settings=not-enforced"] if unsafe else []


def _at(request: CreateInteraction, path: str) -> object:
    value: Any = request
    for name in path.split("."):
        value = getattr(value, name)
        if value is None:
            return None
    return value
