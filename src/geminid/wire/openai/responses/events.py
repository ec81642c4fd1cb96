"""The events of a streamed response as they stand on the wire, and their framing.

Invariant: every event has its name twice, in its ``event:`` line and as ``type``, and its place in the stream
as ``sequence_number``.
"""

from __future__ import annotations

from collections.abc import Callable

from geminid.wire.openai.answers import ENCODER
from geminid.wire.openai.chunks import HEADERS
from geminid.wire.openai.replies import Reply, TokenLogprob
from geminid.wire.openai.responses.replies import (
    FileCitation,
    OutputItem,
    OutputText,
    Refusal,
    Response,
    SummaryText,
)


class StreamEvent(Reply, tag_field="type", kw_only=True):
    """Base of all events. ``sequence_number`` is counted by whoever sends them."""

    sequence_number: int = 0


# -- of the response -------------------------------------------------------------------------------------


class Created(StreamEvent, tag="response.created", kw_only=True):
    """There is a response."""

    response: Response


class Queued(StreamEvent, tag="response.queued", kw_only=True):
    """It waits."""

    response: Response


class InProgress(StreamEvent, tag="response.in_progress", kw_only=True):
    """It is being made."""

    response: Response


class Completed(StreamEvent, tag="response.completed", kw_only=True):
    """It is whole."""

    response: Response


class Incomplete(StreamEvent, tag="response.incomplete", kw_only=True):
    """It was cut off."""

    response: Response


class Failed(StreamEvent, tag="response.failed", kw_only=True):
    """It came to nothing."""

    response: Response


class Error(StreamEvent, tag="error", kw_only=True):
    """What went wrong."""

    code: str | None
    message: str
    param: str | None = None


# -- of items --------------------------------------------------------------------------------------------


class ItemAdded(StreamEvent, tag="response.output_item.added", kw_only=True):
    """An item begins."""

    output_index: int
    item: OutputItem


class ItemDone(StreamEvent, tag="response.output_item.done", kw_only=True):
    """An item is whole."""

    output_index: int
    item: OutputItem


class OfItem(StreamEvent, kw_only=True):
    """Base of what happens within an item."""

    item_id: str
    output_index: int


class PartAdded(OfItem, tag="response.content_part.added", kw_only=True):
    """A part of a message begins."""

    content_index: int
    part: OutputText | Refusal


class PartDone(OfItem, tag="response.content_part.done", kw_only=True):
    """A part of a message is whole."""

    content_index: int
    part: OutputText | Refusal


class TextDelta(OfItem, tag="response.output_text.delta", kw_only=True):
    """More words."""

    content_index: int
    delta: str
    logprobs: list[TokenLogprob]


class TextDone(OfItem, tag="response.output_text.done", kw_only=True):
    """The words are whole."""

    content_index: int
    text: str
    logprobs: list[TokenLogprob]


class AnnotationAdded(OfItem, tag="response.output_text.annotation.added", kw_only=True):
    """Something is said about the words."""

    content_index: int
    annotation_index: int
    annotation: FileCitation


class RefusalDelta(OfItem, tag="response.refusal.delta", kw_only=True):
    """More of why there is no answer."""

    content_index: int
    delta: str


class RefusalDone(OfItem, tag="response.refusal.done", kw_only=True):
    """Why there is no answer."""

    content_index: int
    refusal: str


class SummaryPartAdded(OfItem, tag="response.reasoning_summary_part.added", kw_only=True):
    """What was thought begins to be told."""

    summary_index: int
    part: SummaryText


class SummaryPartDone(OfItem, tag="response.reasoning_summary_part.done", kw_only=True):
    """What was thought is told."""

    summary_index: int
    part: SummaryText


class SummaryDelta(OfItem, tag="response.reasoning_summary_text.delta", kw_only=True):
    """More thoughts."""

    summary_index: int
    delta: str


class SummaryDone(OfItem, tag="response.reasoning_summary_text.done", kw_only=True):
    """The thoughts are whole."""

    summary_index: int
    text: str


class ArgumentsDelta(OfItem, tag="response.function_call_arguments.delta", kw_only=True):
    """More arguments of a call."""

    delta: str


class ArgumentsDone(OfItem, tag="response.function_call_arguments.done", kw_only=True):
    """The arguments of a call are whole."""

    arguments: str


class SearchInProgress(OfItem, tag="response.file_search_call.in_progress", kw_only=True):
    """A search of files begins."""


class SearchSearching(OfItem, tag="response.file_search_call.searching", kw_only=True):
    """Files are being searched."""


class SearchCompleted(OfItem, tag="response.file_search_call.completed", kw_only=True):
    """Files were searched."""


def framed(event: StreamEvent) -> bytes:
    """Return an event as it is sent."""
    name = type(event).__struct_config__.tag
    return b"event: %b\ndata: %b\n\n" % (str(name).encode(), ENCODER.encode(event))


class ResponsesFraming:
    """Server-sent events that come framed; the last one says how it ended, so nothing stands after it.
    ``opening`` gives those that tell of nothing that has happened."""

    headers = HEADERS

    def __init__(self) -> None:
        self.opening: Callable[[], bytes] = lambda: b""

    def first(self) -> bytes:
        """Return the events that a stream begins with."""
        return self.opening()

    def frame(self, chunk: bytes) -> bytes:
        """Return ``chunk``, which is one or several whole events."""
        return chunk

    def last(self) -> bytes:
        """Return nothing."""
        return b""
