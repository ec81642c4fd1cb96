"""Answers of the Messages API as they stand on the wire, whole and in events.

None is written as ``null``.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Reply(msgspec.Struct):
    """Base of what is written."""


class Text(Reply, tag_field="type", tag="text"):
    """Words."""

    text: str = ""
    citations: None = None


class Thinking(Reply, tag_field="type", tag="thinking"):
    """What the model thought, signed."""

    thinking: str = ""
    signature: str = ""


class ToolUse(Reply, tag_field="type", tag="tool_use"):
    """A call that the model asks for."""

    id: str
    name: str
    input: dict[str, Any]


class OutputDetails(Reply):
    """Tokens of the answer, by what they are."""

    thinking_tokens: int


class Usage(Reply, kw_only=True):
    """Counts of tokens; ``input_tokens`` are those that no cache had."""

    input_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int
    output_tokens: int
    output_tokens_details: OutputDetails


class WholeUsage(Usage, kw_only=True):
    """The same, and how it was served."""

    service_tier: Literal["standard"] = "standard"


class Refusal(Reply, tag_field="type", tag="refusal", kw_only=True):
    """Why there is no whole answer."""

    explanation: str
    category: None = None


class Answer(Reply, tag_field="type", tag="message", kw_only=True):
    """A whole answer, or the beginning of one."""

    id: str
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[Text | Thinking | ToolUse]
    stop_reason: str | None = None
    stop_sequence: None = None
    stop_details: Refusal | None = None
    usage: WholeUsage


class TextDelta(Reply, tag_field="type", tag="text_delta"):
    """More words."""

    text: str


class ThinkingDelta(Reply, tag_field="type", tag="thinking_delta"):
    """More thoughts."""

    thinking: str


class SignatureDelta(Reply, tag_field="type", tag="signature_delta"):
    """The signature of a thought."""

    signature: str


class InputDelta(Reply, tag_field="type", tag="input_json_delta"):
    """The arguments of a call, as text."""

    partial_json: str


class Start(Reply, tag_field="type", tag="message_start"):
    """The answer begins."""

    message: Answer


class BlockStart(Reply, tag_field="type", tag="content_block_start"):
    """A block begins."""

    index: int
    content_block: Text | Thinking | ToolUse


class BlockDelta(Reply, tag_field="type", tag="content_block_delta"):
    """More of a block."""

    index: int
    delta: TextDelta | ThinkingDelta | SignatureDelta | InputDelta


class BlockStop(Reply, tag_field="type", tag="content_block_stop"):
    """A block is whole."""

    index: int


class Ended(Reply):
    """Why the answer ended."""

    stop_reason: str
    stop_sequence: None = None
    stop_details: Refusal | None = None


class AnswerDelta(Reply, tag_field="type", tag="message_delta"):
    """What is known of the whole answer at its end."""

    delta: Ended
    usage: Usage


class Stop(Reply, tag_field="type", tag="message_stop"):
    """The answer is whole."""


class ErrorObject(Reply):
    """What went wrong."""

    type: str
    message: str


class ErrorBody(Reply, tag_field="type", tag="error"):
    """The body of every answer that is an error."""

    error: ErrorObject
    request_id: str | None = None


class Counted(Reply):
    """How many tokens a request would have."""

    input_tokens: int


class Model(Reply, tag_field="type", tag="model"):
    """A name that can be asked. ``created_at``: RFC 3339."""

    id: str
    display_name: str
    created_at: str
    max_input_tokens: int
    max_tokens: int
    lifecycle: Literal["active"] = "active"


class ModelList(Reply, kw_only=True):
    """All of them; there are no pages."""

    data: list[Model]
    has_more: bool = False
    first_id: str | None
    last_id: str | None
