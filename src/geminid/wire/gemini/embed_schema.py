"""Requests for embeddings and their answers as they stand on the wire.

Fields marked *ignored* ask for what is done anyway.
"""

from __future__ import annotations

from enum import Enum

from geminid.wire.gemini.content import Content
from geminid.wire.gemini.replies import ModalityTokenCount
from geminid.wire.protojson import Message
from geminid.wire.scalars import Int32


class TaskType(Enum):
    """What a vector is for; a member's position is its number."""

    UNSPECIFIED = "TASK_TYPE_UNSPECIFIED"
    RETRIEVAL_QUERY = "RETRIEVAL_QUERY"
    RETRIEVAL_DOCUMENT = "RETRIEVAL_DOCUMENT"
    SEMANTIC_SIMILARITY = "SEMANTIC_SIMILARITY"
    CLASSIFICATION = "CLASSIFICATION"
    CLUSTERING = "CLUSTERING"
    QUESTION_ANSWERING = "QUESTION_ANSWERING"
    FACT_VERIFICATION = "FACT_VERIFICATION"
    CODE_RETRIEVAL_QUERY = "CODE_RETRIEVAL_QUERY"


class EmbedContentConfig(Message):
    """How a vector is made, as newer clients say it."""

    task_type: TaskType | None = None
    title: str | None = None
    output_dimensionality: Int32 | None = None
    auto_truncate: bool | None = None
    document_ocr: bool | None = None  # ignored: a document without text is always looked at
    audio_track_extraction: bool | None = None  # ignored: what is said in a film is always listened to


class EmbedContentRequest(Message):
    """The body of embedContent, and each request of batchEmbedContents."""

    model: str | None = None
    content: Content | None = None
    task_type: TaskType | None = None
    title: str | None = None
    output_dimensionality: Int32 | None = None
    embed_content_config: EmbedContentConfig | None = None


class BatchEmbedContentsRequest(Message):
    """The body of batchEmbedContents."""

    model: str | None = None
    requests: list[EmbedContentRequest] | None = None


class ContentEmbedding(Message):
    """One vector."""

    values: list[float] | None = None


class EmbedUsageMetadata(Message):
    """Tokens that were read; the name of the second field is in the singular here."""

    prompt_token_count: Int32 = 0
    prompt_token_details: list[ModalityTokenCount] | None = None


class EmbedContentResponse(Message):
    """The answer to embedContent."""

    embedding: ContentEmbedding
    usage_metadata: EmbedUsageMetadata


class BatchEmbedContentsResponse(Message):
    """The answer to batchEmbedContents: vectors in the order of the requests."""

    embeddings: list[ContentEmbedding]
    usage_metadata: EmbedUsageMetadata


class TextPrompt(Message):
    """A text whose tokens are to be counted."""

    text: str | None = None


class CountTextTokensRequest(Message):
    """The body of countTextTokens, which is of the time before Gemini."""

    model: str | None = None
    prompt: TextPrompt | None = None


class CountTextTokensResponse(Message):
    """The answer to countTextTokens."""

    token_count: Int32 = 0
