"""What an engine answers: a stream of events, and the answer that they fold into.

Order, for every request: one :class:`Started`; then, for each candidate, any number of
:class:`TextDelta` and exactly one :class:`Finished`. Events of different candidates may interleave.
An engine that fails raises a ``Problem`` instead of ending the stream early, so a stream that ends
without a ``Finished`` for each candidate does not exist.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from enum import Enum

import msgspec

from geminid.core.usage import Usage


class FinishReason(Enum):
    """Why a candidate ended."""

    STOP = "stop"  # the model ended its turn, or a stop string was met
    MAX_TOKENS = "max_tokens"  # the bound on the answer, or the model's window, was reached


class TokenLogprob(msgspec.Struct, frozen=True):
    """One produced token and the natural logarithm of its probability, a finite number."""

    token: str
    token_id: int
    logprob: float


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The prompt was accepted and counted."""

    usage: Usage


class TextDelta(msgspec.Struct, frozen=True, tag="text"):
    """More text of one candidate.

    ``tokens`` counts the tokens behind this text. Text may be empty while tokens are held back (half
    a character, the beginning of a stop string).
    """

    text: str
    tokens: int
    candidate: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The last event of one candidate."""

    reason: FinishReason
    candidate: int = 0


Event = Started | TextDelta | Finished


class Candidate(msgspec.Struct, frozen=True):
    """One whole answer text. ``logprobs`` is empty unless asked for."""

    text: str
    reason: FinishReason
    logprobs: tuple[TokenLogprob, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """What a unary caller gets: every candidate, by index, and the usage of them all."""

    candidates: tuple[Candidate, ...]
    usage: Usage


async def fold(events: AsyncIterable[Event]) -> Answer:
    """Read a stream to its end and return the answer it spells."""
    usage = Usage()
    texts: dict[int, list[TextDelta]] = {}
    reasons: dict[int, FinishReason] = {}
    async for event in events:
        match event:
            case Started():
                usage += event.usage
            case TextDelta():
                usage += Usage(candidates=event.tokens)
                texts.setdefault(event.candidate, []).append(event)
            case Finished():
                reasons[event.candidate] = event.reason
    return Answer(
        candidates=tuple(
            _candidate(texts.get(index, []), reason) for index, reason in sorted(reasons.items())
        ),
        usage=usage,
    )


def _candidate(deltas: list[TextDelta], reason: FinishReason) -> Candidate:
    return Candidate(
        text="".join(delta.text for delta in deltas),
        reason=reason,
        logprobs=tuple(logprob for delta in deltas for logprob in delta.logprobs),
    )
