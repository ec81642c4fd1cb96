"""Stores of vectors as values: files of a project that are searched by meaning, and what is found in them.

They know no bytes, no database and no spelling of any wire. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from geminid.core.errors import NotFound

Attribute = str | float | bool
Attributes = Mapping[str, Attribute]
"""What a caller says of a file, to choose by it when he searches."""

IndexStatus = Literal["in_progress", "completed", "failed", "cancelled"]
CompareOp = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]

PIECE_TOKENS, OVERLAP_TOKENS = 800, 400


class Cutting(msgspec.Struct, frozen=True, kw_only=True):
    """Into which pieces a text is cut: of about how many tokens, and how many it shares with the next one.
    The overlap is at most half of a piece."""

    piece_tokens: int = PIECE_TOKENS
    overlap_tokens: int = OVERLAP_TOKENS


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many files there are, by how they stand."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.in_progress + self.completed + self.failed + self.cancelled


class VectorStore(msgspec.Struct, frozen=True, kw_only=True):
    """A store. model: the card whose vectors are in it. used_ms: when it was last searched or changed.
    idle_ms_max: how long it lives after that, None for ever; expires_ms follows. kept: bytes of the wire,
    given back as they came. size_bytes: what its pieces and vectors take."""

    project: str
    id: str
    name: str
    model: str
    created_ms: int
    used_ms: int
    idle_ms_max: int | None = None
    expires_ms: int | None = None
    kept: bytes = b""
    counts: Counts = Counts()
    size_bytes: int = 0


class IndexedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a store. file: its id without ``files/``; name: what it is called. pieces: how many it was
    cut into. batch: the id of the files that it was added together with, empty for none. fault_code, fault:
    why it failed, google.rpc's code by name and words for the caller."""

    project: str
    store: str
    file: str
    name: str
    status: IndexStatus = "in_progress"
    attributes: dict[str, Attribute] = {}
    cutting: Cutting = Cutting()
    pieces: int = 0
    size_bytes: int = 0
    created_ms: int
    fault_code: str = ""
    fault: str = ""
    batch: str = ""


class NewFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Files that are to be added to a store: their ids, each with its attributes."""

    files: tuple[tuple[str, dict[str, Attribute]], ...]
    cutting: Cutting = Cutting()
    batch: str = ""


class Compare(msgspec.Struct, frozen=True, tag="compare"):
    """Chooses files by one attribute. value: a list for ``in`` and ``nin``."""

    key: str
    op: CompareOp
    value: Attribute | tuple[Attribute, ...]


class Every(msgspec.Struct, frozen=True, tag="every"):
    """Chooses files that all filters choose."""

    filters: tuple[Filter, ...]


class Some(msgspec.Struct, frozen=True, tag="some"):
    """Chooses files that at least one filter chooses."""

    filters: tuple[Filter, ...]


Filter = Compare | Every | Some


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for: each text by itself, the best of all together. score_min: 0 to 1."""

    texts: tuple[str, ...]
    results_max: int = 10
    score_min: float = 0.0
    filter: Filter | None = None


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A piece that was found. score: the cosine of its best part with the query, 0 to 1. piece: its
    number."""

    store: str
    file: str
    name: str
    attributes: dict[str, Attribute]
    piece: int
    text: str
    score: float


class UnknownVectorStore(NotFound):
    """The caller has no store of this id: unknown, expired, deleted or somebody else's."""

    def __init__(self, store_id: str) -> None:
        super().__init__(f"Vector store {store_id} does not exist.")
        self.id = store_id


class UnknownIndexedFile(NotFound):
    """There is no such file in the store."""

    def __init__(self, store_id: str, file_id: str) -> None:
        super().__init__(f"File {file_id} is not in vector store {store_id}.")
        self.id = file_id


def chooses(wanted: Filter | None, attributes: Attributes) -> bool:
    """Return whether a filter chooses a file by its attributes. One that has no such attribute is chosen by
    ``ne`` and ``nin`` alone, and so is one whose attribute is of another kind."""
    match wanted:
        case None:
            return True
        case Every(filters):
            return all(chooses(each, attributes) for each in filters)
        case Some(filters):
            return any(chooses(each, attributes) for each in filters)
        case Compare(key, op, value):
            return _compares(attributes.get(key), op, value)


def _compares(found: Attribute | None, op: CompareOp, value: Attribute | tuple[Attribute, ...]) -> bool:
    if op in ("in", "nin"):
        among = any(_same(found, each) for each in (value if isinstance(value, tuple) else (value,)))
        return among == (op == "in")
    assert not isinstance(value, tuple)
    if op in ("eq", "ne"):
        return _same(found, value) == (op == "eq")
    if found is None or not _comparable(found, value):
        return False
    less, same = found < value, found == value  # type: ignore[operator]
    return {"lt": less, "lte": less or same, "gt": not (less or same), "gte": not less}[op]


def _same(found: Attribute | None, value: Attribute) -> bool:
    return found is not None and _comparable(found, value) and found == value


def _comparable(one: Attribute, other: Attribute) -> bool:
    return _kind(one) is _kind(other)


def _kind(value: Attribute) -> type:
    return bool if isinstance(value, bool) else str if isinstance(value, str) else float
