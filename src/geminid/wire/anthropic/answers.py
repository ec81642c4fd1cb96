"""Answers, whole and as the events of a stream.

A message is a list of blocks: a thought where thoughts are shown, words, calls, in this order, as core gives
them. Invariant: the blocks that a stream spells are those of the whole answer; every block that was started
is stopped, and a stream ends in ``message_stop`` or in ``error``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from geminid.core import usage
from geminid.core.content import ToolCall
from geminid.core.events import (
    Answer,
    Event,
    Finished,
    FinishReason,
    Started,
    TextDelta,
    ThoughtDelta,
    ToolCallMade,
    usage_of,
)
from geminid.wire.anthropic import replies
from geminid.wire.anthropic.conversation import CALL_PREFIX
from geminid.wire.anthropic.messages import Shows
from geminid.wire.sse import Headers

ENCODER = msgspec.json.Encoder()
ID_PREFIX = "msg_"
CALLED = "tool_use"
REASONS = {
    FinishReason.STOP: "end_turn",
    FinishReason.MAX_TOKENS: "max_tokens",
    FinishReason.MALFORMED_CALL: "refusal",
}

Sign = Callable[[int], str]
"""Number of a block → the signature of the thought that it holds."""


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer tells of itself, and how its thoughts are told."""

    id: str
    model: str
    shows: Shows
    sign: Sign


def write_answer(answer: Answer, heading: Heading) -> bytes:
    """Return the body of a whole answer."""
    candidate = answer.candidates[0]
    blocks: list[replies.Text | replies.Thinking | replies.ToolUse] = []
    if heading.shows.thinking and candidate.thought:
        thought = candidate.thought if heading.shows.words else ""
        blocks.append(replies.Thinking(thinking=thought, signature=heading.sign(0)))
    if candidate.text:
        blocks.append(replies.Text(text=candidate.text))
    blocks += [_call(call) for call in candidate.calls]
    ended = _ended(candidate.reason, candidate.detail, called=bool(candidate.calls))
    return ENCODER.encode(
        replies.Answer(
            id=ID_PREFIX + heading.id,
            model=heading.model,
            content=blocks,
            stop_reason=ended.stop_reason,
            stop_details=ended.stop_details,
            usage=_whole_usage(answer.usage),
        )
    )


class EventWriter:
    """Writes the events of one request, in their order, as framed events of the wire."""

    def __init__(self, heading: Heading) -> None:
        self._heading = heading
        self._usage = usage.Usage()
        self._index = -1
        self._open: type[replies.Text | replies.Thinking] | None = None
        self._called = False

    def write(self, event: Event) -> bytes | None:
        """Return what one event adds to the stream, or None when there is nothing to tell."""
        self._usage += usage_of(event)
        return b"".join(map(framed, self._messages(event))) or None

    def _messages(self, event: Event) -> Iterator[msgspec.Struct]:
        match event:
            case Started():
                yield replies.Start(message=self._beginning())
            case ThoughtDelta(text=text):
                if text and self._heading.shows.thinking:
                    yield from self._into(replies.Thinking)
                    if self._heading.shows.words:
                        yield self._delta(replies.ThinkingDelta(thinking=text))
            case TextDelta(text=text):
                if text:
                    yield from self._into(replies.Text)
                    yield self._delta(replies.TextDelta(text=text))
            case ToolCallMade(call=call):
                yield from self._calling(call)
            case Finished():
                yield from self._close()
                ended = _ended(event.reason, event.detail, called=self._called)
                yield replies.AnswerDelta(delta=ended, usage=_usage(self._usage))
                yield replies.Stop()

    def _beginning(self) -> replies.Answer:
        return replies.Answer(
            id=ID_PREFIX + self._heading.id,
            model=self._heading.model,
            content=[],
            usage=_whole_usage(self._usage),
        )

    def _into(self, kind: type[replies.Text | replies.Thinking]) -> Iterator[msgspec.Struct]:
        """Begin a block of words or thoughts, unless it is open."""
        if self._open is not kind:
            yield from self._close()
            self._index += 1
            self._open = kind
            yield replies.BlockStart(index=self._index, content_block=kind())

    def _calling(self, call: ToolCall) -> Iterator[msgspec.Struct]:
        yield from self._close()
        self._called = True
        self._index += 1
        begun = replies.ToolUse(id=CALL_PREFIX + call.id, name=call.name, input={})
        yield replies.BlockStart(index=self._index, content_block=begun)
        yield self._delta(replies.InputDelta(partial_json=ENCODER.encode(call.args).decode()))
        yield replies.BlockStop(index=self._index)

    def _close(self) -> Iterator[msgspec.Struct]:
        if self._open is replies.Thinking:
            yield self._delta(replies.SignatureDelta(signature=self._heading.sign(self._index)))
        if self._open is not None:
            self._open = None
            yield replies.BlockStop(index=self._index)

    def _delta(
        self, delta: replies.TextDelta | replies.ThinkingDelta | replies.SignatureDelta | replies.InputDelta
    ) -> replies.BlockDelta:
        return replies.BlockDelta(index=self._index, delta=delta)


def framed(message: msgspec.Struct) -> bytes:
    """Return an event of a stream: its name, which is the type of its message, and the message."""
    name = message.__struct_config__.tag
    return b"event: %b\ndata: %b\n\n" % (str(name).encode(), ENCODER.encode(message))


class Framing:
    """Server-sent events that their writer has framed: one of core may be several of the wire."""

    headers: Headers = (
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),  # a proxy that collects events makes a stream of none
    )

    def first(self) -> bytes:
        """Return nothing."""
        return b""

    def frame(self, chunk: bytes) -> bytes:
        """Return ``chunk`` as it is."""
        return chunk

    def last(self) -> bytes:
        """Return nothing: ``message_stop`` was the last event."""
        return b""


def write_count(counted: usage.Usage) -> bytes:
    """Return the answer to ``count_tokens``."""
    return ENCODER.encode(replies.Counted(input_tokens=counted.prompt))


def _call(call: ToolCall) -> replies.ToolUse:
    return replies.ToolUse(id=CALL_PREFIX + call.id, name=call.name, input=call.args)


def _ended(reason: FinishReason, detail: str, *, called: bool) -> replies.Ended:
    """Return why an answer ended; a call that was begun and not written is told in ``stop_details``."""
    word = REASONS[reason]
    if reason is FinishReason.STOP and called:
        word = CALLED
    return replies.Ended(
        stop_reason=word, stop_details=replies.Refusal(explanation=detail) if detail else None
    )


def _usage(counted: usage.Usage) -> replies.Usage:
    return replies.Usage(
        input_tokens=counted.prompt - counted.cached,
        cache_read_input_tokens=counted.cached,
        output_tokens=counted.candidates + counted.thoughts,
        output_tokens_details=replies.OutputDetails(thinking_tokens=counted.thoughts),
    )


def _whole_usage(counted: usage.Usage) -> replies.WholeUsage:
    return replies.WholeUsage(**msgspec.structs.asdict(_usage(counted)))
