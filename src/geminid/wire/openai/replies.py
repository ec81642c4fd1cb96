"""Answers of chat completions as they stand on the wire, whole and in chunks.

Fields that are UNSET are not written; None is written as ``null``.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Unsaid = UnsetType


class Reply(msgspec.Struct):
    """Base of what is written."""


class Function(Reply, kw_only=True):
    """The called function, and its arguments as JSON in a string."""

    name: str
    arguments: str


class ToolCall(Reply, kw_only=True):
    """A call of a function. ``index`` is said in chunks."""

    index: int | Unsaid = UNSET
    id: str
    type: Literal["function"] = "function"
    function: Function
    extra_content: dict[str, Any] | Unsaid = UNSET


class Message(Reply, kw_only=True):
    """What the model says; a chunk has the fields that it adds to."""

    role: Literal["assistant"] | Unsaid = UNSET
    content: str | Unsaid | None = UNSET
    refusal: str | Unsaid | None = UNSET
    annotations: list[Any] | Unsaid = UNSET
    tool_calls: list[ToolCall] | Unsaid = UNSET
    extra_content: dict[str, Any] | Unsaid = UNSET


class TopLogprob(Reply, kw_only=True):
    """What could have stood in a place."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(Reply, kw_only=True):
    """A token with the logarithm of its probability."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogprob]


class Logprobs(Reply, kw_only=True):
    """The tokens of an answer, or of a chunk."""

    content: list[TokenLogprob]
    refusal: None = None


class Choice(Reply, kw_only=True):
    """One whole answer."""

    index: int
    message: Message
    logprobs: Logprobs | Unsaid | None = UNSET
    finish_reason: str


class ChunkChoice(Reply, kw_only=True):
    """What a chunk adds to one answer."""

    index: int
    delta: Message
    logprobs: Logprobs | Unsaid | None = UNSET
    finish_reason: str | None = None


class PromptDetails(Reply, kw_only=True):
    """Tokens of the prompt, by where they came from."""

    cached_tokens: int
    audio_tokens: int
    image_tokens: int | Unsaid = UNSET


class CompletionDetails(Reply, kw_only=True):
    """Tokens of the answer, by what they are."""

    reasoning_tokens: int
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class Usage(Reply, kw_only=True):
    """Counts of tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class Completion(Reply, kw_only=True):
    """A whole answer to a chat."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    service_tier: str | Unsaid = UNSET
    system_fingerprint: str | Unsaid = UNSET


class Chunk(Reply, kw_only=True):
    """A piece of an answer to a chat."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    service_tier: str | Unsaid = UNSET
    system_fingerprint: str | Unsaid = UNSET
    choices: list[ChunkChoice]
    usage: Usage | Unsaid | None = UNSET


class Model(Reply, kw_only=True):
    """A name that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(Reply, kw_only=True):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]


class ErrorObject(Reply, kw_only=True):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(Reply, kw_only=True):
    """The body of every answer that is an error."""

    error: ErrorObject
