"""The search of files that responses do themselves: a function that runs in this server.

It stands between what a wire asks for and the stores of vectors; it knows neither how a model calls nor how
vectors are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from geminid.core.caller import Caller
from geminid.core.content import ToolCall, ToolResult
from geminid.core.vector import Hit, Query, VectorStore
from geminid.wire.openai.responses.request import Search
from geminid.wire.openai.responses.search import FILE_SEARCH, Found, query_of, result_of


class Searches(Protocol):
    """Whatever searches stores of vectors: :class:`geminid.service.vectors.VectorStores`."""

    async def get(self, project: str, store_id: str) -> VectorStore:
        """Return a store; raises ``UnknownVectorStore``."""

    async def search(self, caller: Caller, store_ids: Sequence[str], query: Query) -> Sequence[Hit]:
        """Return what fits best, the best first; raises ``UnknownVectorStore``."""


class FileSearch:
    """The function of one response. Its calls look for what the model says, in the stores that the caller
    named."""

    names = frozenset({FILE_SEARCH})

    def __init__(self, stores: Searches, search: Search) -> None:
        self._stores = stores
        self._search = search

    @property
    def calls_max(self) -> int:
        """How often files are searched within the response."""
        return self._search.calls_max

    async def call(self, call: ToolCall, caller: Caller) -> ToolResult:
        """Return the pieces of files that fit."""
        query = msgspec.structs.replace(self._search.query, texts=(query_of(call),))
        hits = await self._stores.search(caller, self._search.stores, query)
        return result_of(call, [_found(hit) for hit in hits])


def _found(hit: Hit) -> Found:
    return Found(
        file_id=hit.file, filename=hit.name, score=hit.score, text=hit.text, attributes=hit.attributes
    )
