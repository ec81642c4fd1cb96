"""Vector stores on OpenAI's wire: what is asked of them and of their files, and what they are told to be.

It knows no vectors. A file has the id that it has among files. Fields and bounds are those of OpenAI's
published reference (openai-python 3.57.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from geminid.core.vector import (
    OVERLAP_TOKENS,
    PIECE_TOKENS,
    Attribute,
    Cutting,
    NewFiles,
    Query,
)
from geminid.wire.openai import refused
from geminid.wire.openai.files import id_of
from geminid.wire.openai.filters import read_filter
from geminid.wire.openai.queries import choice_of, limit_of
from geminid.wire.openai.reading import Message, Reader
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.responses.schema import RESULTS_MAX, Metadata
from geminid.wire.openai.responses.search import RESULTS_DEFAULT
from geminid.wire.openai.schema import Free

STORE_PREFIX, BATCH_PREFIX = "vs_", "vsfb_"
DAY_MS = 86_400_000
DAYS_MAX = 365
FILES_MAX = 500
LIMIT_DEFAULT, LIMIT_MAX = 20, 100
PIECE_TOKENS_MIN, PIECE_TOKENS_MAX = 100, 4096
QUERIES_MAX = 10
ORDERS = ("desc", "asc")
STATUSES = ("in_progress", "completed", "failed", "cancelled")
OVERLAP = "'chunk_overlap_tokens' must not exceed half of 'max_chunk_size_tokens'."
ONE_OF_FILES = "Exactly one of 'file_ids' and 'files' must be given."

Attributes = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)] | float | bool],
    Meta(max_length=16),
]
FileId = Annotated[str, Meta(min_length=1)]
FileIds = Annotated[list[FileId], Meta(max_length=FILES_MAX)]


# -- what is asked ---------------------------------------------------------------------------------------


class ExpiresAfter(Message):
    """When a store goes that nobody uses."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)]


class Static(Message):
    """The sizes of pieces that files are cut into."""

    max_chunk_size_tokens: Annotated[int, Meta(ge=PIECE_TOKENS_MIN, le=PIECE_TOKENS_MAX)]
    chunk_overlap_tokens: Annotated[int, Meta(ge=0)]


class StaticCutting(Message, tag_field="type", tag="static"):
    """Files are cut as the caller says."""

    static: Static


class AutoCutting(Message, tag_field="type", tag="auto"):
    """Files are cut as the server likes: 800 tokens, of which 400 are shared."""


Strategy = AutoCutting | StaticCutting


class CreateRequest(Message):
    """The body that makes a store."""

    name: Annotated[str, Meta(max_length=256)] | None = None
    description: Annotated[str, Meta(max_length=512)] | None = None  # ignored: it is told nowhere
    file_ids: FileIds | None = None
    chunking_strategy: Strategy | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class UpdateRequest(Message):
    """The body that changes a store; what is not there stays."""

    name: Annotated[str, Meta(max_length=256)] | UnsetType | None = UNSET
    expires_after: ExpiresAfter | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class SearchRanking(Message):
    """How results are ranked, and which are too poor."""

    ranker: Literal["none", "auto", "default-2024-11-15"] | None = None
    score_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None


class SearchRequest(Message):
    """The body of a search."""

    query: str | Annotated[list[str], Meta(min_length=1, max_length=QUERIES_MAX)]
    filters: Free | None = None
    max_num_results: Annotated[int, Meta(ge=1, le=RESULTS_MAX)] | None = None
    ranking_options: SearchRanking | None = None
    rewrite_query: bool | None = None


class AddRequest(Message):
    """The body that adds a file."""

    file_id: FileId
    attributes: Attributes | None = None
    chunking_strategy: Strategy | None = None


class BatchRequest(Message):
    """The body that adds several."""

    file_ids: FileIds | None = None
    files: Annotated[list[AddRequest], Meta(max_length=FILES_MAX)] | None = None
    attributes: Attributes | None = None
    chunking_strategy: Strategy | None = None


class DescribeRequest(Message):
    """The body that gives a file other attributes."""

    attributes: Attributes | None


class Created(NamedTuple):
    """A new store. kept: what is told again of it; idle_ms_max: None for ever."""

    name: str
    kept: bytes
    idle_ms_max: int | None
    files: NewFiles | None


class Changed(NamedTuple):
    """What of a store shall be otherwise; what is UNSET stays."""

    name: str | UnsetType
    metadata: dict[str, str] | UnsetType
    idle_ms_max: int | UnsetType | None


class Listing(NamedTuple):
    """A page of a list. status: of files that are wanted, empty for all."""

    size: int
    order: Literal["asc", "desc"]
    after: str
    status: str


class Searching(NamedTuple):
    """A search, and what of it is served with less than was asked for."""

    query: Query
    downgrades: tuple[str, ...]


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept with a store in this wire's own words."""

    metadata: dict[str, str] = {}


_CREATE, _UPDATE, _SEARCH = Reader(CreateRequest), Reader(UpdateRequest), Reader(SearchRequest)
_ADD, _BATCH, _DESCRIBE = Reader(AddRequest), Reader(BatchRequest), Reader(DescribeRequest)
_KEPT = msgspec.json.Decoder(Kept)


def read_create(body: bytes) -> Created:
    """Return which store is to be made; raises :class:`~geminid.wire.openai.refused.Refused`."""
    said = _CREATE.read(body or b"{}")
    files = None
    if said.file_ids:
        named = tuple((id_of(each), _no_attributes()) for each in said.file_ids)
        files = NewFiles(files=named, cutting=_cutting(said.chunking_strategy, "chunking_strategy"))
    expires = said.expires_after
    return Created(
        said.name or "", write_kept(said.metadata), expires.days * DAY_MS if expires else None, files
    )


def read_update(body: bytes) -> Changed:
    """Return what is to be changed; raises :class:`~geminid.wire.openai.refused.Refused`."""
    said = _UPDATE.read(body)
    expires = said.expires_after
    return Changed(
        (said.name or "") if said.name is not UNSET else UNSET,
        (said.metadata or {}) if said.metadata is not UNSET else UNSET,
        (expires.days * DAY_MS if expires else None) if expires is not UNSET else UNSET,
    )


def read_search(body: bytes) -> Searching:
    """Return what is searched for; raises :class:`~geminid.wire.openai.refused.Refused`."""
    said = _SEARCH.read(body)
    ranking = said.ranking_options
    query = Query(
        texts=(said.query,) if isinstance(said.query, str) else tuple(said.query),
        results_max=said.max_num_results or RESULTS_DEFAULT,
        score_min=(ranking.score_threshold if ranking else None) or 0.0,
        filter=read_filter(said.filters, "filters"),
    )
    return Searching(query, ("rewrite_query=as-sent",) if said.rewrite_query else ())


def read_add(body: bytes) -> NewFiles:
    """Return which file is to be added; raises :class:`~geminid.wire.openai.refused.Refused`."""
    return _new(_ADD.read(body), "")


def read_batch(body: bytes, batch_id: str) -> list[NewFiles]:
    """Return which files are to be added together; those that are cut alike are in one. Raises
    :class:`~geminid.wire.openai.refused.Refused`."""
    said = _BATCH.read(body)
    if (said.file_ids is None) == (said.files is None):
        raise Refused(ONE_OF_FILES, "file_ids", refused.INVALID_VALUE)
    if said.files is not None:
        if not said.files:
            raise refused.empty("files", "array", "an")
        return [_new(each, batch_id, f"files[{index}].") for index, each in enumerate(said.files)]
    if not said.file_ids:
        raise refused.empty("file_ids", "array", "an")
    attributes = _attributes(said.attributes)
    return [
        NewFiles(
            files=tuple((id_of(each), attributes) for each in said.file_ids),
            cutting=_cutting(said.chunking_strategy, "chunking_strategy"),
            batch=batch_id,
        )
    ]


def read_attributes(body: bytes) -> dict[str, Attribute]:
    """Return the attributes that a file is to have; raises
    :class:`~geminid.wire.openai.refused.Refused`."""
    return _attributes(_DESCRIBE.read(body).attributes)


def read_list(query: Mapping[str, str]) -> Listing:
    """Return which page is asked for; raises :class:`~geminid.wire.openai.refused.Refused`."""
    if query.get("before"):
        raise refused.unsupported("before", "Pages go forward only; use after.")
    order = choice_of("order", query.get("order") or ORDERS[0], ORDERS)
    status = query.get("filter") or ""
    return Listing(
        limit_of(query.get("limit"), LIMIT_DEFAULT, LIMIT_MAX),
        "asc" if order == "asc" else "desc",
        query.get("after", ""),
        choice_of("filter", status, STATUSES) if status else "",
    )


def write_kept(metadata: dict[str, str] | None) -> bytes:
    """Return what is kept with a store."""
    return msgspec.json.encode(Kept(metadata or {}))


def read_kept(data: bytes) -> dict[str, str]:
    """Return the metadata of a store."""
    return _KEPT.decode(data).metadata if data else {}


def _new(said: AddRequest, batch_id: str, path: str = "") -> NewFiles:
    cutting = _cutting(said.chunking_strategy, f"{path}chunking_strategy")
    named = (id_of(said.file_id), _attributes(said.attributes))
    return NewFiles(files=(named,), cutting=cutting, batch=batch_id)


def _cutting(said: Strategy | None, path: str) -> Cutting:
    if not isinstance(said, StaticCutting):
        return Cutting(piece_tokens=PIECE_TOKENS, overlap_tokens=OVERLAP_TOKENS)
    sizes = said.static
    if sizes.chunk_overlap_tokens * 2 > sizes.max_chunk_size_tokens:
        raise Refused(OVERLAP, f"{path}.static.chunk_overlap_tokens", refused.INVALID_VALUE)
    return Cutting(piece_tokens=sizes.max_chunk_size_tokens, overlap_tokens=sizes.chunk_overlap_tokens)


def _attributes(said: Mapping[str, Any] | None) -> dict[str, Attribute]:
    return {
        name: float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in (said or {}).items()
    }


def _no_attributes() -> dict[str, Attribute]:
    return {}
