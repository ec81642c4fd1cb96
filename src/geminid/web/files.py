"""Google's routes of files that were uploaded: get, list, delete, download."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from geminid.config import FilesConfig
from geminid.core.errors import Problem, UnknownFile
from geminid.service.files import Files
from geminid.web.address import base_url
from geminid.web.auth import Doorkeeper
from geminid.web.replies import refusal, reply
from geminid.wire.gemini import files as wire

DOWNLOAD = ":download"
GUARDED = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
"""What somebody uploaded must not run as a page of this server."""

Answer = Callable[[Request, str], Awaitable[Response]]
"""(request, project of the caller) → answer"""


class FilesApi:
    """The routes of one server."""

    def __init__(self, files: Files, doorkeeper: Doorkeeper, config: FilesConfig) -> None:
        self._files = files
        self._doorkeeper = doorkeeper
        self._config = config

    def routes(self, version: str, prefix: str) -> Sequence[BaseRoute]:
        """Return the routes of one version of the API under a prefix of paths."""
        listing = self._guarded(self._list, "listFiles", version)
        one = self._guarded(self._get, "getFile", version)
        return [
            Route(f"{prefix}/files", listing, methods=["GET"]),
            Route(f"{prefix}/files/{{name}}", one, methods=["GET"]),
            Route(f"/download{prefix}/files/{{name}}", one, methods=["GET"]),
            Route(
                f"{prefix}/files/{{name}}",
                self._guarded(self._delete, "deleteFile", version),
                methods=["DELETE"],
            ),
        ]

    def _guarded(self, answer: Answer, method: str, version: str) -> Answer:
        return partial(self._answer, answer, method, version)

    async def _answer(self, answer: Answer, method: str, version: str, request: Request) -> Response:
        try:
            caller = await self._doorkeeper.admit(request, "files")
            return await answer(request, caller.project)
        except Problem as problem:
            return refusal(problem, method, version)

    async def _list(self, request: Request, project: str) -> Response:
        said = request.query_params
        size, after = wire.read_page(said.get("pageSize"), said.get("pageToken"))
        page = await self._files.page(project, size, after)
        return reply(wire.write_list(page.files, page.next, self._base(request)))

    async def _get(self, request: Request, project: str) -> Response:
        name = request.path_params["name"]
        if name.endswith(DOWNLOAD):
            return await self._download(name.removesuffix(DOWNLOAD), project)
        file = await self._files.get(project, name)
        return reply(wire.write_file(file, self._base(request)))

    async def _download(self, name: str, project: str) -> Response:
        file, path = await self._files.path(project, name)
        try:
            stat = path.stat()
        except FileNotFoundError:  # deleted this very moment
            raise UnknownFile(name) from None
        return FileResponse(path, media_type=file.mime_type, headers=dict(GUARDED), stat_result=stat)

    async def _delete(self, request: Request, project: str) -> Response:
        await self._files.delete(project, request.path_params["name"])
        return reply(b"{}\n")

    def _base(self, request: Request) -> str:
        return base_url(request, self._config.public_url)
