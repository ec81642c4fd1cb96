"""OpenAI's routes of batches: create, list, get, cancel.

Jobs are the same as Google's, of other formats of lines; each wire sees its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from geminid.core.batch import Job, NewJob, Place
from geminid.core.caller import Caller
from geminid.core.errors import UnknownFile
from geminid.service.batches import Batches, UnknownBatch
from geminid.service.files import Files
from geminid.web.body import read_body
from geminid.web.gemini import DOWNGRADE_HEADER
from geminid.web.openai.api import IDEMPOTENCY_HEADER
from geminid.web.openai.replies import Told, reply
from geminid.web.openai.routing import Answering, Guard, Headers, route_of
from geminid.web.told import request_name
from geminid.wire.openai import batches as wire
from geminid.wire.openai.batch_inspection import inspect
from geminid.wire.openai.batch_lines import NAMES, endpoint_of
from geminid.wire.openai.files import name_of, purpose_of
from geminid.wire.openai.refused import Ended
from geminid.wire.openai.surfaces import SURFACES, Surface

BODY_BYTES_MAX = 64 * 1024
FINAL = ("succeeded", "failed", "expired")
"""States of jobs that cannot be cancelled; to cancel one again changes nothing."""


class BatchesApi:
    """The routes of one server. file_ttl_s: how long files live here."""

    def __init__(self, jobs: Batches, files: Files, guard: Guard, file_ttl_s: int) -> None:
        self._jobs = jobs
        self._files = files
        self._guard = guard
        self._file_ttl_s = file_ttl_s

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of every surface."""
        one = "/batches/{name:path}"
        rows: tuple[tuple[str, str, str, Answering], ...] = (
            ("POST", "/batches", "createBatch", self._create),
            ("GET", "/batches", "listBatches", self._list),
            ("POST", f"{one}/cancel", "cancelBatch", self._cancel),
            ("GET", one, "getBatch", self._get),
        )
        return [
            route_of(surface, method, path, self._guard.of(surface, "batches", name, answer))
            for surface in SURFACES
            for method, path, name, answer in rows
        ]

    async def _create(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        new = wire.read_create(await read_body(request, BODY_BYTES_MAX), surface)
        said = request_name(request.headers.get(IDEMPOTENCY_HEADER, ""), IDEMPOTENCY_HEADER)
        new = msgspec.structs.replace(new, once=said)
        job = await self._made(caller, new, surface)
        return reply(wire.write_batch(job, surface), [*told.headers(), *self._downgrades(new)])

    async def _made(self, caller: Caller, new: NewJob, surface: Surface) -> Job:
        name = name_of(new.file_id, surface)
        try:
            file = await self._files.get(caller.project, new.file_id)
            wire.check_purpose(name, purpose_of(file) if file.purpose or file.source == "generated" else "")
            return await self._jobs.create(caller, new, partial(inspect, endpoint_of(new.format)))
        except UnknownFile:
            return await self._jobs.refuse(caller, new, (wire.no_file(name),))

    async def _list(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        asked = wire.read_list(request.query_params)
        after = None
        if asked.after:
            last = await self._found(caller, asked.after, request.query_params["after"])
            after = Place(last.created_ms, last.id)
        page = await self._jobs.page(caller.project, asked.size, after, NAMES)
        return reply(wire.write_list(page.jobs, page.next is not None, surface), told.headers())

    async def _get(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        name = request.path_params["name"]
        job = await self._found(caller, wire.id_of(name), name)
        return reply(wire.write_batch(job, surface), told.headers())

    async def _cancel(self, request: Request, caller: Caller, surface: Surface, told: Told) -> Response:
        name = request.path_params["name"]
        await self._found(caller, wire.id_of(name), name)
        job = await self._jobs.cancel(caller.project, wire.id_of(name), NAMES)
        if job.state in FINAL:
            raise Ended(wire.NO_CANCEL.format(wire.status_of(job)))
        return reply(wire.write_batch(job, surface), told.headers())

    async def _found(self, caller: Caller, job_id: str, name: str) -> Job:
        try:
            return await self._jobs.get(caller.project, job_id, NAMES)
        except UnknownBatch:
            raise wire.unknown(name) from None

    def _downgrades(self, new: NewJob) -> Headers:
        if new.output_ttl_ms is None or new.output_ttl_ms <= self._file_ttl_s * 1000:
            return []
        return [(DOWNGRADE_HEADER, f"output_expires_after.seconds={self._file_ttl_s}")]
