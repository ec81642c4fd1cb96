"""Embeddings on OpenAI's wire: requests for vectors to core, vectors to JSON.

It knows no model, hence not how many numbers a vector can have. Texts that are longer than the model reads
are cut, and named as downgrades. Fields and bounds are those of OpenAI's published reference (openai-python
3.57.0).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from geminid.core.embed import Embedding, EmbedInput, EmbedRequest
from geminid.core.usage import Usage
from geminid.wire.openai import refused
from geminid.wire.openai.answers import ENCODER, pretty
from geminid.wire.openai.reading import Message, Reader
from geminid.wire.openai.refused import Refused
from geminid.wire.vectors import numbers_of

INPUTS_MAX = 2048
NAMED_MAX = 20
PREFIX = "models/"
TOKENS = (
    "Unsupported value: 'input' has arrays of tokens, which are numbers of another model's tokenizer. Send "
    "the texts themselves; LangChain does so with check_embedding_ctx_length=False."
)

Encoding = Literal["float", "base64"]
Words = Annotated[str, Meta(min_length=1)]


class EmbeddingsRequest(Message):
    """The body of a request. Tokens are refused: which words they are, their own tokenizer alone knows."""

    input: Words | Annotated[list[Words | int | list[int]], Meta(min_length=1, max_length=INPUTS_MAX)]
    model: Words
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    encoding_format: Encoding | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None


class ReadEmbeddings(NamedTuple):
    """A request, and how its vectors are to be written."""

    request: EmbedRequest
    encoding: Encoding


class Vector(msgspec.Struct, kw_only=True):
    """One vector: its numbers, or as many float32, little-endian, in base64."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(msgspec.Struct):
    """Counts of tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(msgspec.Struct, kw_only=True):
    """All vectors, in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[Vector]
    model: str
    usage: EmbeddingsUsage


_READER = Reader(EmbeddingsRequest)


def read_embeddings(body: bytes) -> ReadEmbeddings:
    """Return what a body asks for; raises :class:`~geminid.wire.openai.refused.Refused`."""
    message = _READER.read(body)
    said = [message.input] if isinstance(message.input, str) else message.input
    texts = [each for each in said if isinstance(each, str)]
    if len(texts) < len(said):
        raise Refused(TOKENS, "input", refused.UNSUPPORTED_VALUE)
    inputs = tuple(EmbedInput(text=text, dimensions=message.dimensions) for text in texts)
    labels = {"user": message.user} if message.user else {}
    request = EmbedRequest(model=message.model.removeprefix(PREFIX), inputs=inputs, labels=labels)
    return ReadEmbeddings(request, message.encoding_format or "float")


def write_embeddings(
    embeddings: Sequence[Embedding], model: str, usage: Usage, encoding: Encoding, *, one_line: bool = False
) -> bytes:
    """Return the body of an answer, indented, or on one line without its newline."""
    body = EmbeddingList(
        data=[
            Vector(index=index, embedding=_written(each, encoding)) for index, each in enumerate(embeddings)
        ],
        model=model,
        usage=EmbeddingsUsage(usage.prompt, usage.total),
    )
    return ENCODER.encode(body) if one_line else pretty(body)


def downgrades_of(embeddings: Sequence[Embedding], tokens_max: int) -> tuple[str, ...]:
    """Return which of the texts were cut to what the model reads, ``tokens_max``; of many, the first."""
    cut = [index for index, each in enumerate(embeddings) if each.truncated]
    named = [f"input[{index}]=cut-to-{tokens_max}-tokens" for index in cut[:NAMED_MAX]]
    rest = [f"input=cut-{len(cut) - NAMED_MAX}-more"] if len(cut) > NAMED_MAX else []
    return (*named, *rest)


def _written(embedding: Embedding, encoding: Encoding) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(embedding.values).decode()
    return numbers_of(embedding)
