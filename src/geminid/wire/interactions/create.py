"""New interactions: a body to core's request, in two steps.

``read_body`` sees to the shape; then whoever serves it finds what was said before, and ``read_message``
sees to the meaning. Every 400 is decided here, with the path of the field. It knows no HTTP. Invariant: what
a request asks for is honoured, named as a downgrade, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from geminid.core.content import Text, Turn
from geminid.core.manner import Manner
from geminid.core.request import GenerateRequest, Tier
from geminid.wire.gemini.cached import BESIDE, PREFIX
from geminid.wire.gemini.labels import check_labels
from geminid.wire.interactions.answers import Telling
from geminid.wire.interactions.conversation import read_input
from geminid.wire.interactions.forms import read_form
from geminid.wire.interactions.kept import write_kept
from geminid.wire.interactions.mistakes import Mistakes
from geminid.wire.interactions.refusals import downgrades_of, refused_fields
from geminid.wire.interactions.schema import CreateInteraction, GenerationConfig, ServiceTier
from geminid.wire.interactions.settings import read_choice, read_settings
from geminid.wire.interactions.tools import read_tools
from geminid.wire.protojson import Reader

MODELS = "models/"
NAME_CHARS_MAX = 256
NO_MODEL = "a model is required."
NOT_STORED = "what runs in the background must be stored; leave store out."

_READER = Reader(CreateInteraction)
_NO_CONFIG = GenerationConfig()
_TIERS: dict[ServiceTier | None, Tier] = {ServiceTier.FLEX: "flex", ServiceTier.PRIORITY: "priority"}
_EXCLUDED = ("system_instruction", "tools")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for one request.

    manner_of: how a name behaves. genuine: whether a thought signature is one that this server gave; None
    asks for none.
    """

    manner_of: Callable[[str], Manner] = lambda name: Manner()
    genuine: Callable[[str], bool] | None = lambda signature: True


class ReadInteraction(NamedTuple):
    """A request, and what of it concerns the wire alone.

    request: with the turns of this interaction alone. kept: what the wire wants to have back with it.
    """

    request: GenerateRequest
    downgrades: tuple[str, ...]
    telling: Telling
    kept: bytes
    store: bool
    stream: bool
    background: bool


def read_body(body: bytes) -> CreateInteraction:
    """Return the message that a body spells; raises InvalidArgument with a violation for each field."""
    message, mistakes = _READER.read(body), Mistakes()
    for field in ("model", "previous_interaction_id"):
        if len(getattr(message, field) or "") > NAME_CHARS_MAX:
            mistakes.refuse(field, f"a name has at most {NAME_CHARS_MAX} characters.")
    mistakes.settle()
    return message


def model_of(message: CreateInteraction) -> str:
    """Return the bare name of the model that a message asks, empty for none."""
    return (message.model or "").removeprefix(MODELS)


def read_message(message: CreateInteraction, before: Sequence[Turn], reading: Reading) -> ReadInteraction:
    """Return what a message asks for, after the turns ``before`` it; raises InvalidArgument."""
    mistakes, downgrades = Mistakes(), downgrades_of(message)
    cached = _cached_content(message, mistakes)
    model, config = model_of(message), message.generation_config or _NO_CONFIG
    for path, reason in refused_fields(message):
        mistakes.refuse(path, reason)
    if not model and not message.agent:
        mistakes.refuse("model", NO_MODEL)
    if message.background and message.store is False:
        mistakes.refuse("background", NOT_STORED)
    manner = reading.manner_of(model)
    given = message.input.value if message.input is not None else None
    turns = read_input(given, before, reading.genuine if manner.signatures_checked else None, mistakes)
    settings = read_settings(config, manner, model, mistakes)
    output = read_form(message, downgrades, mistakes)
    tools, call_mode = read_tools(message.tools or (), read_choice(config, mistakes), downgrades, mistakes)
    check_labels(message.labels or {}, mistakes)
    mistakes.settle()
    request = GenerateRequest(
        model=model,
        turns=turns,
        system=(Text(message.system_instruction),) if message.system_instruction else (),
        sampling=settings.sampling,
        tokens_max=settings.tokens_max,
        stop=settings.stop,
        thinking=settings.thinking,
        output=output,
        tools=tools,
        call_mode=call_mode,
        tier=_TIERS.get(message.service_tier, "standard"),
        labels={name: value or "" for name, value in (message.labels or {}).items()},
        cached_content=cached,
    )
    return _read(message, request, tuple(downgrades), given)


def _read(
    message: CreateInteraction, request: GenerateRequest, downgrades: tuple[str, ...], given: object
) -> ReadInteraction:
    store, thoughts = message.store is not False, request.thinking.include
    return ReadInteraction(
        request,
        downgrades,
        Telling(thoughts=thoughts, tier=request.tier),
        write_kept(given, thoughts, request.tier) if store else b"",
        store,
        bool(message.stream),
        bool(message.background),
    )


def _cached_content(message: CreateInteraction, mistakes: Mistakes) -> str:
    """Return the id of the cached contents that come first, empty for none."""
    said = message.cached_content
    if not said:
        return ""
    beside = [name for name in _EXCLUDED if getattr(message, name) not in (None, "", [])]
    if message.generation_config is not None and message.generation_config.tool_choice is not None:
        beside.append("generation_config.tool_choice")
    if beside:
        mistakes.say(beside[0], BESIDE)
        mistakes.settle()  # in these very words, whatever else is wrong
    return said.removeprefix(PREFIX) or said
