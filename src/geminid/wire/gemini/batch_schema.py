"""The messages that make and change batches, as they stand on the wire.

Requests in a body come in two forms: as messages, and raw, to be looked into one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from geminid.wire.gemini.embed_schema import EmbedContentRequest
from geminid.wire.gemini.schema import GenerateContentRequest
from geminid.wire.protojson import FreeForm, Message
from geminid.wire.scalars import Int64


class WebhookConfig(Message):
    """Who is told when a job has ended."""

    uris: list[str] | None = None
    user_metadata: FreeForm | None = None


class Batch(Message):
    """What a client says of a job. What is the server's to say is ignored if it is sent back."""

    model: str | None = None
    name: FreeForm | None = None
    display_name: str | None = None
    output: FreeForm | None = None
    create_time: FreeForm | None = None
    end_time: FreeForm | None = None
    update_time: FreeForm | None = None
    batch_stats: FreeForm | None = None
    state: FreeForm | None = None
    priority: Int64 | None = None
    webhook_config: WebhookConfig | None = None


class InlinedRequest(Message):
    """One request to generate."""

    request: GenerateContentRequest | None = None
    metadata: FreeForm | None = None


class InlinedEmbedRequest(Message):
    """One request to embed."""

    request: EmbedContentRequest | None = None
    metadata: FreeForm | None = None


class InlinedRequests(Message):
    """Requests in the body."""

    requests: list[InlinedRequest] | None = None


class InlinedEmbedRequests(Message):
    """Requests in the body."""

    requests: list[InlinedEmbedRequest] | None = None


class Source(Message):
    """Where the requests are: in a file, or here."""

    ONEOFS: ClassVar[Mapping[str, tuple[str, ...]]] = {"source": ("file_name", "requests")}

    file_name: str | None = None

    def __post_init__(self) -> None:
        # The strict decoder knows no oneof; refusing here sends the body to the reader that words it.
        if self.file_name is not None and getattr(self, "requests", None) is not None:
            raise ValueError("oneof field 'source' is already set")


class InputConfig(Source):
    """Where the requests to generate are."""

    requests: InlinedRequests | None = None


class InputEmbedContentConfig(Source):
    """Where the requests to embed are."""

    requests: InlinedEmbedRequests | None = None


class GenerateContentBatch(Batch):
    """A job of requests to generate."""

    input_config: InputConfig | None = None


class EmbedContentBatch(Batch):
    """A job of requests to embed."""

    input_config: InputEmbedContentConfig | None = None


class BatchGenerateContentRequest(Message):
    """The body of batchGenerateContent."""

    batch: GenerateContentBatch | None = None


class AsyncBatchEmbedContentRequest(Message):
    """The body of asyncBatchEmbedContent."""

    batch: EmbedContentBatch | None = None


class RawRequest(Message):
    """One request, not looked into yet."""

    request: msgspec.Raw
    metadata: msgspec.Raw = msgspec.Raw(b"null")


class RawRequests(Message):
    """Requests in the body, not looked into yet."""

    requests: list[RawRequest]


class RawInputConfig(Source, kw_only=True):
    """Requests in the body, not looked into yet."""

    requests: RawRequests


class RawBatch(Batch, kw_only=True):
    """A job whose requests are in the body, which are not looked into yet."""

    input_config: RawInputConfig


class RawCreate(Message):
    """The body that makes such a job."""

    batch: RawBatch
