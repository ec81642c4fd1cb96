"""Whole answers as bodies, and the pieces that chunks share with them.

Invariant: an answer is spelled by the same pieces in one body or in many chunks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from geminid.core import content, events, usage
from geminid.core.card import ModelCard
from geminid.core.events import FinishReason
from geminid.core.request import Tier
from geminid.wire.openai.replies import (
    Choice,
    Completion,
    CompletionDetails,
    Function,
    Logprobs,
    Message,
    PromptDetails,
    TokenLogprob,
    ToolCall,
    TopLogprob,
    Usage,
)
from geminid.wire.openai.surfaces import Surface

ENCODER = msgspec.json.Encoder()
THOUGHT = "<thought>"
THOUGHT_END = "</thought>"
TIERS: dict[Tier, str] = {"standard": "default", "batch": "default", "flex": "flex", "priority": "priority"}
CALL_PREFIX = "call_"

Sign = Callable[[int, int], str]
"""(candidate, number of the part) → the signature that the first call carries."""


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What of an answer is told.

    alternatives: how many could-have-beens of each token. usage: whether a stream ends with it.
    """

    thoughts: bool = False
    alternatives: int = 0
    logprobs: bool = False
    usage: bool = False
    tier: Tier = "standard"


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What every body or chunk of one answer begins with. ``created_s``: seconds since 1970."""

    surface: Surface
    id: str
    created_s: int
    model: str
    tier: str | UnsetType
    fingerprint: str | UnsetType


def heading_of(
    surface: Surface, card: ModelCard, response_id: str, created_s: int, telling: Telling
) -> Heading:
    """Return the heading of an answer that ``card`` gives."""
    whole = surface.whole_messages
    return Heading(
        surface=surface,
        id=surface.id_prefix + response_id,
        created_s=created_s,
        model=card.name,
        tier=TIERS[telling.tier],
        fingerprint=fingerprint_of(card) if whole else UNSET,
    )


def fingerprint_of(card: ModelCard) -> str:
    """Return what changes when the model behind an answer does: ten hexadecimal digits after ``fp_``."""
    said = msgspec.json.encode(card)
    return f"fp_{hashlib.blake2b(said, digest_size=5).hexdigest()}"


def write_answer(
    answer: events.Answer, heading: Heading, telling: Telling, sign: Sign | None = None
) -> bytes:
    """Return the body of a whole answer, indented by two spaces and ending in a newline."""
    return pretty(
        Completion(
            id=heading.id,
            created=heading.created_s,
            model=heading.model,
            choices=[
                _choice(index, candidate, heading.surface, telling, sign)
                for index, candidate in enumerate(answer.candidates)
            ],
            usage=usage_of(answer.usage, heading.surface),
            service_tier=heading.tier,
            system_fingerprint=heading.fingerprint,
        )
    )


def pretty(message: msgspec.Struct) -> bytes:
    """Return a message as it is sent whole: two spaces, and a newline at the end."""
    return msgspec.json.format(ENCODER.encode(message), indent=2) + b"\n"


def finish_of(reason: FinishReason, called: bool, surface: Surface) -> str:
    """Return why an answer ended, in OpenAI's words."""
    match reason:
        case FinishReason.STOP:
            return "tool_calls" if called else "stop"
        case FinishReason.MAX_TOKENS:
            return "length"
        case FinishReason.MALFORMED_CALL:
            return surface.malformed


def usage_of(counted: usage.Usage, surface: Surface) -> Usage:
    """Return counts of tokens. OpenAI counts thoughts among those of the answer, Google beside them."""
    thoughts = 0 if surface.thoughts_apart else counted.thoughts
    images = counted.media.get("image", 0) + counted.media.get("video", 0) + counted.media.get("document", 0)
    return Usage(
        prompt_tokens=counted.prompt,
        completion_tokens=counted.candidates + thoughts,
        total_tokens=counted.total,
        prompt_tokens_details=PromptDetails(
            cached_tokens=counted.cached,
            audio_tokens=counted.media.get("audio", 0),
            image_tokens=images or UNSET,
        ),
        completion_tokens_details=CompletionDetails(reasoning_tokens=counted.thoughts),
    )


def called(call: content.ToolCall, signature: str = "", index: int | UnsetType = UNSET) -> ToolCall:
    """Return a call as it is told."""
    extra = {"google": {"thought_signature": signature}} if signature else UNSET
    return ToolCall(
        index=index,
        id=f"{CALL_PREFIX}{call.id}",
        function=Function(name=call.name, arguments=ENCODER.encode(call.args).decode()),
        extra_content=extra,
    )


def logprobs_of(logprobs: Sequence[events.TokenLogprob], alternatives: int) -> Logprobs:
    """Return tokens with the logarithms of their probabilities, and of the likeliest in their places."""
    return Logprobs(
        content=[
            TokenLogprob(
                token=each.token,
                logprob=each.logprob,
                bytes=list(each.token.encode()),
                top_logprobs=_top(each, alternatives),
            )
            for each in logprobs
        ]
    )


def _top(entry: events.TokenLogprob, most: int) -> list[TopLogprob]:
    known = sorted(entry.alternatives or (entry,), key=lambda one: -one.logprob)
    return [
        TopLogprob(token=each.token, logprob=each.logprob, bytes=list(each.token.encode()))
        for each in known[:most]
    ]


def _choice(
    index: int, candidate: events.Candidate, surface: Surface, telling: Telling, sign: Sign | None
) -> Choice:
    text = candidate.text
    if telling.thoughts and candidate.thought:
        text = f"{THOUGHT}{candidate.thought}{THOUGHT_END}{text}"
    nothing = UNSET if not surface.whole_messages else None
    message = Message(
        role="assistant",
        content=text if text or not (candidate.calls or candidate.detail) else nothing,
        refusal=candidate.detail or nothing,
        annotations=UNSET if not surface.whole_messages else [],
    )
    if candidate.calls:
        signature = sign(index, 1 if text else 0) if sign is not None else ""
        message.tool_calls = [
            called(call, "" if number else signature) for number, call in enumerate(candidate.calls)
        ]
    return Choice(
        index=index,
        message=message,
        logprobs=logprobs_of(candidate.logprobs, telling.alternatives) if telling.logprobs else nothing,
        finish_reason=finish_of(candidate.reason, bool(candidate.calls), surface),
    )
