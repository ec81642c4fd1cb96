"""Files become searchable: read, cut, embedded, kept. In the background, so many at once.

Whoever added a file pays for its vectors, once they are kept; a limit that is reached makes indexing wait.
What a process has left is begun again by the next one. Invariant: every file ends
as completed, failed or cancelled, unless it is removed before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection

from geminid.core.caller import Caller
from geminid.core.card import EmbeddingCard
from geminid.core.content import FileRef, Text, Turn
from geminid.core.embed import Embedding, EmbedInput, EmbedRequest
from geminid.core.errors import Internal, InvalidArgument, Problem, QuotaExceeded, Unavailable
from geminid.core.request import GenerateRequest
from geminid.core.vector import IndexedFile, VectorStore
from geminid.service.embed import Embeddings
from geminid.service.interaction_bytes import deflated, inflated
from geminid.service.resolve import Resolver
from geminid.service.vector_bill import Bill, Pays
from geminid.service.vector_limits import VectorLimits
from geminid.service.vector_pieces import halves, pieces_of, tokens_of, window_tokens, windows_of
from geminid.service.vector_search import packed
from geminid.store import vectors as rows
from geminid.store.database import Database
from geminid.store.vectors import Contents, Task

T = TypeVar("T")

WINDOWS_AT_ONCE = 64
RETRY_S = 5.0
LOOK_EVERY_S = 5.0

log = logging.getLogger("geminid.vectors")

NameOf = Callable[[str], tuple[str, EmbeddingCard]]
"""The name by which a card that embeds is asked for, and the card; raises a ``Problem`` if it is not
served."""


Embed = Callable[[Sequence[str]], Awaitable[Sequence[Embedding]]]


class Indexed(NamedTuple):
    """A file that was read and embedded: its windows, and a vector for each."""

    windows: list[str]
    vectors: list[bytes]


class KeptText(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a file's text: its windows, and how many tokens each has, about."""

    windows: tuple[str, ...]
    tokens: tuple[int, ...]


_PACK = msgspec.msgpack.Encoder().encode
_UNPACK = msgspec.msgpack.Decoder(KeptText).decode
_CALLER = msgspec.json.Decoder(Caller)


def text_of(data: bytes) -> KeptText:
    """Return the text of a file as it is kept."""
    return _UNPACK(inflated(data))


class Indexer:
    """Indexes the files of one database, for the process ``owner``. name_of: finds the models that embed."""

    def __init__(
        self,
        database: Database,
        resolver: Resolver,
        embeddings: Embeddings,
        meter: Pays,
        limits: VectorLimits,
        owner: str,
        name_of: NameOf,
        now_ms: Callable[[], int],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database = database
        self._resolver = resolver
        self._embeddings = embeddings
        self._meter = meter
        self._limits = limits
        self.owner = owner
        self._name_of = name_of
        self._now_ms = now_ms
        self._look_every_s = look_every_s
        self._free = asyncio.Semaphore(limits.at_once)
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    def begin(self, task: Task) -> None:
        """Index a file that was kept, when its turn has come."""
        working = asyncio.create_task(self._index(task))
        self._tasks.add(working)
        working.add_done_callback(self._tasks.discard)

    async def start(self) -> None:
        """Take up what was left, again and again, and remove what has expired."""
        await self._look()
        self._looking = asyncio.create_task(self._look_again())

    async def close(self) -> None:
        """Stop; the next process goes on."""
        tasks = [*self._tasks, *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one file ----------------------------------------------------------------------------------

    async def _index(self, task: Task) -> None:
        async with self._free:
            bill = Bill(self._meter)
            try:
                said = await self._ended(task, bill)
                if said is not None and await self._settle(*said):
                    await bill.pay()
            finally:
                await bill.give_up()

    async def _ended(self, task: Task, bill: Bill) -> tuple[IndexedFile, Contents | None] | None:
        """Return how indexing has ended; None when nobody wants to know any more."""
        file, why = task.file, Problem("")
        try:
            return await self._contents(file, _CALLER.decode(task.caller), bill)
        except Problem as problem:
            why = problem
        except Exception:
            log.exception("file %s of vector store %s cannot be indexed", file.file, file.store)
            why = Internal("Internal error encountered.")
        failed = msgspec.structs.replace(file, status="failed", fault_code=why.code, fault=why.message)
        return failed, None

    async def _contents(
        self, file: IndexedFile, caller: Caller, bill: Bill
    ) -> tuple[IndexedFile, Contents] | None:
        store = await self._store(file)
        if store is None:
            return None
        name, card = self._name_of(store.model)
        text = await self._text(file, name, card)
        windows = await asyncio.to_thread(
            lambda: list(windows_of(text, window_tokens(file.cutting, card.context_tokens_max)))
        )
        if not any(each.strip() for each in windows):
            raise InvalidArgument("There is no text in this file.")
        indexed = await self._embedded(file, windows, partial(self._vectors, name, caller, file.name, bill))
        if indexed is None:
            return None
        return await asyncio.to_thread(_packed, file, indexed, card.dimensions)

    async def _text(self, file: IndexedFile, name: str, card: EmbeddingCard) -> str:
        """Return the text of a file, read as for any request."""
        turn = Turn("user", (FileRef(f"files/{file.file}"),))
        resolved = await self._patiently(
            lambda: self._resolver.resolve(GenerateRequest(model=name, turns=(turn,)), card, file.project)
        )
        parts = (part for turn in resolved.request.turns for part in turn.parts)
        text = "\n".join(part.text.strip("\n") for part in parts if isinstance(part, Text))
        if len(text) > self._limits.text_characters_max:
            raise InvalidArgument(
                f"The text of this file has {len(text)} characters, more than the "
                f"{self._limits.text_characters_max} that are indexed."
            )
        return text

    async def _embedded(self, file: IndexedFile, windows: Sequence[str], embed: Embed) -> Indexed | None:
        """Return the vectors of windows; those that are too long for the model are halved until they fit."""
        done, left = Indexed([], []), list(reversed(windows))
        while left:
            if not await self._wanted(file):
                return None
            some = [left.pop() for _ in range(min(WINDOWS_AT_ONCE, len(left)))]
            for number, vector in enumerate(await embed(some)):
                text = some[number]
                if vector.truncated and len(text) > 1:  # the rest of this round comes after its halves
                    left += [*reversed(some[number + 1 :]), *reversed(halves(text))]
                    break
                done.windows.append(text)
                done.vectors.append(vector.values)
        return done

    async def _vectors(
        self, name: str, caller: Caller, title: str, bill: Bill, texts: Sequence[str]
    ) -> Sequence[Embedding]:
        inputs = tuple(EmbedInput(text=text, task="retrieval_document", title=title) for text in texts)
        request = EmbedRequest(model=name, inputs=inputs)
        embedded = await self._patiently(partial(self._embeddings.embed, request, caller, deferred=True))
        await bill.add(embedded.charge)
        return embedded.embeddings

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something that may be refused for now, until it is not."""
        while True:
            try:
                return await work()
            except (Unavailable, QuotaExceeded) as problem:
                if isinstance(problem, QuotaExceeded) and problem.retry_after_ms is None:
                    raise
                await asyncio.sleep((problem.retry_after_ms or RETRY_S * 1000) / 1000)

    async def _settle(self, file: IndexedFile, said: Contents | None) -> bool:
        """Keep how indexing has ended; return whether it is still wanted."""
        while True:
            try:
                return await self._database.write(lambda connection: rows.settle(connection, file, said))
            except Unavailable:
                await asyncio.sleep(RETRY_S)

    async def _store(self, file: IndexedFile) -> VectorStore | None:
        return await self._database.read(
            lambda connection: rows.find(connection, file.project, file.store, self._now_ms())
        )

    async def _wanted(self, file: IndexedFile) -> bool:
        found = await self._database.read(
            lambda connection: rows.find_file(connection, file.project, file.store, file.file)
        )
        return found is not None and found.status == "in_progress" and found.created_ms == file.created_ms

    # -- what was left -----------------------------------------------------------------------------

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self._look_every_s)
            try:
                await self._look()
            except Problem as problem:
                log.warning("vector stores are looked at again soon: %s", problem)
            except Exception:
                log.exception("vector stores are looked at again soon")

    async def _look(self) -> None:
        def sweep(connection: Connection) -> None:
            for project, store in rows.expired(connection, self._now_ms()):
                rows.remove(connection, project, store)

        await self._database.write(sweep)
        for task in await self._database.read(partial(rows.left, owner=self.owner)):
            if await self._database.write(partial(rows.claim, file=task.file, owner=self.owner)):
                self.begin(task)


def _packed(file: IndexedFile, indexed: Indexed, dimensions: int) -> tuple[IndexedFile, Contents]:
    tokens = tuple(map(tokens_of, indexed.windows))
    kept = KeptText(windows=tuple(indexed.windows), tokens=tokens)
    said = Contents(dimensions=dimensions, texts=deflated(_PACK(kept)), vectors=packed(indexed.vectors))
    ended = msgspec.structs.replace(
        file,
        status="completed",
        pieces=sum(1 for _ in pieces_of(tokens, file.cutting)),
        size_bytes=len(said.texts) + len(said.vectors),
    )
    return ended, said
