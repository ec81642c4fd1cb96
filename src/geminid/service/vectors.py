"""The acts on stores of vectors: make, change, fill, search, delete.

It knows no wire and no model. How files become searchable is :mod:`geminid.service.vector_indexing`'s.
Invariant: a store, a file of a store that is unknown, expired or another project's is the same
``UnknownVectorStore`` or ``UnknownIndexedFile``.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from geminid.catalog.served import Served
from geminid.core.caller import Caller
from geminid.core.card import EmbeddingCard
from geminid.core.errors import FailedPrecondition, ResourceExhausted, UnknownFile
from geminid.core.vector import (
    Attribute,
    Counts,
    IndexedFile,
    NewFiles,
    UnknownIndexedFile,
    VectorStore,
)
from geminid.service.embed import Embeddings
from geminid.service.vector_indexing import Indexer, text_of
from geminid.service.vector_limits import VectorLimits
from geminid.service.vector_searching import Searcher, found_store
from geminid.store import files as file_rows
from geminid.store import vectors as rows
from geminid.store.database import Database
from geminid.store.vectors import Order, Place, Task

NO_MODEL = "No model that embeds is served here, so there are no vector stores."


class StorePage(NamedTuple):
    """Some of a project's stores, and whether there are more behind them."""

    stores: tuple[VectorStore, ...]
    more: bool


class FilePage(NamedTuple):
    """Some of a store's files, and whether there are more behind them."""

    files: tuple[IndexedFile, ...]
    more: bool


class StoreChange(msgspec.Struct, frozen=True, kw_only=True):
    """What of a store is to be changed; what is not set stays."""

    name: str | UnsetType = UNSET
    kept: bytes | UnsetType = UNSET
    idle_ms_max: int | UnsetType | None = UNSET


class VectorStores:
    """The stores of all projects, for one process. Used on one event loop only. ``indexer`` is started and
    closed by whoever made it. new_id: the part of an id behind its prefix. search: see
    :meth:`Searcher.search`."""

    def __init__(
        self,
        database: Database,
        embeddings: Embeddings,
        indexer: Indexer,
        served: Callable[[], Served],
        limits: VectorLimits,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
    ) -> None:
        self._database = database
        self._indexer = indexer
        self._served = served
        self._limits = limits
        self._now_ms = now_ms
        self._new_id = new_id
        self.search = Searcher(database, embeddings, served, now_ms).search

    # -- stores ------------------------------------------------------------------------------------

    async def create(
        self,
        caller: Caller,
        prefix: str,
        *,
        name: str = "",
        kept: bytes = b"",
        idle_ms_max: int | None = None,
        new: NewFiles | None = None,
    ) -> VectorStore:
        """Make a store whose id begins with ``prefix``, and begin to index files for it.

        Raises ``UnknownFile``, ``FailedPrecondition`` where nothing embeds, and ``ResourceExhausted``.
        """
        now_ms = self._now_ms()
        store = VectorStore(
            project=caller.project,
            id=prefix + self._new_id(),
            name=name,
            model=self._default().name,
            created_ms=now_ms,
            used_ms=now_ms,
            idle_ms_max=idle_ms_max,
            expires_ms=None if idle_ms_max is None else now_ms + idle_ms_max,
            kept=kept,
        )

        def act(connection: Connection) -> list[Task]:
            rows.add(connection, store)
            return self._added(connection, caller, store, new) if new is not None else []

        for task in await self._database.write(act):
            self._indexer.begin(task)
        return await self.get(caller.project, store.id)

    async def get(self, project: str, store_id: str) -> VectorStore:
        """Return a store; raises ``UnknownVectorStore``."""
        return await self._database.read(lambda c: self._found(c, project, store_id))

    async def page(self, project: str, size: int, order: Order = "desc", after_id: str = "") -> StorePage:
        """Return ``size`` stores at most, by creation, beginning after one of them."""

        def act(connection: Connection) -> tuple[VectorStore, ...]:
            after = None
            if after_id:
                last = self._found(connection, project, after_id)
                after = Place(last.created_ms, last.id)
            return rows.page(connection, project, self._now_ms(), order, after, size + 1)

        found = await self._database.read(act)
        return StorePage(found[:size], len(found) > size)

    async def update(self, project: str, store_id: str, change: StoreChange) -> VectorStore:
        """Change a store and return it; raises ``UnknownVectorStore``."""
        said = {
            each: value for each in change.__struct_fields__ if (value := getattr(change, each)) is not UNSET
        }
        now_ms = self._now_ms()

        def act(connection: Connection) -> VectorStore:
            store = msgspec.structs.replace(
                self._found(connection, project, store_id), **said, used_ms=now_ms
            )
            idle_ms = store.idle_ms_max
            store = msgspec.structs.replace(store, expires_ms=None if idle_ms is None else now_ms + idle_ms)
            rows.put(connection, store)
            return store

        return await self._database.write(act)

    async def delete(self, project: str, store_id: str) -> None:
        """Remove a store with everything in it; the files stay. Raises ``UnknownVectorStore``."""

        def act(connection: Connection) -> None:
            self._found(connection, project, store_id)
            rows.remove(connection, project, store_id)

        await self._database.write(act)

    # -- files -------------------------------------------------------------------------------------

    async def add(self, caller: Caller, store_id: str, new: NewFiles) -> tuple[IndexedFile, ...]:
        """Begin to index files; one that is there already is begun anew.

        Raises ``UnknownVectorStore``, ``UnknownFile``, ``ResourceExhausted``.
        """

        def act(connection: Connection) -> list[Task]:
            store = self._found(connection, caller.project, store_id)
            rows.touch(connection, caller.project, store_id, self._now_ms())
            return self._added(connection, caller, store, new)

        tasks = await self._database.write(act)
        for task in tasks:
            self._indexer.begin(task)
        return tuple(task.file for task in tasks)

    async def file(self, project: str, store_id: str, file_id: str) -> IndexedFile:
        """Return a file of a store; raises ``UnknownVectorStore``, ``UnknownIndexedFile``."""
        return await self._database.read(lambda c: self._found_file(c, project, store_id, file_id))

    async def files(
        self,
        project: str,
        store_id: str,
        size: int,
        order: Order = "desc",
        after_id: str = "",
        *,
        status: str = "",
        batch: str = "",
    ) -> FilePage:
        """Return ``size`` files of a store at most, by creation, beginning after one of them."""

        def act(connection: Connection) -> tuple[IndexedFile, ...]:
            self._found(connection, project, store_id)
            after = None
            if after_id:
                last = self._found_file(connection, project, store_id, after_id)
                after = Place(last.created_ms, last.file)
            return rows.page_files(
                connection, project, store_id, order, after, size + 1, status=status, batch=batch
            )

        found = await self._database.read(act)
        return FilePage(found[:size], len(found) > size)

    async def counts(self, project: str, store_id: str, batch: str = "") -> Counts:
        """Return how the files of a store stand, or those of them that were added together."""

        def act(connection: Connection) -> Counts:
            self._found(connection, project, store_id)
            return rows.counts(connection, project, store_id, batch)

        return await self._database.read(act)

    async def cancel(self, project: str, store_id: str, batch: str) -> Counts:
        """Index no more of the files that were added together; return how they stand."""

        def act(connection: Connection) -> Counts:
            self._found(connection, project, store_id)
            rows.cancel(connection, project, store_id, batch)
            return rows.counts(connection, project, store_id, batch)

        return await self._database.write(act)

    async def describe(
        self, project: str, store_id: str, file_id: str, attributes: dict[str, Attribute]
    ) -> IndexedFile:
        """Give a file other attributes and return it."""

        def act(connection: Connection) -> IndexedFile:
            file = self._found_file(connection, project, store_id, file_id)
            changed = msgspec.structs.replace(file, attributes=attributes)
            rows.put_attributes(connection, changed)
            return changed

        return await self._database.write(act)

    async def remove(self, project: str, store_id: str, file_id: str) -> None:
        """Take a file out of a store; the file stays."""

        def act(connection: Connection) -> None:
            self._found_file(connection, project, store_id, file_id)
            rows.remove_file(connection, project, store_id, file_id)
            rows.touch(connection, project, store_id, self._now_ms())

        await self._database.write(act)

    async def text(self, project: str, store_id: str, file_id: str) -> str:
        """Return the text of a file as it was read; empty while it is not indexed."""
        await self.file(project, store_id, file_id)
        data = await self._database.read(lambda c: rows.read_texts(c, project, store_id, file_id))
        return "" if data is None else "".join((await asyncio.to_thread(text_of, data)).windows)

    # -- models and rows ---------------------------------------------------------------------------

    def _default(self) -> EmbeddingCard:
        embeddings = self._served().embeddings
        if not embeddings:
            raise FailedPrecondition(NO_MODEL)
        return embeddings[0]

    def _added(self, connection: Connection, caller: Caller, store: VectorStore, new: NewFiles) -> list[Task]:
        limits, now_ms = self._limits, self._now_ms()
        if store.counts.total + len(new.files) > limits.files_max:
            raise ResourceExhausted(f"A vector store may have {limits.files_max} files at most.")
        size = rows.size_bytes(connection, store.project)
        if limits.bytes_max and size >= limits.bytes_max:
            raise ResourceExhausted(
                f"Vector stores of this project take {size} of {limits.bytes_max} bytes; delete some files."
            )
        tasks = []
        said = msgspec.json.encode(caller).decode()
        for number, (file_id, attributes) in enumerate(new.files):
            kept = file_rows.find(connection, store.project, file_id, now_ms * 1000)
            if kept is None:
                raise UnknownFile(file_id)
            file = IndexedFile(
                project=store.project,
                store=store.id,
                file=file_id,
                name=kept.file.display_name or file_id,
                attributes=attributes,
                cutting=new.cutting,
                created_ms=now_ms + number,  # lists go by it
                batch=new.batch,
            )
            task = Task(file=file, caller=said)
            rows.add_file(connection, task, self._indexer.owner)
            tasks.append(task)
        return tasks

    def _found(self, connection: Connection, project: str, store_id: str) -> VectorStore:
        return found_store(connection, project, store_id, self._now_ms())

    def _found_file(self, connection: Connection, project: str, store_id: str, file_id: str) -> IndexedFile:
        self._found(connection, project, store_id)
        file = rows.find_file(connection, project, store_id, file_id)
        if file is None:
            raise UnknownIndexedFile(store_id, file_id)
        return file
