"""Vector stores as they stand on OpenAI's wire: stores, their files, batches of files, what was found.

Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from geminid.core.vector import Counts, Cutting, Hit, IndexedFile, VectorStore
from geminid.wire.openai.answers import pretty
from geminid.wire.openai.replies import Reply
from geminid.wire.openai.surfaces import OPENAI
from geminid.wire.openai.vector_stores import DAY_MS, read_kept

_FAULTS = {"INVALID_ARGUMENT": "invalid_file", "UNIMPLEMENTED": "unsupported_file"}
_SERVER = "server_error"


class FileCounts(Reply, kw_only=True):
    """How many files there are, by how they stand."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class StoreObject(Reply, kw_only=True):
    """A store."""

    id: str
    object: Literal["vector_store"] = "vector_store"
    created_at: int
    name: str
    usage_bytes: int
    file_counts: FileCounts
    status: Literal["in_progress", "completed"]
    expires_after: dict[str, Any] | None
    expires_at: int | None
    last_active_at: int
    metadata: dict[str, str]


class FaultObject(Reply, kw_only=True):
    """Why a file cannot be searched."""

    code: str
    message: str


class FileObject(Reply, kw_only=True):
    """A file of a store."""

    id: str
    object: Literal["vector_store.file"] = "vector_store.file"
    usage_bytes: int
    created_at: int
    vector_store_id: str
    status: str
    last_error: FaultObject | None
    chunking_strategy: dict[str, Any]
    attributes: dict[str, Any]


class BatchObject(Reply, kw_only=True):
    """Files that were added together."""

    id: str
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: int
    vector_store_id: str
    status: str
    file_counts: FileCounts


class Page(Reply, kw_only=True):
    """Some of a list."""

    object: Literal["list"] = "list"
    data: list[Any]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Content(Reply, kw_only=True):
    """Words."""

    type: Literal["text"] = "text"
    text: str


class HitObject(Reply, kw_only=True):
    """A piece of a file that was found."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, Any]
    content: list[Content]


class Results(Reply, kw_only=True):
    """What was found, or what a file says."""

    object: str
    search_query: list[str] | msgspec.UnsetType = msgspec.UNSET
    data: list[Any]
    has_more: bool = False
    next_page: None = None


class Deleted(Reply, kw_only=True):
    """What is told of what is gone."""

    id: str
    object: str
    deleted: Literal[True] = True


def write_store(store: VectorStore) -> bytes:
    """Return a store."""
    return pretty(_store(store))


def write_stores(stores: Sequence[VectorStore], more: bool) -> bytes:
    """Return a page of stores."""
    return _page([_store(each) for each in stores], more)


def write_file(file: IndexedFile) -> bytes:
    """Return a file of a store."""
    return pretty(_file(file))


def write_files(files: Sequence[IndexedFile], more: bool) -> bytes:
    """Return a page of files."""
    return _page([_file(each) for each in files], more)


def write_batch(batch_id: str, store_id: str, created_ms: int, counts: Counts) -> bytes:
    """Return files that were added together."""
    return pretty(
        BatchObject(
            id=batch_id,
            created_at=created_ms // 1000,
            vector_store_id=store_id,
            status=status_of(counts),
            file_counts=_counts(counts),
        )
    )


def write_found(texts: Sequence[str], hits: Sequence[Hit]) -> bytes:
    """Return what was found."""
    found = [
        HitObject(
            file_id=OPENAI.file_prefix + hit.file,
            filename=hit.name,
            score=hit.score,
            attributes=hit.attributes,
            content=[Content(text=hit.text)],
        )
        for hit in hits
    ]
    return pretty(Results(object="vector_store.search_results.page", search_query=list(texts), data=found))


def write_text(text: str) -> bytes:
    """Return what a file says, as it was read."""
    return pretty(Results(object="vector_store.file_content.page", data=[Content(text=text)]))


def write_deleted(name: str, kind: Literal["vector_store", "vector_store.file"]) -> bytes:
    """Return what is told of what is gone."""
    return pretty(Deleted(id=name, object=f"{kind}.deleted"))


def status_of(counts: Counts) -> str:
    """Return how files that were added together stand."""
    if counts.in_progress:
        return "in_progress"
    if counts.cancelled:
        return "cancelled"
    return "failed" if counts.failed and not counts.completed else "completed"


def _store(store: VectorStore) -> StoreObject:
    days = None if store.idle_ms_max is None else store.idle_ms_max // DAY_MS
    return StoreObject(
        id=store.id,
        created_at=store.created_ms // 1000,
        name=store.name,
        usage_bytes=store.size_bytes,
        file_counts=_counts(store.counts),
        status="in_progress" if store.counts.in_progress else "completed",
        expires_after=None if days is None else {"anchor": "last_active_at", "days": days},
        expires_at=None if store.expires_ms is None else store.expires_ms // 1000,
        last_active_at=store.used_ms // 1000,
        metadata=read_kept(store.kept),
    )


def _file(file: IndexedFile) -> FileObject:
    fault = None
    if file.status == "failed":
        fault = FaultObject(code=_FAULTS.get(file.fault_code, _SERVER), message=file.fault)
    return FileObject(
        id=OPENAI.file_prefix + file.file,
        usage_bytes=file.size_bytes,
        created_at=file.created_ms // 1000,
        vector_store_id=file.store,
        status=file.status,
        last_error=fault,
        chunking_strategy=_strategy(file.cutting),
        attributes=file.attributes,
    )


def _strategy(cutting: Cutting) -> dict[str, Any]:
    return {
        "type": "static",
        "static": {
            "max_chunk_size_tokens": cutting.piece_tokens,
            "chunk_overlap_tokens": cutting.overlap_tokens,
        },
    }


def _counts(counts: Counts) -> FileCounts:
    return FileCounts(
        in_progress=counts.in_progress,
        completed=counts.completed,
        failed=counts.failed,
        cancelled=counts.cancelled,
        total=counts.total,
    )


def _page(data: Sequence[StoreObject | FileObject], more: bool) -> bytes:
    return pretty(
        Page(
            data=list(data),
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=more,
        )
    )
