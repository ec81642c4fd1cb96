"""Google's routes of cached contents: create, get, list, patch, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from geminid.config import ServerConfig
from geminid.core.caller import Caller
from geminid.core.errors import Problem
from geminid.service.caches import Caches
from geminid.service.signatures import Signer
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.gemini import (
    CLIENT_CLOSED_REQUEST,
    COST_HEADER,
    DOUBLED,
    LARGE_BODY_BYTES,
    RECEIPT_HEADER,
    VERSIONS,
    deadline_of,
    reading_of,
    request_id_of,
)
from geminid.web.replies import VARY, refusal, reply
from geminid.web.stream import ClientGone, while_listening
from geminid.wire.gemini import caches as wire

Answer = Callable[[Request, Caller], Awaitable[Response]]


class CachesApi:
    """The routes of one server."""

    def __init__(self, caches: Caches, doorkeeper: Doorkeeper, signer: Signer, config: ServerConfig) -> None:
        self._caches = caches
        self._doorkeeper = doorkeeper
        self._reading_of = partial(reading_of, config, signer)
        self._config = config

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route tree, once for each version."""
        table: tuple[tuple[str, str, str, Answer], ...] = (
            ("GET", "", "listCachedContents", self._list),
            ("POST", "", "createCachedContent", self._create),
            ("GET", "/{name}", "getCachedContent", self._get),
            ("PATCH", "/{name}", "updateCachedContent", self._update),
            ("DELETE", "/{name}", "deleteCachedContent", self._delete),
        )
        return [
            Route(
                f"/{prefix}/cachedContents{path}",
                partial(self._answer, answer, verb, version),
                methods=[method],
            )
            for prefix in (*VERSIONS, *DOUBLED)
            for version in prefix.split("/")[:1]
            for method, path, verb, answer in table
        ]

    async def _answer(self, answer: Answer, verb: str, version: str, request: Request) -> Response:
        try:
            return await answer(request, await self._doorkeeper.admit(request, "caches"))
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Problem as problem:
            return refusal(problem, verb, version)

    async def _list(self, request: Request, caller: Caller) -> Response:
        said = request.query_params
        size, after = wire.read_page(said.get("pageSize"), said.get("pageToken"))
        page = await self._caches.page(caller.project, size, after)
        return reply(wire.write_list(page.caches, page.next))

    async def _create(self, request: Request, caller: Caller) -> Response:
        body = await read_body(request, self._config.body_bytes_max)
        read = partial(wire.read_create, body, self._reading_of)
        new = await asyncio.to_thread(read) if len(body) > LARGE_BODY_BYTES else read()
        caller.require("caches", new.request.model)
        deadline_ms, _ = deadline_of(self._config, request)
        making = self._caches.create(caller, new, request_id_of(request), deadline_ms)
        made = await while_listening(request.receive, making)
        headers = [VARY, (RECEIPT_HEADER, made.receipt)]
        if made.cost_nano is not None:
            headers.append((COST_HEADER, str(made.cost_nano)))
        return reply(wire.write_cache(made.cache), headers)

    async def _get(self, request: Request, caller: Caller) -> Response:
        return reply(wire.write_cache(await self._caches.get(caller.project, request.path_params["name"])))

    async def _update(self, request: Request, caller: Caller) -> Response:
        body = await read_body(request, self._config.body_bytes_max)
        mask = request.query_params.get("updateMask") or request.query_params.get("update_mask")
        expiration = wire.read_update(body, mask)
        name = request.path_params["name"]
        return reply(wire.write_cache(await self._caches.prolong(caller.project, name, expiration)))

    async def _delete(self, request: Request, caller: Caller) -> Response:
        await self._caches.delete(caller.project, request.path_params["name"])
        return reply(b"{}\n")
