"""Responses as they stand on the wire: the object, its items, their parts.

Fields that are UNSET are not written; None is written as ``null``. Fields and their order are those of
OpenAI's published reference.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET

from geminid.wire.openai.replies import Reply, TokenLogprob, Unsaid

ItemStatus = Literal["in_progress", "searching", "completed", "incomplete", "failed"]
Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


# -- parts and items -------------------------------------------------------------------------------------


class FileCitation(Reply, kw_only=True):
    """A file that words were taken from. index: where they end, in characters."""

    type: Literal["file_citation"] = "file_citation"
    index: int
    file_id: str
    filename: str


class OutputText(Reply, tag_field="type", tag="output_text", kw_only=True):
    """Words of an answer."""

    annotations: list[FileCitation]
    logprobs: list[TokenLogprob]
    text: str


class Refusal(Reply, tag_field="type", tag="refusal", kw_only=True):
    """Words by which an answer says why there is none."""

    refusal: str


class MessageItem(Reply, tag_field="type", tag="message", kw_only=True):
    """What the model says."""

    id: str
    status: ItemStatus
    content: list[OutputText | Refusal]
    role: Literal["assistant"] = "assistant"


class SummaryText(Reply, tag_field="type", tag="summary_text", kw_only=True):
    """What was thought, as it is told."""

    text: str


class ReasoningItem(Reply, tag_field="type", tag="reasoning", kw_only=True):
    """What the model thought before it answered."""

    id: str
    summary: list[SummaryText]
    encrypted_content: str | Unsaid = UNSET
    status: ItemStatus | Unsaid = UNSET


class FunctionCallItem(Reply, tag_field="type", tag="function_call", kw_only=True):
    """A function that is to be called, with its arguments as JSON in a string."""

    id: str
    status: ItemStatus
    arguments: str
    call_id: str
    name: str


class SearchResult(Reply, kw_only=True):
    """A piece of a file that fits a query. score: between 0 and 1."""

    file_id: str
    filename: str
    score: float
    text: str
    attributes: dict[str, Any]


class FileSearchItem(Reply, tag_field="type", tag="file_search_call", kw_only=True):
    """A search of files, done by the server. results: None unless they are to be told."""

    id: str
    status: ItemStatus
    queries: list[str]
    results: list[SearchResult] | None = None


OutputItem = MessageItem | ReasoningItem | FunctionCallItem | FileSearchItem


# -- the object ------------------------------------------------------------------------------------------


class ErrorObject(Reply, kw_only=True):
    """Why there is no answer."""

    code: str
    message: str


class IncompleteDetails(Reply, kw_only=True):
    """Why an answer ends early."""

    reason: Literal["max_output_tokens", "content_filter"]


class InputDetails(Reply, kw_only=True):
    """Tokens of the prompt, by where they came from. Nothing is charged for writing a cache."""

    cache_write_tokens: int = 0
    cached_tokens: int


class OutputDetails(Reply, kw_only=True):
    """Tokens of the answer, by what they are."""

    reasoning_tokens: int


class Usage(Reply, kw_only=True):
    """Counts of tokens."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class Settings(Reply, kw_only=True):
    """What a response tells again of how it was asked for, with what holds where nothing was said."""

    background: bool = False
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    reasoning: dict[str, Any]
    safety_identifier: str | None = None
    service_tier: str
    store: bool = True
    temperature: float | None = None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any] = "auto"
    tools: list[dict[str, Any]] = msgspec.field(default_factory=list)
    top_logprobs: int = 0
    top_p: float | None = None
    truncation: str = "disabled"
    user: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


class Response(Reply, kw_only=True):
    """A response, at any time of its life. ``created_at`` and ``completed_at``: seconds since 1970."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Status
    background: bool
    completed_at: int | None = None
    error: ErrorObject | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    reasoning: dict[str, Any]
    safety_identifier: str | None
    service_tier: str
    store: bool
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float | None
    truncation: str
    usage: Usage | None = None
    user: str | None
    metadata: dict[str, str]


class Deleted(Reply, kw_only=True):
    """What is told of a response that is gone."""

    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class InputTokens(Reply, kw_only=True):
    """How many tokens an input has."""

    object: Literal["response.input_tokens"] = "response.input_tokens"
    input_tokens: int


class ItemList(Reply, kw_only=True):
    """A page of items. Ids are null where there are none."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool
