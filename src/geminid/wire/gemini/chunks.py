"""A stream of events to the chunks of streamGenerateContent, without framing.

Invariant: usage is cumulative and in every chunk; a candidate's finish reason is said once, in its
last chunk; the texts of all chunks joined are the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from geminid.core.events import Event, Finished, TextDelta, TokenLogprob
from geminid.core.usage import Usage
from geminid.wire.gemini import answers
from geminid.wire.gemini.replies import Candidate, GenerateContentResponse, UsageMetadata

_ENCODER = msgspec.json.Encoder()


class _Open:
    """What was said so far of one candidate that has not ended."""

    __slots__ = ("logprob_count", "logprob_sum", "spoke")

    def __init__(self) -> None:
        self.spoke = False
        self.logprob_sum = 0.0
        self.logprob_count = 0


class ChunkWriter:
    """Writes the events of one request, in their order, as chunks of compact JSON.

    ``model_version`` and ``response_id`` are said in every chunk; ``candidates`` is how many were
    asked for. The writer counts tokens, so it must be given every event.
    """

    def __init__(self, model_version: str, response_id: str, candidates: int = 1) -> None:
        self._model_version = model_version
        self._response_id = response_id
        self._open = [_Open() for _ in range(candidates)]
        self._prompt = Usage()
        self._usage = UsageMetadata()
        self._tokens = 0

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
        told: dict[int, tuple[list[TextDelta], Finished | None]] = {}
        for event in events:
            match event:
                case TextDelta():
                    self._tokens += event.tokens
                    if event.text or event.logprobs:
                        told.setdefault(event.candidate, ([], None))[0].append(event)
                case Finished():
                    told[event.candidate] = (told.get(event.candidate, ([], None))[0], event)
                case _:
                    self._start(event.usage)
        if not told:
            return None
        return self._chunk([self._candidate(i, *told[i]) for i in sorted(told)])

    def _text(self, delta: TextDelta) -> bytes:
        # Nearly every event is one of these; gathering a run of one costs more than the chunk itself.
        self._tokens += delta.tokens
        self._open[delta.candidate].spoke = True
        return self._chunk([Candidate(content=answers.said(delta.text), index=delta.candidate)])

    def _start(self, usage: Usage) -> None:
        self._prompt = usage
        self._usage = answers.usage_metadata(usage)

    def _candidate(self, index: int, deltas: list[TextDelta], finished: Finished | None) -> Candidate:
        opened = self._open[index]
        text = deltas[0].text if len(deltas) == 1 else "".join([delta.text for delta in deltas])
        opened.spoke |= bool(text)
        candidate = Candidate(content=answers.said(text), index=index)
        logprobs = [logprob for delta in deltas for logprob in delta.logprobs]
        if logprobs:
            self._tell_logprobs(opened, candidate, logprobs)
        if finished is not None:
            self._finish(opened, candidate, finished)
        return candidate

    def _tell_logprobs(self, opened: _Open, candidate: Candidate, logprobs: list[TokenLogprob]) -> None:
        result = candidate.logprobs_result = answers.logprobs_result(logprobs)
        opened.logprob_sum += result.log_probability_sum or 0.0
        opened.logprob_count += len(logprobs)

    def _finish(self, opened: _Open, candidate: Candidate, finished: Finished) -> None:
        candidate.finish_reason = answers.FINISHES[finished.reason]
        if not opened.spoke:
            candidate.content = answers.unsaid(finished.reason)
        if opened.logprob_count:
            candidate.avg_logprobs = opened.logprob_sum / opened.logprob_count

    def _chunk(self, candidates: list[Candidate]) -> bytes:
        usage = self._usage
        usage.candidates_token_count = self._prompt.candidates + self._tokens
        usage.total_token_count = self._prompt.total + self._tokens
        return _ENCODER.encode(
            GenerateContentResponse(
                candidates=candidates,
                usage_metadata=usage,
                model_version=self._model_version,
                response_id=self._response_id,
            )
        )
