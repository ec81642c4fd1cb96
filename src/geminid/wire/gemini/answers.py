"""Whole answers as unary bodies, and the pieces that chunks share with them.

Invariant: an answer is spelled by the same pieces in one body or in many chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from geminid.core import events
from geminid.core.content import Modality, ToolCall
from geminid.core.events import Answer, FinishReason, TokenLogprob
from geminid.core.request import Tier
from geminid.core.usage import Usage
from geminid.wire.gemini.content import Content, FunctionCall, Part
from geminid.wire.gemini.enums import MediaModality, ServiceTier, WireFinish
from geminid.wire.gemini.replies import (
    Candidate,
    GenerateContentResponse,
    LogprobsCandidate,
    LogprobsResult,
    ModalityTokenCount,
    TopCandidates,
    UsageMetadata,
)
from geminid.wire.protojson import FreeForm

FINISHES: dict[FinishReason, WireFinish] = {
    FinishReason.STOP: WireFinish.STOP,
    FinishReason.MAX_TOKENS: WireFinish.MAX_TOKENS,
    FinishReason.MALFORMED_CALL: WireFinish.MALFORMED_FUNCTION_CALL,
}
_MODALITIES: dict[Modality, MediaModality] = {
    "text": MediaModality.TEXT,
    "image": MediaModality.IMAGE,
    "audio": MediaModality.AUDIO,
    "video": MediaModality.VIDEO,
    "document": MediaModality.DOCUMENT,
}
CALLED = "Model generated function call(s)."

Sign = Callable[[int, int], str]
"""(candidate, number of the part) → the signature that the part carries."""


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What of an answer is told.

    alternatives: how many could-have-beens of each token; 0 is none. characters_folded: how many of the
    input were left out because it was too long.
    """

    thoughts: bool = False
    alternatives: int = 0
    tier: Tier = "standard"
    characters_folded: int = 0


PLAIN = Telling()


def _bare(value: object) -> object:
    if isinstance(value, FreeForm):
        return value.value
    raise TypeError(f"{type(value).__name__} has no place in an answer")


ENCODER = msgspec.json.Encoder(enc_hook=_bare)


def write_answer(
    answer: Answer, model_version: str, response_id: str, telling: Telling = PLAIN, sign: Sign | None = None
) -> bytes:
    """Return the body of a unary answer, indented by two spaces and ending in a newline."""
    return pretty(
        GenerateContentResponse(
            candidates=[
                _candidate(index, candidate, telling, sign)
                for index, candidate in enumerate(answer.candidates)
            ],
            usage_metadata=usage_metadata(answer.usage, telling),
            model_version=model_version,
            response_id=response_id,
        )
    )


def pretty(message: msgspec.Struct) -> bytes:
    """Return a message as Google's front end prints it: two spaces, and a newline at the end."""
    return msgspec.json.format(ENCODER.encode(message), indent=2) + b"\n"


def said(text: str) -> Content:
    """Return the content of a model that said ``text``."""
    return Content(parts=[Part(text=text)], role="model")


def spoken(thought: str, text: str, calls: Sequence[ToolCall]) -> list[Part]:
    """Return the parts of what was thought, said and called; nothing for what is empty."""
    parts = [Part(text=thought, thought=True)] if thought else []
    if text:
        parts.append(Part(text=text))
    return parts + [called(call) for call in calls]


def called(call: ToolCall) -> Part:
    """Return the part of one function call; a call without arguments says so."""
    return Part(function_call=FunctionCall(name=call.name, args=FreeForm(call.args), id=call.id or None))


def unsaid(reason: FinishReason) -> list[Part]:
    """Return the parts of a candidate that ended without a visible word or a call.

    Cut off by the token limit, or in the middle of a call, it has none; clients tell the cases apart by
    that.
    """
    return [Part(text="")] if reason is FinishReason.STOP else []


def content_of(parts: list[Part]) -> Content:
    """Return the model's content; without parts it has no such key."""
    return Content(parts=parts or None, role="model")


def finish_message(reason: FinishReason, detail: str, called: bool) -> str | None:
    """Return what is said of the end in words: of calls, and of what went wrong with one."""
    return detail or (CALLED if called and reason is FinishReason.STOP else None)


def usage_metadata(usage: Usage, telling: Telling = PLAIN) -> UsageMetadata:
    """Return token counts by purpose, and the tier that the request was served in."""
    return UsageMetadata(
        prompt_token_count=usage.prompt,
        cached_content_token_count=usage.cached,
        candidates_token_count=usage.candidates,
        total_token_count=usage.total,
        prompt_tokens_details=details(usage.by_modality()),
        cache_tokens_details=details(usage.cached_by_modality()),
        thoughts_token_count=usage.thoughts,
        service_tier=None if telling.tier == "batch" else ServiceTier(telling.tier),
        folded_character_count=telling.characters_folded,
    )


def details(tokens: Mapping[Modality, int]) -> list[ModalityTokenCount] | None:
    """Return tokens as a list by modality; nothing for none."""
    counts = [
        ModalityTokenCount(modality=_MODALITIES[modality], token_count=count)
        for modality, count in tokens.items()
        if count
    ]
    return counts or None


def logprobs_result(logprobs: Sequence[TokenLogprob], alternatives: int = 0) -> LogprobsResult:
    """Return tokens with the logarithms of their probabilities, and the sum of these.

    With ``alternatives`` there are also the likeliest of each place, the chosen one alone where the
    engine knows no others.
    """
    return LogprobsResult(
        chosen_candidates=[_logprob(entry) for entry in logprobs],
        top_candidates=[_top(entry, alternatives) for entry in logprobs] if alternatives else None,
        log_probability_sum=sum(entry.logprob for entry in logprobs),
    )


def _logprob(entry: TokenLogprob) -> LogprobsCandidate:
    return LogprobsCandidate(token=entry.token, token_id=entry.token_id, log_probability=entry.logprob)


def _top(entry: TokenLogprob, most: int) -> TopCandidates:
    known = sorted(entry.alternatives or (entry,), key=lambda one: -one.logprob)
    return TopCandidates(candidates=[_logprob(one) for one in known[:most]])


def _candidate(index: int, candidate: events.Candidate, telling: Telling, sign: Sign | None) -> Candidate:
    parts = spoken(candidate.thought if telling.thoughts else "", candidate.text, candidate.calls)
    if not candidate.text and not candidate.calls:
        parts += unsaid(candidate.reason)
    if sign is not None:
        _sign(parts, index, sign)
    message = Candidate(
        content=content_of(parts),
        finish_reason=FINISHES[candidate.reason],
        index=index,
        finish_message=finish_message(candidate.reason, candidate.detail, bool(candidate.calls)),
    )
    if candidate.logprobs:
        result = message.logprobs_result = logprobs_result(candidate.logprobs, telling.alternatives)
        message.avg_logprobs = (result.log_probability_sum or 0.0) / len(candidate.logprobs)
    return message


def _sign(parts: Sequence[Part], candidate: int, sign: Sign) -> None:
    """Sign the first call of an answer, or else its last text."""
    calls = [number for number, part in enumerate(parts) if part.function_call is not None]
    texts = [number for number, part in enumerate(parts) if part.text is not None and not part.thought]
    for number in calls[:1] or texts[-1:]:
        parts[number].thought_signature = sign(candidate, number)
