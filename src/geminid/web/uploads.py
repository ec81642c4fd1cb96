"""Google's routes by which files come in, in each of the protocols of ``wire/gemini/uploads.py``.

A request that begins an upload needs a key; one that goes on with it needs the upload's id alone, because
some clients send nothing else. Bodies are never held whole. An answer without ``X-Goog-Upload-Status``
means that the same request may succeed later, and clients send it again; every other answer has one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from geminid.config import FilesConfig
from geminid.core.errors import (
    Aborted,
    DeadlineExceeded,
    InvalidArgument,
    Problem,
    ResourceExhausted,
    Unavailable,
)
from geminid.core.file import File, NewFile
from geminid.service.upload_session import Session
from geminid.service.uploads import Uploads
from geminid.web.address import base_url
from geminid.web.auth import Doorkeeper
from geminid.web.body import read_body
from geminid.web.parts import read_parts
from geminid.web.replies import VARY, refusal, reply
from geminid.wire.gemini import files as wire
from geminid.wire.gemini import uploads as protocols
from geminid.wire.gemini.uploads import Protocol

STATUS = "x-goog-upload-status"
RECEIVED = "x-goog-upload-size-received"
URL = "x-goog-upload-url"
METHOD = "createFile"
METADATA_BYTES_MAX = 1024 * 1024
SILENT_S = 60.0
"""A connection that brings no byte for so long is given up, so that the client may come back on another."""
RESUME_INCOMPLETE = 308
CLIENT_CLOSED_REQUEST = 499
LATER = (Unavailable, Aborted, DeadlineExceeded, ResourceExhausted)
"""Problems after which the same request may succeed."""


class UploadsApi:
    """The routes of one server."""

    def __init__(
        self, uploads: Uploads, doorkeeper: Doorkeeper, config: FilesConfig, silent_s: float = SILENT_S
    ) -> None:
        self._uploads = uploads
        self._doorkeeper = doorkeeper
        self._config = config
        self._silent_s = silent_s

    def routes(self, version: str, prefix: str) -> Sequence[BaseRoute]:
        """Return the routes of one version of the API under a prefix of paths."""
        paths = (f"/upload{prefix}/files", f"/resumable/upload{prefix}/files")
        # Some clients put the whole path behind a base URL that ends in a version, this one or another.
        behind = (f"/{{base}}/upload{prefix}/files",)
        answer = partial(self._answer, version)
        return [
            *(Route(path, answer, methods=["POST", "PUT", "DELETE"]) for path in paths + behind),
            Route(f"{prefix}/files", answer, methods=["POST"]),
        ]

    async def _answer(self, version: str, request: Request) -> Response:
        upload_id = request.query_params.get("upload_id")
        try:
            if upload_id:
                return await self._go_on(upload_id, request)
            caller = await self._doorkeeper.admit(request, "files")
            return await self._begin(version, request, caller.project)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Problem as problem:
            answer = refusal(problem, METHOD, version)
            if upload_id and not isinstance(problem, LATER):
                answer.headers[STATUS] = await self._state(upload_id)
            return answer

    async def _state(self, upload_id: str) -> str:
        try:
            return (await self._uploads.query(upload_id))[0].state
        except Problem:
            return "cancelled"

    # -- beginning ---------------------------------------------------------------------------------

    async def _begin(self, version: str, request: Request, project: str) -> Response:
        protocol = protocols.read_protocol(request.headers, request.query_params)
        around = protocols.read_announcement(request.headers, protocol)
        if protocol == "raw":
            return await self._whole(wire.read_create(b"", around), self._blocks(request), request, project)
        if protocol == "multipart":
            body, headers, blocks = await read_parts(request.headers, self._blocks(request))
            typed = around.mime_type or headers.get("content-type", "")
            new = wire.read_create(
                body, NewFile(mime_type=typed, file_name=around.file_name, size_bytes=around.size_bytes)
            )
            return await self._whole(new, blocks, request, project)
        new = wire.read_create(await read_body(request, METADATA_BYTES_MAX), around)
        upload = await self._uploads.start(project, new)
        url = f"{self._base(request)}/upload/{version}/files?upload_id={upload.id}"
        return _begun(url, protocol)

    async def _whole(
        self, new: NewFile, blocks: AsyncIterator[bytes], request: Request, project: str
    ) -> Response:
        """Take a file in one request; what does not arrive whole leaves nothing behind."""
        upload = await self._uploads.start(project, new)
        async with self._uploads.open(upload.id) as session:
            try:
                await session.append(0, blocks)
                return self._final(await session.finalize(), request)
            except BaseException:
                await session.cancel()
                raise

    # -- going on ----------------------------------------------------------------------------------

    async def _go_on(self, upload_id: str, request: Request) -> Response:
        if request.method == "DELETE":
            return await self._cancel(upload_id)
        placed = request.method == "PUT" or "content-range" in request.headers
        if placed and protocols.COMMAND not in request.headers:
            return await self._place(upload_id, request)
        return await self._obey(upload_id, request)

    async def _obey(self, upload_id: str, request: Request) -> Response:
        """Do what ``X-Goog-Upload-Command`` says."""
        commands = protocols.read_commands(request.headers)
        if "query" in commands:
            return await self._query(upload_id, request)
        if "cancel" in commands:
            return await self._cancel(upload_id)
        offset = protocols.read_offset(request.headers) if "upload" in commands else 0
        async with self._uploads.open(upload_id) as session:
            if "upload" in commands and not session.final:
                await session.append(offset, self._blocks(request), _length(request))
            if "finalize" in commands or session.final:
                return self._final(await session.finalize(), request)
            return _active(session.received_bytes)

    async def _place(self, upload_id: str, request: Request) -> Response:
        """Take bytes where ``Content-Range`` says they belong; without one they are the whole file."""
        said = request.headers.get("content-range")
        place = protocols.read_content_range(said) if said else None
        async with self._uploads.open(upload_id) as session:
            if not session.final and (place is None or place.start is not None):
                start = place.start if place and place.start is not None else 0
                length = place.length if place else _length(request)
                await session.append(start, self._blocks(request), length)
            if session.final or place is None or _ended(session, place.total):
                return self._final(await session.finalize(), request)
            return _incomplete(session.received_bytes)

    async def _query(self, upload_id: str, request: Request) -> Response:
        upload, file = await self._uploads.query(upload_id)
        if file is not None:
            answer = self._final(file, request)
            answer.headers[RECEIVED] = str(upload.received_bytes)
            return answer
        return _plain({STATUS: upload.state, RECEIVED: str(upload.received_bytes)})

    async def _cancel(self, upload_id: str) -> Response:
        async with self._uploads.open(upload_id) as session:
            await session.cancel()
        return _plain({STATUS: "cancelled"})

    def _final(self, file: File, request: Request) -> Response:
        return reply(wire.write_created(file, self._base(request)), (VARY, (STATUS, "final")))

    def _base(self, request: Request) -> str:
        return base_url(request, self._config.public_url)

    async def _blocks(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body as it comes; raises ``DeadlineExceeded`` when it has stopped coming."""
        _check_encoding(request)
        stream = aiter(request.stream())
        while True:
            try:
                async with asyncio.timeout(self._silent_s):
                    block = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise DeadlineExceeded(f"No byte has come for {self._silent_s:g} seconds.") from None
            yield block


def _check_encoding(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise InvalidArgument(f"Content-Encoding {encoding} is not supported for uploads; send the bytes.")


def _length(request: Request) -> int | None:
    said = request.headers.get("content-length", "")
    return int(said) if said.isdecimal() else None


def _ended(session: Session, total: int | None) -> bool:
    if total is None:
        return False
    declared = session.upload.declared_bytes
    if declared is not None and declared != total:
        raise InvalidArgument(f"The upload was announced with {declared} bytes, not with {total}.")
    return session.received_bytes >= total


def _begun(url: str, protocol: Protocol) -> Response:
    if protocol == "location":
        return _plain({"location": f"{url}&uploadType=resumable", STATUS: "active"})
    return _plain({URL: f"{url}&upload_protocol=resumable", STATUS: "active"})


def _active(received: int) -> Response:
    return _plain({STATUS: "active", RECEIVED: str(received)})


def _incomplete(received: int) -> Response:
    held = {"range": f"bytes=0-{received - 1}"} if received else {}
    return _plain({STATUS: "active", **held}, RESUME_INCOMPLETE)


def _plain(headers: dict[str, str], status: int = 200) -> Response:
    return Response(b"", status, headers, "text/plain; charset=utf-8")
