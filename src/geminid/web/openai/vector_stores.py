"""OpenAI's routes of vector stores: stores, their files, files that are added together, searches.

They are at ``/v1`` alone: Google's imitation has none. A batch of files is no row of its own: it is the files
that bear its id.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from geminid.config import ServerConfig
from geminid.core.caller import Caller
from geminid.core.errors import UnknownFile
from geminid.core.vector import UnknownIndexedFile, UnknownVectorStore, VectorStore
from geminid.service.vectors import StoreChange, VectorStores
from geminid.web.body import read_body
from geminid.web.gemini import DOWNGRADE_HEADER
from geminid.web.openai.replies import Told, reply
from geminid.web.openai.routing import Answering, Guard, Headers, route_of
from geminid.web.stream import while_listening
from geminid.wire.openai import files
from geminid.wire.openai import vector_store_replies as told_as
from geminid.wire.openai import vector_stores as wire
from geminid.wire.openai.refused import Missing
from geminid.wire.openai.surfaces import OPENAI, Surface

POLL_HEADER = "openai-poll-after-ms"
POLL_MS = 250
"""How soon the SDK's helpers shall look again."""

Acting = Callable[[Request, Caller, Told], Awaitable[Response]]


class VectorStoresApi:
    """The routes of one server. new_id: the part of a batch's id behind its prefix."""

    def __init__(
        self,
        stores: VectorStores,
        guard: Guard,
        config: ServerConfig,
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
    ) -> None:
        self._stores = stores
        self._guard = guard
        self._config = config
        self._new_id = new_id

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes."""
        all_, one = "/vector_stores", "/vector_stores/{store}"
        file, batch = f"{one}/files/{{file}}", f"{one}/file_batches/{{batch}}"
        rows: tuple[tuple[str, str, Acting], ...] = (
            ("POST", all_, self._create),
            ("GET", all_, self._list),
            ("GET", one, self._get),
            ("POST", one, self._update),
            ("DELETE", one, self._delete),
            ("POST", f"{one}/search", self._search),
            ("POST", f"{one}/files", self._add),
            ("GET", f"{one}/files", self._files),
            ("GET", file, self._file),
            ("POST", file, self._describe),
            ("DELETE", file, self._remove),
            ("GET", f"{file}/content", self._content),
            ("POST", f"{one}/file_batches", self._add_batch),
            ("GET", batch, self._batch),
            ("POST", f"{batch}/cancel", self._cancel),
            ("GET", f"{batch}/files", self._files),
        )
        return [
            route_of(OPENAI, method, path, self._guard.of(OPENAI, "files", "", self._answering(act)))
            for method, path, act in rows
        ]

    def _answering(self, act: Acting) -> Answering:
        """Tell what there is not in this wire's words, by the ids that the address has."""

        async def answer(request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
            try:
                return await act(request, caller, told)
            except UnknownVectorStore as problem:
                raise Missing(f"Vector store with id '{problem.id}' not found.") from None
            except UnknownIndexedFile as problem:
                name = OPENAI.file_prefix + problem.id
                raise Missing(f"No file found with id '{name}' in vector store.") from None
            except UnknownFile as problem:
                raise files.unknown(OPENAI.file_prefix + problem.file_id) from None

        return answer

    async def _body(self, request: Request) -> bytes:
        return await read_body(request, self._config.body_bytes_max)

    # -- stores ------------------------------------------------------------------------------------

    async def _create(self, request: Request, caller: Caller, told: Told) -> Response:
        asked = wire.read_create(await self._body(request))
        store = await self._stores.create(
            caller,
            wire.STORE_PREFIX,
            name=asked.name,
            kept=asked.kept,
            idle_ms_max=asked.idle_ms_max,
            new=asked.files,
        )
        return _told_store(store, told)

    async def _list(self, request: Request, caller: Caller, told: Told) -> Response:
        asked = wire.read_list(request.query_params)
        page = await self._stores.page(caller.project, asked.size, asked.order, asked.after)
        return reply(told_as.write_stores(page.stores, page.more), told.headers())

    async def _get(self, request: Request, caller: Caller, told: Told) -> Response:
        return _told_store(await self._stores.get(caller.project, _store(request)), told)

    async def _update(self, request: Request, caller: Caller, told: Told) -> Response:
        asked = wire.read_update(await self._body(request))
        kept = asked.metadata if isinstance(asked.metadata, dict) else None
        change = StoreChange(
            name=asked.name,
            kept=asked.metadata if kept is None else wire.write_kept(kept),  # type: ignore[arg-type]
            idle_ms_max=asked.idle_ms_max,
        )
        return _told_store(await self._stores.update(caller.project, _store(request), change), told)

    async def _delete(self, request: Request, caller: Caller, told: Told) -> Response:
        await self._stores.delete(caller.project, _store(request))
        return reply(told_as.write_deleted(_store(request), "vector_store"), told.headers())

    async def _search(self, request: Request, caller: Caller, told: Told) -> Response:
        asked = wire.read_search(await self._body(request))
        searching = self._stores.search(caller, (_store(request),), asked.query)
        hits = await while_listening(request.receive, searching)
        named: Headers = [(DOWNGRADE_HEADER, ", ".join(asked.downgrades))] if asked.downgrades else []
        return reply(told_as.write_found(asked.query.texts, hits), [*told.headers(), *named])

    # -- files -------------------------------------------------------------------------------------

    async def _add(self, request: Request, caller: Caller, told: Told) -> Response:
        new = wire.read_add(await self._body(request))
        (file,) = await self._stores.add(caller, _store(request), new)
        return reply(told_as.write_file(file), _polled(told, file.status))

    async def _files(self, request: Request, caller: Caller, told: Told) -> Response:
        asked = wire.read_list(request.query_params)
        page = await self._stores.files(
            caller.project,
            _store(request),
            asked.size,
            asked.order,
            files.id_of(asked.after),
            status=asked.status,
            batch=request.path_params.get("batch", ""),
        )
        return reply(told_as.write_files(page.files, page.more), told.headers())

    async def _file(self, request: Request, caller: Caller, told: Told) -> Response:
        file = await self._stores.file(caller.project, _store(request), _file(request))
        return reply(told_as.write_file(file), _polled(told, file.status))

    async def _describe(self, request: Request, caller: Caller, told: Told) -> Response:
        attributes = wire.read_attributes(await self._body(request))
        file = await self._stores.describe(caller.project, _store(request), _file(request), attributes)
        return reply(told_as.write_file(file), told.headers())

    async def _remove(self, request: Request, caller: Caller, told: Told) -> Response:
        await self._stores.remove(caller.project, _store(request), _file(request))
        name = OPENAI.file_prefix + _file(request)
        return reply(told_as.write_deleted(name, "vector_store.file"), told.headers())

    async def _content(self, request: Request, caller: Caller, told: Told) -> Response:
        text = await self._stores.text(caller.project, _store(request), _file(request))
        return reply(told_as.write_text(text), told.headers())

    # -- files that are added together -------------------------------------------------------------

    async def _add_batch(self, request: Request, caller: Caller, told: Told) -> Response:
        batch = wire.BATCH_PREFIX + self._new_id()
        for new in wire.read_batch(await self._body(request), batch):
            await self._stores.add(caller, _store(request), new)
        return await self._told_batch(request, caller, told, batch)

    async def _batch(self, request: Request, caller: Caller, told: Told) -> Response:
        return await self._told_batch(request, caller, told, request.path_params["batch"])

    async def _cancel(self, request: Request, caller: Caller, told: Told) -> Response:
        batch = request.path_params["batch"]
        await self._stores.cancel(caller.project, _store(request), batch)
        return await self._told_batch(request, caller, told, batch)

    async def _told_batch(self, request: Request, caller: Caller, told: Told, batch: str) -> Response:
        store = _store(request)
        page = await self._stores.files(caller.project, store, 1, "asc", batch=batch)
        if not page.files:
            raise Missing(f"Vector store file batch with id '{batch}' not found.")
        counts = await self._stores.counts(caller.project, store, batch)
        body = told_as.write_batch(batch, store, page.files[0].created_ms, counts)
        return reply(body, _polled(told, told_as.status_of(counts)))


def _store(request: Request) -> str:
    name: str = request.path_params["store"]
    return name


def _file(request: Request) -> str:
    return files.id_of(request.path_params["file"])


def _told_store(store: VectorStore, told: Told) -> Response:
    status = "in_progress" if store.counts.in_progress else "completed"
    return reply(told_as.write_store(store), _polled(told, status))


def _polled(told: Told, status: str) -> Headers:
    waiting = [(POLL_HEADER, str(POLL_MS))] if status == "in_progress" else []
    return [*told.headers(), *waiting]
