"""Whole interactions as bodies, and the pieces that streams share with them.

Invariant: an answer is spelled by the same steps in one body or in many events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, UnsetType

from geminid.core import interaction as core
from geminid.core.content import Modality, ToolCall
from geminid.core.events import Candidate, FinishReason
from geminid.core.interaction import Face, InteractionStatus
from geminid.core.request import Tier
from geminid.core.usage import Usage as CoreUsage
from geminid.wire.interactions import errors
from geminid.wire.interactions.kept import Kept
from geminid.wire.interactions.replies import (
    Call,
    Error,
    Interaction,
    ModalityTokens,
    Output,
    Step,
    Text,
    Thought,
    Usage,
)

FACE = Face(wire="interactions", id_prefix="v1_")
ENCODER = msgspec.json.Encoder()
MALFORMED = "malformed_function_call"
_STATUSES: dict[InteractionStatus, str] = {"queued": "in_progress"}
"""Those that are told otherwise: some clients do not know ``queued``."""

Sign = Callable[[str, int], str]
"""(receipt, number of the step) → the signature of a thought."""


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What of an answer is told. thoughts: their words too. tier: how urgently it was asked for."""

    thoughts: bool = False
    tier: Tier = "standard"


def telling_of(kept: Kept) -> Telling:
    """Return how a stored interaction is told."""
    return Telling(thoughts=kept.thoughts, tier=kept.tier)


def write_interaction(
    interaction: core.Interaction, telling: Telling, sign: Sign, given: msgspec.Raw | UnsetType = UNSET
) -> bytes:
    """Return an interaction as a body, indented by two spaces and ending in a newline.

    given: its input, where that is wanted.
    """
    told = whole(interaction, telling, sign)
    told.input = given
    return pretty(told)


def whole(interaction: core.Interaction, telling: Telling, sign: Sign) -> Interaction:
    """Return an interaction with its steps."""
    told = heading(interaction, telling)
    told.steps = steps_of(interaction, telling, sign) or UNSET
    return told


def heading(interaction: core.Interaction, telling: Telling) -> Interaction:
    """Return an interaction without its steps. One that is not kept has no id."""
    return Interaction(
        id=interaction.id if interaction.stored else UNSET,
        status=status_of(interaction),
        usage=usage_of(interaction.usage) if interaction.steps else UNSET,
        created=time_of(interaction.created_ms),
        updated=time_of(interaction.updated_ms),
        service_tier="standard" if telling.tier == "batch" else telling.tier,
        errors=errors_of(interaction) or UNSET,
        model=interaction.model,
        previous_interaction_id=interaction.previous or UNSET,
    )


def status_of(interaction: core.Interaction) -> str:
    """Return the status in this API's words. An answer whose call cannot be read has failed."""
    if interaction.reason is FinishReason.MALFORMED_CALL:
        return "failed"
    return _STATUSES.get(interaction.status, interaction.status)


def errors_of(interaction: core.Interaction) -> list[Error]:
    """Return what went wrong, if anything did."""
    if interaction.fault is not None:
        return [Error(interaction.fault.message, errors.code_of(interaction.fault.code))]
    if interaction.reason is FinishReason.MALFORMED_CALL:
        return [Error(interaction.steps[-1].answer.candidates[0].detail, MALFORMED)]
    return []


def steps_of(interaction: core.Interaction, telling: Telling, sign: Sign) -> list[Step]:
    """Return the steps of all answers in their order."""
    steps: list[Step] = []
    for step in interaction.steps:
        _add(steps, step.answer.candidates[0], step.answer.usage, step.receipt, telling, sign)
    return steps


def _add(
    steps: list[Step], said: Candidate, usage: CoreUsage, receipt: str, telling: Telling, sign: Sign
) -> None:
    thought = bool(said.thought or usage.thoughts)
    if thought:
        summary = [Text(said.thought)] if telling.thoughts and said.thought else UNSET
        steps.append(Thought(sign(receipt, len(steps)), summary))
    if said.text:
        steps.append(Output([Text(said.text)]))
    if said.calls and not thought:
        steps.append(Thought(sign(receipt, len(steps))))
    steps += [called(call) for call in said.calls]


def called(call: ToolCall) -> Call:
    """Return a call as it is told."""
    return Call(id=call.id, name=call.name, arguments=call.args)


def usage_of(counted: CoreUsage) -> Usage:
    """Return counts of tokens."""
    return Usage(
        total_tokens=counted.total,
        total_input_tokens=counted.prompt,
        input_tokens_by_modality=_by_modality(counted.by_modality()),
        total_cached_tokens=counted.cached,
        cached_tokens_by_modality=_by_modality(counted.cached_by_modality()),
        total_output_tokens=counted.candidates,
        total_thought_tokens=counted.thoughts,
    )


def _by_modality(tokens: Mapping[Modality, int]) -> list[ModalityTokens] | UnsetType:
    return [ModalityTokens(modality, count) for modality, count in tokens.items()] or UNSET


def time_of(ms: int) -> str:
    """Return milliseconds since 1970 as the API writes times, to the second."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pretty(message: msgspec.Struct) -> bytes:
    """Return a message as it is sent whole."""
    return msgspec.json.format(ENCODER.encode(message), indent=2) + b"\n"
