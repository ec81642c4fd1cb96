"""Interactions, their steps and the events of a stream as they stand on the wire.

Field order is the order of keys, which is that of recorded answers. What is UNSET is not said.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Reply(msgspec.Struct):
    """Base of what is written."""


class Text(Reply):
    """Words of an answer, or of a thought."""

    text: str
    type: str = "text"


class Thought(Reply):
    """What the model thought: proof of it, and words if they are wanted."""

    signature: str | UnsetType = UNSET
    summary: list[Text] | UnsetType = UNSET
    type: str = "thought"


class Output(Reply):
    """What the model said."""

    content: list[Text] | UnsetType = UNSET
    type: str = "model_output"


class Call(Reply, kw_only=True):
    """A function that the model wants called."""

    id: str
    type: str = "function_call"
    name: str
    arguments: dict[str, Any]


Step = Thought | Output | Call


class ModalityTokens(Reply):
    """Tokens of one kind of content."""

    modality: str
    tokens: int


class Usage(Reply, kw_only=True):
    """Tokens by what they were for; zeros are said."""

    total_tokens: int
    total_input_tokens: int
    input_tokens_by_modality: list[ModalityTokens] | UnsetType = UNSET
    total_cached_tokens: int
    cached_tokens_by_modality: list[ModalityTokens] | UnsetType = UNSET
    total_output_tokens: int
    total_tool_use_tokens: int = 0
    total_thought_tokens: int


class Error(Reply):
    """What went wrong."""

    message: str
    code: str


class ErrorBody(Reply):
    """The body of every answer that is an error."""

    error: Error


class Interaction(Reply, kw_only=True):
    """One interaction; what there is not yet is not said."""

    id: str | UnsetType
    status: str
    usage: Usage | UnsetType = UNSET
    created: str | UnsetType = UNSET
    updated: str | UnsetType = UNSET
    service_tier: str | UnsetType = UNSET
    steps: list[Step] | UnsetType = UNSET
    errors: list[Error] | UnsetType = UNSET
    object: str = "interaction"
    model: str
    previous_interaction_id: str | UnsetType = UNSET
    input: msgspec.Raw | UnsetType = UNSET


class Lifecycle(Reply, kw_only=True):
    """An interaction begins or ends."""

    interaction: Interaction
    event_type: str
    event_id: str | UnsetType = UNSET


class StatusUpdate(Reply, kw_only=True):
    """An interaction's status changes."""

    interaction_id: str
    status: str
    event_type: str = "interaction.status_update"
    event_id: str | UnsetType = UNSET


class StepStart(Reply, kw_only=True):
    """A step begins."""

    index: int
    step: Step
    event_type: str = "step.start"
    event_id: str | UnsetType = UNSET


class Summary(Reply):
    """More words of a thought."""

    content: Text
    type: str = "thought_summary"


class Signature(Reply):
    """Proof of a thought."""

    signature: str
    type: str = "thought_signature"


class Arguments(Reply):
    """Arguments of a call, as JSON in a string."""

    arguments: str
    type: str = "arguments_delta"


class StepDelta(Reply, kw_only=True):
    """More of a step."""

    index: int
    delta: Text | Summary | Signature | Arguments
    event_type: str = "step.delta"
    event_id: str | UnsetType = UNSET


class StepStop(Reply, kw_only=True):
    """A step ends."""

    index: int
    event_type: str = "step.stop"
    event_id: str | UnsetType = UNSET


class ErrorEvent(Reply, kw_only=True):
    """An interaction fails while it is told."""

    error: Error
    event_type: str = "error"
    event_id: str | UnsetType = UNSET


StreamEvent = Lifecycle | StatusUpdate | StepStart | StepDelta | StepStop | ErrorEvent
