"""What clients ask about batches on the Gemini wire: a new job, a page of a list, a change.

It knows no file and no job. Invariant: the requests of a body are checked as messages before the job is made,
each with the path of its fields; what a request means is found out with its own line, and costs only that.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from geminid.core.batch import BatchKind, NewJob, Place, Webhook
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.wire import lenient
from geminid.wire.gemini import pages
from geminid.wire.gemini.batch_lines import EMBED, GENERATE, write_line
from geminid.wire.gemini.batch_schema import (
    AsyncBatchEmbedContentRequest,
    Batch,
    BatchGenerateContentRequest,
    EmbedContentBatch,
    GenerateContentBatch,
    RawBatch,
    RawCreate,
    Source,
    WebhookConfig,
)
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.embed_schema import EmbedContentRequest
from geminid.wire.gemini.schema import GenerateContentRequest
from geminid.wire.protojson import Reader
from geminid.wire.scalars import clip

KINDS: dict[str, BatchKind] = {GENERATE: "generate", EMBED: "embed"}
"""The verbs that make a job, and its kind."""

UPDATES: dict[str, BatchKind] = {
    "updateGenerateContentBatch": "generate",
    "updateEmbedContentBatch": "embed",
}
"""The verbs that change a job, and the kind that it must be of."""

PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
NAME_CHARACTERS_MAX = 512
URIS_MAX = 10
URI_CHARACTERS_MAX = 2_000

ID = re.compile(r"[a-z0-9]{1,64}", re.ASCII)
"""What ids of jobs are like, without ``batches/``."""

_FILE = re.compile(r"(?:https?://[^?#]*/)?files/([a-z0-9-]{1,64})", re.ASCII)
_PLACE = re.compile(r"(\d{1,18}):([a-z0-9]{1,64})", re.ASCII)
_HTTP = ("https://", "http://")
_LIST = "ListOperationsRequest"
_CONFIG = "batch.input_config"
_encode = msgspec.json.Encoder().encode


_CREATES: dict[BatchKind, Reader[Any]] = {
    "generate": Reader(BatchGenerateContentRequest),
    "embed": Reader(AsyncBatchEmbedContentRequest),
}
_ONE: dict[BatchKind, Reader[Any]] = {
    "generate": Reader(GenerateContentRequest),
    "embed": Reader(EmbedContentRequest),
}
_RAW = msgspec.json.Decoder(RawCreate, dec_hook=lambda kind, value: kind(value))
_METADATA = msgspec.json.Decoder(dict[str, Any] | None)
_MESSAGES: dict[BatchKind, str] = {
    "generate": "BatchGenerateContentRequest",
    "embed": "AsyncBatchEmbedContentRequest",
}
_CHANGES: dict[BatchKind, Reader[Any]] = {
    "generate": Reader(GenerateContentBatch),
    "embed": Reader(EmbedContentBatch),
}


class Changes(NamedTuple):
    """What of a job is to be changed; None stays as it is."""

    display_name: str | None = None
    priority: int | None = None


def read_create(body: bytes, model: str, kind: BatchKind) -> NewJob:
    """Return the job that a body asks for. ``model`` is the bare name from the path.

    Raises InvalidArgument, in Google's words where those are known, with a violation for each field.
    """
    found = _well_spelled(body, kind)
    if found is not None:
        return _job(found.batch, found.lines, model, kind)
    batch: GenerateContentBatch | EmbedContentBatch = (
        _CREATES[kind].read(body).batch or GenerateContentBatch()
    )
    config = batch.input_config
    inline = config is not None and config.requests is not None and config.requests.requests
    return _job(batch, _lines(body) if inline else None, model, kind)


def _job(batch: Batch, lines: tuple[bytes, ...] | None, model: str, kind: BatchKind) -> NewJob:
    complaints = Complaints(_MESSAGES[kind])
    if batch.model and batch.model.removeprefix("models/") != model:
        complaints.refuse(
            "batch.model", f"the body names {clip(batch.model)} but the path names models/{model}."
        )
    _check_name(batch.display_name, complaints)
    webhook = _webhook(batch.webhook_config, complaints)
    source: Source | None = getattr(batch, "input_config", None)
    file_id = _file_id(source.file_name, complaints) if source and source.file_name else ""
    if not file_id and not lines:
        complaints.refuse(_CONFIG, "it must have a file_name or requests.")
    complaints.settle()
    return NewJob(
        model=model,
        kind=kind,
        display_name=batch.display_name or "",
        priority=batch.priority or 0,
        lines=lines,
        file_id=file_id,
        webhook=webhook,
    )


def read_update(body: bytes, mask: str | None, kind: BatchKind) -> Changes:
    """Return what is to be changed: the fields of the mask, or without one those that are said.

    Raises InvalidArgument for a field that cannot be changed.
    """
    said: Batch = _CHANGES[kind].read(body)
    complaints = Complaints("UpdateBatchRequest")
    _check_name(said.display_name, complaints, "display_name")
    names = {re.sub(r"(?<!^)(?=[A-Z])", "_", name.strip()).lower() for name in (mask or "").split(",")} - {""}
    for name in sorted(names - set(Changes._fields)):
        complaints.refuse("update_mask", f"{clip(name)} cannot be changed; display_name and priority can.")
    complaints.settle()
    if not names:
        return Changes(said.display_name, said.priority)
    return Changes(
        (said.display_name or "") if "display_name" in names else None,
        (said.priority or 0) if "priority" in names else None,
    )


def read_page(page_size: str | None, page_token: str | None) -> tuple[int, Place | None]:
    """Return (size, place to begin after) of the page that the query asks for.

    No size, or 0, is 50; more than 1000 is 1000. Raises InvalidArgument for what is no size, and for a
    token that this server did not give.
    """
    size = pages.read_size(page_size, _LIST, usual=PAGE_SIZE, most=PAGE_SIZE_MAX)
    if not page_token:
        return size, None
    found = pages.read_token(page_token, _PLACE, _LIST)
    return size, Place(int(found[1]), found[2])


def _check_name(name: str | None, complaints: Complaints, path: str = "batch.display_name") -> None:
    if len(name or "") > NAME_CHARACTERS_MAX:
        complaints.refuse(path, f"it may have {NAME_CHARACTERS_MAX} characters.")


def _file_id(name: str, complaints: Complaints) -> str:
    found = _FILE.fullmatch(name)
    if found is None:
        complaints.refuse(f"{_CONFIG}.file_name", f"{clip(name)!r} is no name of a file, such as files/abc.")
        return name
    return found[1]


def _webhook(config: WebhookConfig | None, complaints: Complaints) -> Webhook:
    config = config or WebhookConfig()
    path, uris = "batch.webhook_config", config.uris or []
    if len(uris) > URIS_MAX:
        complaints.refuse(f"{path}.uris", f"there may be {URIS_MAX}.")
    for index, uri in enumerate(uris[:URIS_MAX]):
        if not uri.startswith(_HTTP) or len(uri) > URI_CHARACTERS_MAX:
            complaints.refuse(f"{path}.uris[{index}]", f"{clip(uri)!r} is no address of https:// or http://.")
    metadata = config.user_metadata
    if metadata is not None and not isinstance(metadata.value, dict):
        complaints.refuse(f"{path}.user_metadata", "it must be an object.")
    return Webhook(uris=tuple(uris), metadata=None if metadata is None else metadata.value)


class _WellSpelled(NamedTuple):
    """A job, and the requests of its body as lines."""

    batch: RawBatch
    lines: tuple[bytes, ...]


def _well_spelled(body: bytes, kind: BatchKind) -> _WellSpelled | None:
    """Return what a body with requests asks for, read one request after the other; None where anything is
    wrong or oddly spelled, which the reader of whole bodies takes or words.

    A body may hold some hundred thousand requests: read as one message it would take much memory, and keep
    all other threads waiting for seconds.
    """
    read = _ONE[kind].read
    try:
        batch = _RAW.decode(body).batch
        lines = []
        for item in batch.input_config.requests.requests:
            read(bytes(item.request))
            metadata = _METADATA.decode(item.metadata)
            lenient.check_free(metadata)
            lines.append(write_line(bytes(item.request), b"" if metadata is None else bytes(item.metadata)))
    except (ValueError, RecursionError, InvalidArgument):
        return None
    return _WellSpelled(batch, tuple(lines))


def _lines(body: bytes) -> tuple[bytes, ...]:
    """Return the requests of a body that was read, each as a line."""
    document = lenient.parse(body)
    requests = document
    for name in ("batch", "input_config", "requests", "requests"):
        requests = _field(requests, name)
    items = requests if isinstance(requests, list) else [requests]
    return tuple(_line(item, index) for index, item in enumerate(items))


def _line(item: dict[str, Any], index: int) -> bytes:
    request, metadata = item.get("request"), item.get("metadata")
    path = f"{_CONFIG}.requests.requests[{index}]"
    if request is None:
        raise _refusal(f"{path}.request", "it is not specified.")
    if metadata is not None and not isinstance(metadata, dict):
        raise _refusal(f"{path}.metadata", "it must be an object.")
    return write_line(_encode(request), b"" if metadata is None else _encode(metadata))


def _field(message: dict[str, Any], name: str) -> Any:
    camel = re.sub(r"_(\w)", lambda found: found[1].upper(), name)
    value = message.get(camel)
    return message.get(name) if value is None else value


def _refusal(path: str, reason: str) -> InvalidArgument:
    message = f"* BatchGenerateContentRequest.{path}: {reason}"
    return InvalidArgument(message, violations=(FieldViolation(message, path),))
