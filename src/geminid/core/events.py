"""What an engine answers: a stream of events, and the answer that they fold into.

Order, for every request: one :class:`Started`; at most one :class:`PrefixFound`, before anything that was
produced; then, for each candidate, any number of :class:`ThoughtDelta`, then of :class:`TextDelta`, then of
:class:`ToolCallMade`, and exactly one :class:`Finished`. Events of different candidates may interleave.
An engine that fails raises a ``Problem`` instead of ending the stream early, so a stream that ends
without a ``Finished`` for each candidate does not exist.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from enum import Enum

import msgspec

from geminid.core.content import Modality, ToolCall
from geminid.core.usage import Usage


class FinishReason(Enum):
    """Why a candidate ended."""

    STOP = "stop"  # the model ended its turn, or a stop string was met
    MAX_TOKENS = "max_tokens"  # the bound on the answer, or the model's window, was reached
    MALFORMED_CALL = "malformed_call"  # the model began a function call and wrote none


class TokenLogprob(msgspec.Struct, frozen=True):
    """One produced token and the natural logarithm of its probability, a finite number.

    ``alternatives`` are what could have stood there, the likeliest first, the chosen one among them;
    empty unless the engine knows them all. Where an answer is one label of a few, the whole label
    counts as one token.
    """

    token: str
    token_id: int
    logprob: float
    alternatives: tuple[TokenLogprob, ...] = ()


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The prompt was accepted and counted. ``usage.cached`` is what its cached contents make up."""

    usage: Usage


class PrefixFound(msgspec.Struct, frozen=True, tag="prefix_found"):
    """The engine had computed so many more ``tokens`` of the prompt before, and did not compute them again.

    That is known when the request is begun, after it was accepted. media: the share of ``tokens`` that was
    read from media.
    """

    tokens: int
    media: Mapping[Modality, int] = {}


class TextDelta(msgspec.Struct, frozen=True, tag="text"):
    """More text of one candidate.

    ``tokens`` counts the tokens behind this text. Text may be empty while tokens are held back (half
    a character, the beginning of a stop string).
    """

    text: str
    tokens: int
    candidate: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


class ThoughtDelta(msgspec.Struct, frozen=True, tag="thought"):
    """More of what one candidate thinks before it answers. Text may be empty, as in ``TextDelta``."""

    text: str
    tokens: int
    candidate: int = 0


class ToolCallMade(msgspec.Struct, frozen=True, tag="tool_call"):
    """One whole function call. ``tokens`` are those it was written in, its markers included."""

    call: ToolCall
    tokens: int
    candidate: int = 0


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The last event of one candidate. ``detail`` says more in words, where there is more to say."""

    reason: FinishReason
    candidate: int = 0
    detail: str = ""


Event = Started | PrefixFound | ThoughtDelta | TextDelta | ToolCallMade | Finished


class Candidate(msgspec.Struct, frozen=True):
    """One whole answer. ``logprobs`` is empty unless asked for."""

    text: str
    reason: FinishReason
    logprobs: tuple[TokenLogprob, ...] = ()
    thought: str = ""
    calls: tuple[ToolCall, ...] = ()
    detail: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What a unary caller gets: every candidate, by index, and the usage of them all."""

    candidates: tuple[Candidate, ...]
    usage: Usage


def usage_of(event: Event) -> Usage:
    """Return what an event adds to the usage of its request."""
    match event:
        case Started():
            return event.usage
        case PrefixFound():
            return Usage(cached=event.tokens, cached_media=event.media)
        case ThoughtDelta():
            return Usage(thoughts=event.tokens)
        case TextDelta() | ToolCallMade():
            return Usage(candidates=event.tokens)
        case Finished():
            return NOTHING


NOTHING = Usage()


async def fold(events: AsyncIterable[Event]) -> Answer:
    """Read a stream to its end and return the answer it spells."""
    usage = Usage()
    said: dict[int, list[Event]] = {}
    finished: dict[int, Finished] = {}
    async for event in events:
        usage += usage_of(event)
        match event:
            case Started() | PrefixFound():
                pass
            case Finished():
                finished[event.candidate] = event
            case _:
                said.setdefault(event.candidate, []).append(event)
    return Answer(
        candidates=tuple(_candidate(said.get(index, []), end) for index, end in sorted(finished.items())),
        usage=usage,
    )


def _candidate(events: list[Event], finished: Finished) -> Candidate:
    texts = [event for event in events if isinstance(event, TextDelta)]
    return Candidate(
        text="".join(delta.text for delta in texts),
        reason=finished.reason,
        logprobs=tuple(logprob for delta in texts for logprob in delta.logprobs),
        thought="".join(event.text for event in events if isinstance(event, ThoughtDelta)),
        calls=tuple(event.call for event in events if isinstance(event, ToolCallMade)),
        detail=finished.detail,
    )
