"""A stream of events to the chunks of a chat completion, and the framing in which they are sent.

Invariant: the contents of all chunks joined are the answer; each choice has its role in its first chunk and
its finish reason in its last; a stream that ends in an error has no ``[DONE]``.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, UnsetType

from geminid.core import usage
from geminid.core.events import Event, Finished, Started, TextDelta, ThoughtDelta, ToolCallMade, usage_of
from geminid.wire.openai import answers
from geminid.wire.openai.answers import ENCODER, THOUGHT, THOUGHT_END, Heading, Sign, Telling
from geminid.wire.openai.replies import Chunk, ChunkChoice, Logprobs, Message, Usage
from geminid.wire.sse import Headers

HEADERS: Headers = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),  # a proxy that collects events makes a stream of none
)
DONE = b"data: [DONE]\n\n"


class _Open:
    """What was said so far of one choice."""

    __slots__ = ("calls", "spoke", "thinking")

    def __init__(self) -> None:
        self.thinking = False
        self.spoke = False
        self.calls = 0


class ChunkWriter:
    """Writes the events of one request, in their order, as chunks. ``candidates`` is how many were asked for;
    without ``sign`` nothing is signed. It counts tokens, so it must be given every event."""

    def __init__(
        self, heading: Heading, telling: Telling, candidates: int = 1, sign: Sign | None = None
    ) -> None:
        self._heading = heading
        self._telling = telling
        self._sign = sign
        self._open = [_Open() for _ in range(candidates)]
        self._prompt = usage.Usage()
        self._tokens = 0
        self._thoughts = 0
        self._no_usage: UnsetType | None = None if telling.usage else UNSET
        self._nothing: UnsetType | None = None if heading.surface.whole_messages else UNSET

    def write(self, event: Event) -> bytes | None:
        """Return the chunk for one event, or None when there is nothing to tell."""
        match event:
            case TextDelta():
                self._tokens += event.tokens
                return self._text(event)
            case ThoughtDelta():
                self._thoughts += event.tokens
                return self._thought(event)
            case ToolCallMade():
                self._tokens += event.tokens
                return self._call(event)
            case Started():
                self._prompt = event.usage
                return self._begin()
            case Finished():
                return self._finish(event)
            case _:  # whatever else is told of the prompt
                self._prompt += usage_of(event)
                return None

    def write_usage(self) -> bytes | None:
        """Return the chunk that ends a stream with its usage, or None where that was not asked for."""
        if not self._telling.usage:
            return None
        prompt = self._prompt
        counted = usage.Usage(
            prompt=prompt.prompt,
            cached=prompt.cached,
            candidates=prompt.candidates + self._tokens,
            thoughts=prompt.thoughts + self._thoughts,
            media=prompt.media,
            cached_media=prompt.cached_media,
        )
        return self._chunk([], answers.usage_of(counted, self._heading.surface))

    def _begin(self) -> bytes:
        nothing = self._nothing
        return self._chunk(
            [
                self._choice(index, Message(role="assistant", content="", refusal=nothing))
                for index in range(len(self._open))
            ]
        )

    def _text(self, delta: TextDelta) -> bytes | None:
        if not delta.text and not delta.logprobs:
            return None
        opened = self._open[delta.candidate]
        text = delta.text
        if opened.thinking:
            text, opened.thinking = THOUGHT_END + text, False
        opened.spoke = True
        logprobs: Logprobs | UnsetType | None = self._nothing
        if delta.logprobs:
            logprobs = answers.logprobs_of(delta.logprobs, self._telling.alternatives)
        return self._chunk([self._choice(delta.candidate, Message(content=text), logprobs)])

    def _thought(self, delta: ThoughtDelta) -> bytes | None:
        if not self._telling.thoughts or not delta.text:
            return None
        opened = self._open[delta.candidate]
        text = delta.text if opened.thinking else THOUGHT + delta.text
        opened.thinking = opened.spoke = True
        return self._chunk([self._choice(delta.candidate, Message(content=text))])

    def _call(self, made: ToolCallMade) -> bytes:
        opened = self._open[made.candidate]
        message = Message()
        self._end_thought(opened, message)
        signature = ""
        if not opened.calls and self._sign is not None:
            signature = self._sign(made.candidate, 1 if opened.spoke else 0)
        message.tool_calls = [answers.called(made.call, signature, opened.calls)]
        opened.calls += 1
        return self._chunk([self._choice(made.candidate, message)])

    def _finish(self, finished: Finished) -> bytes:
        opened = self._open[finished.candidate]
        message = Message()
        self._end_thought(opened, message)
        if finished.detail:
            message.refusal = finished.detail
        choice = self._choice(finished.candidate, message)
        choice.finish_reason = answers.finish_of(finished.reason, bool(opened.calls), self._heading.surface)
        return self._chunk([choice])

    def _end_thought(self, opened: _Open, message: Message) -> None:
        if opened.thinking:
            message.content, opened.thinking = THOUGHT_END, False

    def _choice(
        self, index: int, delta: Message, logprobs: Logprobs | UnsetType | None = UNSET
    ) -> ChunkChoice:
        return ChunkChoice(
            index=index, delta=delta, logprobs=self._nothing if logprobs is UNSET else logprobs
        )

    def _chunk(self, choices: list[ChunkChoice], used: Usage | UnsetType | None = UNSET) -> bytes:
        heading = self._heading
        return ENCODER.encode(
            Chunk(
                id=heading.id,
                created=heading.created_s,
                model=heading.model,
                service_tier=heading.tier,
                system_fingerprint=heading.fingerprint,
                choices=choices,
                usage=self._no_usage if used is UNSET else used,
            )
        )


class ChatFraming:
    """Server-sent events with a last one that says so, for one stream.

    ``closing`` gives the chunk before that, if there is one. A stream that has failed ends without either:
    it must not look like a whole one.
    """

    headers = HEADERS

    def __init__(self) -> None:
        self.closing: Callable[[], bytes | None] = lambda: None
        self.failed = False

    def first(self) -> bytes:
        """Return nothing."""
        return b""

    def frame(self, chunk: bytes) -> bytes:
        """Return the event that carries ``chunk``, a whole JSON value on one line."""
        return b"data: " + chunk + b"\n\n"

    def last(self) -> bytes:
        """Return what ends the stream."""
        if self.failed:
            return b""
        chunk = self.closing()
        return (self.frame(chunk) if chunk else b"") + DONE
