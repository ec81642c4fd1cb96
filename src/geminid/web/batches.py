"""Google's routes of batches: jobs are made under a model, looked at and ended as operations.

Results that were asked for inline are sent as they are read, a piece of them in memory at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from geminid.config import ServerConfig
from geminid.core.batch import Job
from geminid.core.caller import Caller
from geminid.core.errors import NotFound, Problem
from geminid.service.batches import Batches, UnknownBatch
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.replies import JSON, VARY, refusal, reply
from geminid.wire.gemini import batch_requests, batches

INLINE_BYTES_MAX = 20 * 1024 * 1024
"""Largest body with requests in it; more belong into a file."""
UPDATE_BYTES_MAX = 64 * 1024
LARGE_BODY_BYTES = 256 * 1024
SENT_BYTES = 64 * 1024
DOWNGRADE_HEADER = "x-geminid-downgraded"
UNFILTERED = "filter=not-applied"

Answer = Callable[[Request, Caller], Awaitable[Response]]


class BatchesApi:
    """The routes of one server."""

    def __init__(self, jobs: Batches, doorkeeper: Doorkeeper, config: ServerConfig) -> None:
        self._jobs = jobs
        self._doorkeeper = doorkeeper
        self._inline_bytes_max = min(INLINE_BYTES_MAX, config.body_bytes_max)

    def routes(self, version: str, prefix: str) -> Sequence[BaseRoute]:
        """Return the routes of one version of the API under a prefix of paths.

        They stand before those of models, which would take the verbs for unknown ones.
        """
        makes = [
            Route(
                f"{prefix}/models/{{model}}:{verb}",
                self._guarded(partial(self._create, verb), verb, version),
                methods=["POST"],
            )
            for verb in batch_requests.KINDS
        ]
        one = f"{prefix}/batches/{{name}}"
        return [
            *makes,
            Route(f"{prefix}/batches", self._guarded(self._list, "listBatches", version), methods=["GET"]),
            Route(one, self._guarded(self._get, "getBatch", version), methods=["GET"]),
            Route(one, self._guarded(self._delete, "deleteBatch", version), methods=["DELETE"]),
            Route(one, self._guarded(self._verb, "cancelBatch", version), methods=["POST"]),
            Route(one, self._guarded(self._update, "updateBatch", version), methods=["PATCH"]),
        ]

    def _guarded(self, answer: Answer, method: str, version: str) -> Callable[[Request], Awaitable[Response]]:
        return partial(self._answer, answer, method, version)

    async def _answer(self, answer: Answer, method: str, version: str, request: Request) -> Response:
        try:
            model = request.path_params.get("model", "")
            return await answer(request, await self._doorkeeper.admit(request, "batches", model))
        except Problem as problem:
            return refusal(problem, method, version)

    async def _create(self, verb: str, request: Request, caller: Caller) -> Response:
        body = await read_body(request, self._inline_bytes_max)
        read = partial(
            batch_requests.read_create, body, request.path_params["model"], batch_requests.KINDS[verb]
        )
        new = await asyncio.to_thread(read) if len(body) > LARGE_BODY_BYTES else read()
        return await self._operation(await self._jobs.create(caller, new))

    async def _list(self, request: Request, caller: Caller) -> Response:
        said = request.query_params
        size, after = batch_requests.read_page(said.get("pageSize"), said.get("pageToken"))
        page = await self._jobs.page(caller.project, size, after)
        downgraded = [(DOWNGRADE_HEADER, UNFILTERED)] if said.get("filter") else []
        return reply(batches.write_list(page.jobs, page.next), [VARY, *downgraded])

    async def _get(self, request: Request, caller: Caller) -> Response:
        return await self._operation(await self._jobs.get(caller.project, _id(request.path_params["name"])))

    async def _delete(self, request: Request, caller: Caller) -> Response:
        await self._jobs.delete(caller.project, _id(request.path_params["name"]))
        return reply(b"{}\n")

    async def _verb(self, request: Request, caller: Caller) -> Response:
        name, _, verb = request.path_params["name"].rpartition(":")
        if verb != "cancel":
            raise NotFound(f"There is no {request.method} {request.url.path} here.")
        await self._jobs.cancel(caller.project, _id(name))
        return reply(b"{}\n")

    async def _update(self, request: Request, caller: Caller) -> Response:
        name, _, verb = request.path_params["name"].rpartition(":")
        if verb not in batch_requests.UPDATES:
            raise NotFound(f"There is no {request.method} {request.url.path} here.")
        kind = batch_requests.UPDATES[verb]
        body = await read_body(request, UPDATE_BYTES_MAX)
        changes = batch_requests.read_update(body, request.query_params.get("updateMask"), kind)
        if (await self._jobs.get(caller.project, _id(name))).kind != kind:
            raise UnknownBatch(name)
        job = await self._jobs.update(caller.project, name, **changes._asdict())
        return reply(batches.write_batch(job))

    async def _operation(self, job: Job) -> Response:
        outlook = None if job.ended else await self._jobs.outlook(job)
        headers = [VARY, *batches.outlook_headers(job, outlook)]
        if not batches.inline(job):
            return reply(batches.write_operation(job), headers)
        return StreamingResponse(self._with_results(job), media_type=JSON, headers=dict(headers))

    async def _with_results(self, job: Job) -> AsyncIterator[bytes]:
        pieces = batches.write_pieces(job)
        ready = bytearray()
        for place, part in enumerate(pieces.parts[:-1]):
            ready += part
            first = True
            async for line in self._jobs.results(job):
                ready += pieces.result(place, line, first=first)
                first = False
                if len(ready) >= SENT_BYTES:
                    yield bytes(ready)
                    ready.clear()
            ready += pieces.end(place, empty=first)
        yield bytes(ready + pieces.parts[-1])


def _id(name: str) -> str:
    """Return the id of a job in a path; what can be none is that of no job."""
    if not batch_requests.ID.fullmatch(name):
        raise UnknownBatch(name)
    return name


def batch_routes(
    jobs: Batches, doorkeeper: Doorkeeper, config: ServerConfig, prefixes: Sequence[str]
) -> list[BaseRoute]:
    """Return the routes of batches, once for each prefix such as ``v1beta``."""
    api = BatchesApi(jobs, doorkeeper, config)
    return [route for prefix in prefixes for route in api.routes(prefix.partition("/")[0], f"/{prefix}")]
