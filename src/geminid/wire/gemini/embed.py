"""Embeddings on the Gemini wire: requests for vectors to core, vectors to JSON.

It knows no model, hence not how many numbers a vector can have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter

from geminid.core.content import Blob, FileRef, Text
from geminid.core.embed import BETWEEN_PARTS, EMBED_TASKS, Embedding, EmbedInput, EmbedRequest, EmbedTask
from geminid.core.usage import Usage
from geminid.wire.gemini import answers
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.content import Content, Part
from geminid.wire.gemini.embed_schema import (
    BatchEmbedContentsRequest,
    BatchEmbedContentsResponse,
    ContentEmbedding,
    CountTextTokensRequest,
    CountTextTokensResponse,
    EmbedContentConfig,
    EmbedContentRequest,
    EmbedContentResponse,
    EmbedUsageMetadata,
    TaskType,
)
from geminid.wire.gemini.media import MediaReader
from geminid.wire.gemini.refusals import refused_in_part
from geminid.wire.protojson import Reader
from geminid.wire.scalars import clip
from geminid.wire.vectors import numbers_of

REQUESTS_MAX = 100
"""Texts of one batchEmbedContents, Google's own bound."""

_ONE, _MANY = "EmbedContentRequest", "BatchEmbedContentsRequest"
_READERS = Reader(EmbedContentRequest), Reader(BatchEmbedContentsRequest)
_COUNT_READER = Reader(CountTextTokensRequest)
_NO_CONFIG = EmbedContentConfig()
_media_of = attrgetter("inline_data", "file_data", "video_metadata", "media_resolution")
_NO_MEDIA = (None,) * 4
_PREFIX = "models/"
_TASKS: Mapping[TaskType | None, EmbedTask | None] = {
    None: None,
    TaskType.UNSPECIFIED: None,
    **{TaskType[task.upper()]: task for task in EMBED_TASKS},
}
_TWICE = "it is set beside embed_content_config.{}, to another value."
_UNREADABLE = "the content of this part cannot be embedded; text and media can."


# -- reading -------------------------------------------------------------------------------------------


def read_embed(body: bytes, model: str) -> EmbedRequest:
    """Return what the body of embedContent, or the request of a line of a batch, asks of ``model``.

    ``model`` is the bare name from the path. Raises InvalidArgument, in Google's words where those are known,
    with a violation for each field.
    """
    message, complaints = _READERS[0].read(body), Complaints(_ONE)
    if message.model:
        _check_model(message.model, model, "model", complaints)
    asked = _input(message, "", complaints)
    complaints.settle()
    return EmbedRequest(model=model, inputs=(asked,))


def read_batch(body: bytes, model: str) -> EmbedRequest:
    """Return what the body of batchEmbedContents asks of ``model``; raises InvalidArgument likewise."""
    message, complaints = _READERS[1].read(body), Complaints(_MANY)
    requests = message.requests or []
    if not requests:
        complaints.refuse("requests", "requests is not specified")
    if len(requests) > REQUESTS_MAX:
        complaints.refuse("requests", f"at most {REQUESTS_MAX} requests can be in one batch")
        complaints.settle()
    if message.model:
        _check_model(message.model, model, "model", complaints)
    inputs = []
    for index, each in enumerate(requests):
        path = f"requests[{index}]."
        if each.model:
            _check_model(each.model, model, f"{path}model", complaints)
        else:
            complaints.refuse(f"{path}model", "model is not specified")
        inputs.append(_input(each, path, complaints))
    complaints.settle()
    return EmbedRequest(model=model, inputs=tuple(inputs))


def read_count_text(body: bytes, model: str) -> EmbedRequest:
    """Return the text whose tokens the body of countTextTokens asks for."""
    message, complaints = _COUNT_READER.read(body), Complaints("CountTextTokensRequest")
    text = message.prompt.text if message.prompt is not None else None
    if not text:
        complaints.refuse("prompt.text", "text is not specified")
    complaints.settle()
    return EmbedRequest(model=model, inputs=(EmbedInput(text=text or ""),))


def _check_model(said: str, model: str, path: str, complaints: Complaints) -> None:
    bare = said.removeprefix(_PREFIX)
    if bare == said or "/" in bare:
        complaints.refuse(path, "unexpected model name format")
    elif bare != model:
        complaints.refuse(path, f"the body names {clip(said)} but the path names models/{model}.")


def _input(message: EmbedContentRequest, path: str, complaints: Complaints) -> EmbedInput:
    config = message.embed_content_config or _NO_CONFIG
    for name in ("task_type", "title", "output_dimensionality"):
        one, other = getattr(message, name), getattr(config, name)
        if one is not None and other is not None and one != other:
            complaints.refuse(path + name, _TWICE.format(name))
    task = _TASKS[message.task_type or config.task_type]
    title = message.title or config.title or ""
    if title and task != "retrieval_document":
        reason = "title is not supported unless the task_type is RETRIEVAL_DOCUMENT."
        complaints.refuse(f"{path}title", reason)
    dimensions = message.output_dimensionality
    if dimensions is None:
        dimensions = config.output_dimensionality
    if dimensions is not None and dimensions < 1:
        reason = f"output_dimensionality must be at least 1, got {dimensions}."
        complaints.refuse(f"{path}output_dimensionality", reason)
    parts = _parts(message.content, f"{path}content", complaints)
    read = any(not isinstance(part, Text) for part in parts)
    return EmbedInput(
        text="" if read else BETWEEN_PARTS.join(part.text for part in parts if isinstance(part, Text)),
        task=task,
        title=title,
        dimensions=dimensions,
        truncate=config.auto_truncate is not False,
        parts=parts if read else (),
        field=complaints.at(path),
    )


def _parts(content: Content | None, path: str, complaints: Complaints) -> tuple[Text | Blob | FileRef, ...]:
    if content is None or not content.parts:
        complaints.refuse(path, "contents is not specified")
        return ()
    media = MediaReader(None, complaints)
    numbered = enumerate(content.parts)
    read = [
        _part(part, f"{path}.parts[{i}]", media, complaints) for i, part in numbered if not complaints.full
    ]
    parts = tuple(part for part in read if part is not None)
    if (
        parts
        and len(parts) == len(read)
        and not any(not isinstance(part, Text) or part.text for part in parts)
    ):
        complaints.say(path, "The text content is empty.")
    return parts


def _part(part: Part, path: str, media: MediaReader, complaints: Complaints) -> Text | Blob | FileRef | None:
    if part.text is not None and not _has_media(part):
        return Text(part.text)
    for name, reason in refused_in_part(part):
        complaints.refuse(f"{path}.{name}", reason)
    if _has_media(part) and (medium := media.read(part, path)) is not None:
        return medium
    if part.text is not None:
        return Text(part.text)
    for name in ("function_call", "function_response"):
        if getattr(part, name) is not None:
            complaints.refuse(f"{path}.{name}", _UNREADABLE)
    if all(getattr(part, name) is None for name in Part.DATA):
        complaints.refuse(f"{path}.data", "required oneof field 'data' must have one initialized field")
    return None


def _has_media(part: Part) -> bool:
    return _media_of(part) != _NO_MEDIA


# -- writing -------------------------------------------------------------------------------------------


def write_embed(embedding: Embedding, usage: Usage) -> bytes:
    """Return the body that answers embedContent."""
    return answers.pretty(
        EmbedContentResponse(embedding=_vector(embedding), usage_metadata=_usage_metadata(usage))
    )


def write_batch(embeddings: Sequence[Embedding], usage: Usage) -> bytes:
    """Return the body that answers batchEmbedContents."""
    vectors = [_vector(each) for each in embeddings]
    return answers.pretty(
        BatchEmbedContentsResponse(embeddings=vectors, usage_metadata=_usage_metadata(usage))
    )


def write_values(embedding: Embedding) -> bytes:
    """Return a vector as a JSON array, on one line."""
    return answers.ENCODER.encode(numbers_of(embedding))


def write_count_text(tokens: int) -> bytes:
    """Return the body that answers countTextTokens."""
    return answers.pretty(CountTextTokensResponse(token_count=tokens))


def downgrades(request: EmbedRequest, embeddings: Sequence[Embedding], tokens_max: int) -> tuple[str, ...]:
    """Return which of the contents were cut to what the model reads, ``tokens_max``."""
    return tuple(
        f"{asked.field}content=cut-to-{tokens_max}-tokens"
        for asked, embedding in zip(request.inputs, embeddings, strict=True)
        if embedding.truncated
    )


def _vector(embedding: Embedding) -> ContentEmbedding:
    return ContentEmbedding(values=numbers_of(embedding))


def _usage_metadata(usage: Usage) -> EmbedUsageMetadata:
    return EmbedUsageMetadata(
        prompt_token_count=usage.prompt, prompt_token_details=answers.details(usage.by_modality())
    )
