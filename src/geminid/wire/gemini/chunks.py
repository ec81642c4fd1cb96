"""A stream of events to the chunks of streamGenerateContent, without framing.

Invariant: usage is cumulative and in every chunk; a candidate's finish reason is said once, in its
last chunk; the texts of all chunks joined are the answer; a candidate is signed once, its first call
or else its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from geminid.core.content import ToolCall
from geminid.core.events import (
    Event,
    Finished,
    PrefixFound,
    Started,
    TextDelta,
    ThoughtDelta,
    ToolCallMade,
    usage_of,
)
from geminid.core.usage import Usage
from geminid.wire.gemini import answers
from geminid.wire.gemini.answers import ENCODER, PLAIN, Sign, Telling
from geminid.wire.gemini.content import Part
from geminid.wire.gemini.replies import Candidate, GenerateContentResponse, UsageMetadata


class _Open:
    """What was said so far of one candidate that has not ended."""

    __slots__ = ("called", "logprob_count", "logprob_sum", "parts", "spoke")

    def __init__(self) -> None:
        self.spoke = False
        self.called = False
        self.parts = 0
        self.logprob_sum = 0.0
        self.logprob_count = 0


class _Told:
    """What one chunk tells of one candidate."""

    __slots__ = ("calls", "finished", "texts", "thoughts")

    def __init__(self) -> None:
        self.thoughts: list[str] = []
        self.texts: list[TextDelta] = []
        self.calls: list[ToolCall] = []
        self.finished: Finished | None = None


class ChunkWriter:
    """Writes the events of one request, in their order, as chunks of compact JSON.

    ``model_version`` and ``response_id`` are said in every chunk; ``candidates`` is how many were
    asked for; without ``sign`` nothing is signed. The writer counts tokens, so it must be given every
    event.
    """

    def __init__(
        self,
        model_version: str,
        response_id: str,
        candidates: int = 1,
        telling: Telling = PLAIN,
        sign: Sign | None = None,
    ) -> None:
        self._model_version = model_version
        self._response_id = response_id
        self._telling = telling
        self._sign = sign
        self._open = [_Open() for _ in range(candidates)]
        self._prompt = Usage()
        self._usage = UsageMetadata()
        self._tokens = 0
        self._thoughts = 0

    def write(self, event: Event) -> bytes | None:
        """Return the chunk for one event, or None when there is nothing to tell yet."""
        if isinstance(event, TextDelta) and event.text and not event.logprobs:
            return self._text(event)
        return self.write_many((event,))

    def write_many(self, events: Sequence[Event]) -> bytes | None:
        """Return one chunk that tells a whole run of events, or None when there is nothing to tell.

        Texts of a candidate are joined, and its finish is folded in. Several candidates share the
        chunk.
        """
        told: dict[int, _Told] = {}
        for event in events:
            if isinstance(event, Started | PrefixFound):
                self._read(usage_of(event))
            elif self._tells(event):
                _take(told.setdefault(event.candidate, _Told()), event)
        if not told:
            return None
        return self._chunk([self._candidate(index, told[index]) for index in sorted(told)])

    def _text(self, delta: TextDelta) -> bytes:
        # Nearly every event is one of these; gathering a run of one costs more than the chunk itself.
        self._tokens += delta.tokens
        opened = self._open[delta.candidate]
        opened.spoke = True
        opened.parts += 1
        return self._chunk([Candidate(content=answers.said(delta.text), index=delta.candidate)])

    def _read(self, usage: Usage) -> None:
        self._prompt += usage
        self._usage = answers.usage_metadata(self._prompt, self._telling)

    def _tells(self, event: ThoughtDelta | TextDelta | ToolCallMade | Finished) -> bool:
        """Count an event, and tell whether there is something in it for the caller."""
        match event:
            case ThoughtDelta():
                self._thoughts += event.tokens
                return self._telling.thoughts and bool(event.text)
            case TextDelta():
                self._tokens += event.tokens
                return bool(event.text or event.logprobs)
            case ToolCallMade():
                self._tokens += event.tokens
        return True

    def _candidate(self, index: int, told: _Told) -> Candidate:
        opened = self._open[index]
        text = "".join([delta.text for delta in told.texts])
        parts = answers.spoken("".join(told.thoughts), text, told.calls)
        opened.spoke |= bool(text)
        if told.calls:
            self._sign_call(index, parts, len(parts) - len(told.calls))
        candidate = Candidate(content=answers.content_of(parts), index=index)
        self._tell_logprobs(opened, candidate, told)
        if told.finished is not None:
            self._finish(index, candidate, parts, told.finished)
        elif not parts:
            parts.append(Part(text=""))  # probabilities of tokens that are held back
        opened.parts += len(parts)
        candidate.content = answers.content_of(parts)
        return candidate

    def _sign_call(self, index: int, parts: list[Part], number: int) -> None:
        opened = self._open[index]
        if not opened.called and self._sign is not None:
            parts[number].thought_signature = self._sign(index, opened.parts + number)
        opened.called = True

    def _tell_logprobs(self, opened: _Open, candidate: Candidate, told: _Told) -> None:
        logprobs = [logprob for delta in told.texts for logprob in delta.logprobs]
        if logprobs:
            result = answers.logprobs_result(logprobs, self._telling.alternatives)
            candidate.logprobs_result = result
            opened.logprob_sum += result.log_probability_sum or 0.0
            opened.logprob_count += len(logprobs)

    def _finish(self, index: int, candidate: Candidate, parts: list[Part], finished: Finished) -> None:
        opened = self._open[index]
        candidate.finish_reason = answers.FINISHES[finished.reason]
        candidate.finish_message = answers.finish_message(finished.reason, finished.detail, opened.called)
        if not any(part.text is not None and not part.thought for part in parts):
            silent = not opened.spoke and not opened.called
            parts += answers.unsaid(finished.reason) if silent else [Part(text="")]
        if self._sign is not None and not opened.called and parts and not parts[-1].thought:
            parts[-1].thought_signature = self._sign(index, opened.parts + len(parts) - 1)
        if opened.logprob_count:
            candidate.avg_logprobs = opened.logprob_sum / opened.logprob_count

    def _chunk(self, candidates: list[Candidate]) -> bytes:
        usage = self._usage
        usage.candidates_token_count = self._prompt.candidates + self._tokens
        usage.thoughts_token_count = self._prompt.thoughts + self._thoughts
        usage.total_token_count = self._prompt.total + self._tokens + self._thoughts
        return ENCODER.encode(
            GenerateContentResponse(
                candidates=candidates,
                usage_metadata=usage,
                model_version=self._model_version,
                response_id=self._response_id,
            )
        )


def _take(told: _Told, event: ThoughtDelta | TextDelta | ToolCallMade | Finished) -> None:
    match event:
        case ThoughtDelta():
            told.thoughts.append(event.text)
        case TextDelta():
            told.texts.append(event)
        case ToolCallMade():
            told.calls.append(event.call)
        case Finished():
            told.finished = event
