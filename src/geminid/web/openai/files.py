"""OpenAI's routes of files: create, list, get, delete, content.

They are the files that Google's routes have, under names of their own. A body is never held whole, and what
does not arrive whole leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute

from geminid.core.caller import Caller
from geminid.core.errors import UnknownFile
from geminid.core.file import File, NewFile
from geminid.service.upload_session import Session
from geminid.web.app import Storage
from geminid.web.files import GUARDED
from geminid.web.gemini import DOWNGRADE_HEADER
from geminid.web.openai.file_form import SILENT_S, Incoming, read_form
from geminid.web.openai.replies import Told, reply
from geminid.web.openai.routing import Answering, Guard, Headers, route_of
from geminid.wire.openai import files as wire
from geminid.wire.openai.surfaces import SURFACES, Surface

FILE = "file"
MIME_CHARACTERS_MAX = 255


class FilesApi:
    """The routes of one server."""

    def __init__(self, storage: Storage, guard: Guard, silent_s: float = SILENT_S) -> None:
        self._files = storage.files
        self._uploads = storage.uploads
        self._ttl_s = storage.config.ttl_s
        self._guard = guard
        self._silent_s = silent_s

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of every surface."""
        one = "/files/{name:path}"
        rows: tuple[tuple[str, str, str, Answering], ...] = (
            ("POST", "/files", "createFile", self._create),
            ("GET", "/files", "listFiles", self._list),
            ("GET", f"{one}/content", "downloadFile", self._content),
            ("GET", one, "getFile", self._get),
            ("DELETE", one, "deleteFile", self._delete),
        )
        return [
            route_of(surface, method, path, self._guard.of(surface, "files", name, answer))
            for surface in SURFACES
            for method, path, name, answer in rows
        ]

    async def _create(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        async with AsyncExitStack() as stack:
            taking = _Taking(self, caller.project, stack)
            try:
                fields = await read_form(request, FILE, taking.take, self._silent_s)
                described = wire.read_description(fields)
                file = await taking.finish(described)
            except BaseException:
                await taking.give_up()
                raise
        return reply(wire.write_file(file, surface), [*told.headers(), *self._downgrades(described)])

    async def _list(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        asked = wire.read_list(request.query_params)
        try:
            page = await self._files.listing(caller.project, asked.size, asked.wanted, asked.after)
        except UnknownFile:
            raise wire.unknown(request.query_params["after"]) from None
        return reply(wire.write_list(page.files, page.next is not None, surface), told.headers())

    async def _get(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        name = request.path_params["name"]
        try:
            file = await self._files.get(caller.project, wire.id_of(name))
        except UnknownFile:
            raise wire.unknown(name) from None
        return reply(wire.write_file(file, surface), told.headers())

    async def _content(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        name = request.path_params["name"]
        try:
            file, path = await self._files.path(caller.project, wire.id_of(name))
            stat = path.stat()
        except (UnknownFile, FileNotFoundError):
            raise wire.unknown(name) from None
        headers = {**GUARDED, **dict(told.headers())}
        return FileResponse(path, media_type=file.mime_type, headers=headers, stat_result=stat)

    async def _delete(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        name = request.path_params["name"]
        try:
            await self._files.delete(caller.project, wire.id_of(name))
        except UnknownFile:
            raise wire.unknown(name) from None
        return reply(wire.write_deleted(wire.id_of(name), surface), told.headers())

    def _downgrades(self, described: wire.Described) -> Headers:
        if described.ttl_s is None or described.ttl_s <= self._ttl_s:
            return []
        return [(DOWNGRADE_HEADER, f"expires_after.seconds={self._ttl_s}")]


class _Taking:
    """One file on its way in."""

    def __init__(self, api: FilesApi, project: str, stack: AsyncExitStack) -> None:
        self._uploads = api._uploads
        self._project = project
        self._stack = stack
        self._session: Session | None = None

    async def take(self, file: Incoming) -> None:
        """Have the bytes on the disk."""
        if "purpose" in file.fields:
            wire.read_description(file.fields)  # before gigabytes have come for nothing
        wire.check_name(file.name)
        mime_type = file.mime_type if len(file.mime_type) <= MIME_CHARACTERS_MAX else ""
        upload = await self._uploads.start(
            self._project, NewFile(display_name=file.name, file_name=file.name, mime_type=mime_type)
        )
        self._session = await self._stack.enter_async_context(self._uploads.open(upload.id))
        await self._session.append(0, file.blocks)

    async def finish(self, described: wire.Described) -> File:
        """Make a file of them."""
        assert self._session is not None
        self._session.describe(purpose=described.purpose, ttl_s=described.ttl_s)
        return await self._session.finalize()

    async def give_up(self) -> None:
        """Leave nothing behind."""
        if self._session is not None and not self._session.final:
            await self._session.cancel()
