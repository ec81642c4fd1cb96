"""Searches in stores of vectors: the files that are chosen, the windows that are nearest, the pieces around
them.

It knows no wire. Exact arithmetic is :mod:`geminid.service.vector_search`'s. Invariant: a piece is found
once, and nothing of a file that was removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from geminid.catalog.served import Served
from geminid.core.caller import Caller
from geminid.core.card import EmbeddingCard
from geminid.core.embed import EmbedInput, EmbedRequest
from geminid.core.errors import FailedPrecondition
from geminid.core.vector import Hit, IndexedFile, Query, UnknownVectorStore, VectorStore, chooses
from geminid.service.embed import Embeddings
from geminid.service.vector_indexing import text_of
from geminid.service.vector_pieces import middle_piece, pieces_of
from geminid.service.vector_search import FileKey, Near, VectorMemory, nearest
from geminid.store import vectors as rows
from geminid.store.database import Database

USED_EVERY_MS = 60_000
"""That a store is searched is written so often: the lives of stores are days."""
WINDOWS_OF_A_HIT = 4
"""Windows that are looked at for each result: those of one piece are near each other."""


class Searcher:
    """Searches the stores of one database. served: tells what is offered now."""

    def __init__(
        self,
        database: Database,
        embeddings: Embeddings,
        served: Callable[[], Served],
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._embeddings = embeddings
        self._served = served
        self._now_ms = now_ms
        self._memory = VectorMemory()

    async def search(self, caller: Caller, store_ids: Sequence[str], query: Query) -> tuple[Hit, ...]:
        """Return what is nearest to a query in some stores, the best first. The query's vectors are metered.

        Raises ``UnknownVectorStore``, and whatever embedding is refused with.
        """
        project = caller.project
        found_stores = await self._searched(project, tuple(dict.fromkeys(store_ids)))
        chosen: dict[str, dict[FileKey, IndexedFile]] = {}
        for store, files in found_stores:
            for file in files:
                if chooses(query.filter, file.attributes):
                    key = (project, file.store, file.file, file.created_ms)
                    chosen.setdefault(store.model, {})[key] = file
        found = []
        for model, keys in chosen.items():
            vectors = {key: data for key in keys if (data := await self._vectors(key)) is not None}
            asked = await self._asked(caller, model, query.texts)
            wanted = query.results_max * WINDOWS_OF_A_HIT
            found += await asyncio.to_thread(nearest, asked, vectors, wanted, query.score_min)
        files_by_key = {key: file for keys in chosen.values() for key, file in keys.items()}
        return await self._hits(sorted(found, key=lambda near: -near.score), files_by_key, query.results_max)

    async def _searched(
        self, project: str, store_ids: Sequence[str]
    ) -> list[tuple[VectorStore, tuple[IndexedFile, ...]]]:
        """Return stores with the files in them that can be searched, and note that they are used."""
        now_ms = self._now_ms()

        def act(connection: Connection) -> list[tuple[VectorStore, tuple[IndexedFile, ...]]]:
            stores = [found_store(connection, project, each, now_ms) for each in store_ids]
            return [(store, rows.completed(connection, project, store.id)) for store in stores]

        def touch(connection: Connection) -> None:
            for store in stale:
                rows.touch(connection, project, store.id, now_ms)

        found = await self._database.read(act)
        stale = [store for store, _ in found if now_ms - store.used_ms >= USED_EVERY_MS]
        if stale:
            await self._database.write(touch)
        return found

    async def _asked(self, caller: Caller, model: str, texts: Sequence[str]) -> list[bytes]:
        name, _ = named(self._served(), model)
        inputs = tuple(EmbedInput(text=text, task="retrieval_query") for text in texts)
        embedded = await self._embeddings.embed(EmbedRequest(model=name, inputs=inputs), caller)
        return [each.values for each in embedded.embeddings]

    async def _vectors(self, key: FileKey) -> bytes | None:
        if (data := self._memory.get(key)) is not None:
            return data
        project, store, file, _ = key
        data = await self._database.read(lambda c: rows.read_vectors(c, project, store, file))
        if data is not None:
            self._memory.put(key, data)
        return data

    async def _hits(
        self, found: Sequence[Near], files: dict[FileKey, IndexedFile], most: int
    ) -> tuple[Hit, ...]:
        """Return the pieces around the windows that were found, each piece once."""
        hits: dict[tuple[FileKey, int], Hit] = {}
        texts = {}
        for near in found:
            if len(hits) == most:
                break
            file = files[near.key]
            if near.key not in texts:
                project, store, name, _ = near.key
                data = await self._database.read(partial(_texts, project=project, store=store, name=name))
                if data is None:  # removed a moment ago
                    continue
                texts[near.key] = await asyncio.to_thread(text_of, data)
            kept = texts[near.key]
            pieces = list(pieces_of(kept.tokens, file.cutting))
            number = middle_piece(pieces, near.window)
            if (near.key, number) in hits:
                continue
            piece = pieces[number]
            hits[near.key, number] = Hit(
                store=file.store,
                file=file.file,
                name=file.name,
                attributes=file.attributes,
                piece=number,
                text="".join(kept.windows[piece.first : piece.last + 1]),
                score=near.score,
            )
        return tuple(hits.values())


def found_store(connection: Connection, project: str, store_id: str, now_ms: int) -> VectorStore:
    """Return a store of a project; raises ``UnknownVectorStore``. An act on a connection."""
    store = rows.find(connection, project, store_id, now_ms)
    if store is None:
        raise UnknownVectorStore(store_id)
    return store


def named(served: Served, model: str) -> tuple[str, EmbeddingCard]:
    """Return by which name a card that embeds is asked for, and the card: a name that the hosted service has,
    and a price, where there is one. Raises ``FailedPrecondition`` for a card that is not served any more."""
    card = next((each for each in served.embeddings if each.name == model), None)
    if card is None:
        raise FailedPrecondition(
            f"This vector store was made with the model {model}, which is not served any more."
        )
    if served.embeddings[0] is card and served.embedding_aliases:
        return served.embedding_aliases[0], card
    return card.name, card


def _texts(connection: Connection, project: str, store: str, name: str) -> bytes | None:
    return rows.read_texts(connection, project, store, name)
