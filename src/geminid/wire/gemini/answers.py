"""Whole answers as unary bodies, and the pieces that chunks share with them.

Invariant: an answer is spelled by the same pieces in one body or in many chunks.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from geminid.core import events
from geminid.core.events import Answer, FinishReason, TokenLogprob
from geminid.core.usage import Usage
from geminid.wire.gemini.content import Content, Part
from geminid.wire.gemini.enums import Modality, ServiceTier, WireFinish
from geminid.wire.gemini.replies import (
    Candidate,
    GenerateContentResponse,
    LogprobsCandidate,
    LogprobsResult,
    ModalityTokenCount,
    UsageMetadata,
)

FINISHES: dict[FinishReason, WireFinish] = {
    FinishReason.STOP: WireFinish.STOP,
    FinishReason.MAX_TOKENS: WireFinish.MAX_TOKENS,
}

_ENCODER = msgspec.json.Encoder()


def write_answer(answer: Answer, model_version: str, response_id: str) -> bytes:
    """Return the body of a unary answer, indented by two spaces and ending in a newline."""
    return pretty(
        GenerateContentResponse(
            candidates=[_candidate(index, candidate) for index, candidate in enumerate(answer.candidates)],
            usage_metadata=usage_metadata(answer.usage),
            model_version=model_version,
            response_id=response_id,
        )
    )


def pretty(message: msgspec.Struct) -> bytes:
    """Return a message as Google's front end prints it: two spaces, and a newline at the end."""
    return msgspec.json.format(_ENCODER.encode(message), indent=2) + b"\n"


def said(text: str) -> Content:
    """Return the content of a model that said ``text``."""
    return Content(parts=[Part(text=text)], role="model")


def unsaid(reason: FinishReason) -> Content:
    """Return the content of a candidate that ended without a visible word.

    Cut off by the token limit it has no ``parts`` at all; clients tell the two cases apart by that.
    """
    return Content(role="model") if reason is FinishReason.MAX_TOKENS else said("")


def usage_metadata(usage: Usage) -> UsageMetadata:
    """Return token counts by purpose; this server serves every request in the standard tier."""
    return UsageMetadata(
        prompt_token_count=usage.prompt,
        cached_content_token_count=usage.cached,
        candidates_token_count=usage.candidates,
        total_token_count=usage.total,
        prompt_tokens_details=details(usage.prompt),
        cache_tokens_details=details(usage.cached),
        thoughts_token_count=usage.thoughts,
        service_tier=ServiceTier.STANDARD,
    )


def details(tokens: int) -> list[ModalityTokenCount] | None:
    """Return ``tokens`` of text as a list by modality; nothing for none."""
    return [ModalityTokenCount(modality=Modality.TEXT, token_count=tokens)] if tokens else None


def logprobs_result(logprobs: Sequence[TokenLogprob]) -> LogprobsResult:
    """Return tokens with the logarithms of their probabilities, and the sum of these."""
    return LogprobsResult(
        chosen_candidates=[
            LogprobsCandidate(token=entry.token, token_id=entry.token_id, log_probability=entry.logprob)
            for entry in logprobs
        ],
        log_probability_sum=sum(entry.logprob for entry in logprobs),
    )


def _candidate(index: int, candidate: events.Candidate) -> Candidate:
    message = Candidate(
        content=said(candidate.text) if candidate.text else unsaid(candidate.reason),
        finish_reason=FINISHES[candidate.reason],
        index=index,
    )
    if candidate.logprobs:
        result = message.logprobs_result = logprobs_result(candidate.logprobs)
        message.avg_logprobs = (result.log_probability_sum or 0.0) / len(candidate.logprobs)
    return message
