"""The answers of every method as they stand on the wire.

Field order is the order of keys. What is ``None`` is not said; ``index`` is said even when it is 0.
"""

from __future__ import annotations

from geminid.wire.gemini.content import Content
from geminid.wire.gemini.enums import MediaModality, ServiceTier, WireFinish
from geminid.wire.protojson import Message
from geminid.wire.scalars import Int32, Int64


class ModalityTokenCount(Message):
    """Tokens of one kind of content."""

    modality: MediaModality | None = None
    token_count: Int32 | None = None


class UsageMetadata(Message):
    """Tokens by what they were for; zeros are not said.

    ``folded_character_count`` is this server's own: characters of an input beyond the model's window that
    were left out where the operator allows that.
    """

    prompt_token_count: Int32 = 0
    cached_content_token_count: Int32 = 0
    candidates_token_count: Int32 = 0
    total_token_count: Int32 = 0
    prompt_tokens_details: list[ModalityTokenCount] | None = None
    cache_tokens_details: list[ModalityTokenCount] | None = None
    thoughts_token_count: Int32 = 0
    service_tier: ServiceTier | None = None
    folded_character_count: Int64 = 0


class LogprobsCandidate(Message):
    """One token and the natural logarithm of its probability; all three are always said."""

    token: str
    token_id: Int32
    log_probability: float


class TopCandidates(Message):
    """What could have stood in one place, the likeliest first."""

    candidates: list[LogprobsCandidate] | None = None


class LogprobsResult(Message):
    """The tokens of an answer, or of a stretch of it, and the sum of their logarithms."""

    chosen_candidates: list[LogprobsCandidate] | None = None
    top_candidates: list[TopCandidates] | None = None
    log_probability_sum: float | None = None


class Candidate(Message, kw_only=True):
    """One answer, or a stretch of one."""

    content: Content
    finish_reason: WireFinish | None = None
    index: Int32
    finish_message: str | None = None
    avg_logprobs: float | None = None
    logprobs_result: LogprobsResult | None = None


class GenerateContentResponse(Message):
    """The answer to generateContent, and each chunk of a stream."""

    candidates: list[Candidate]
    usage_metadata: UsageMetadata
    model_version: str
    response_id: str


class CountTokensResponse(Message):
    """The answer to countTokens."""

    total_tokens: Int32 = 0
    cached_content_token_count: Int32 = 0
    prompt_tokens_details: list[ModalityTokenCount] | None = None
    cache_tokens_details: list[ModalityTokenCount] | None = None


class Model(Message, kw_only=True):
    """A model that can be asked."""

    name: str
    base_model_id: str | None = None
    version: str
    display_name: str
    description: str | None = None
    input_token_limit: Int32
    output_token_limit: Int32
    supported_generation_methods: list[str]
    temperature: float | None = None
    top_p: float | None = None
    top_k: Int32 | None = None
    max_temperature: float | None = None
    thinking: bool = False


class ListModelsResponse(Message):
    """One page of models."""

    models: list[Model] | None = None
    next_page_token: str | None = None


class ErrorStatus(Message):
    """What went wrong: the HTTP status as a number, words, google.rpc code, typed details."""

    code: Int32
    message: str
    status: str
    details: list[dict[str, object]] | None = None


class ErrorBody(Message):
    """The body of every error; ``error`` is the only key, hence the first."""

    error: ErrorStatus
