"""How files come in: announced, sent in pieces of any size, finished or given up.

An upload may be gone on with by whoever has its id, after any interruption. It knows no wire. Invariant:
at most one request writes to an upload, and a project never holds more bytes than it may.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from sqlalchemy import Connection

from geminid.core.disk import disk
from geminid.core.errors import Aborted, AlreadyExists, FailedPrecondition, NotFound
from geminid.core.file import File, NewFile
from geminid.core.ids import Randomness
from geminid.service.file_limits import FileLimits
from geminid.service.files import Files, NowUs, now_us
from geminid.service.upload_session import SECOND_US, Means, Session
from geminid.store import files as file_rows
from geminid.store import uploads as rows
from geminid.store.blobs import Appender, Blobs
from geminid.store.database import Database
from geminid.store.uploads import Upload

OPEN_MAX = 64
"""Files of unfinished uploads that stay open; others are hashed from the disk when they go on."""


class Uploads:
    """The uploads of all projects. Used on one event loop only."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        files: Files,
        limits: FileLimits,
        now_us: NowUs = now_us,
        randomness: Randomness = secrets.token_bytes,
    ) -> None:
        self._means = Means(database, blobs, files, limits, now_us, randomness)
        self._busy: set[str] = set()
        self._open: OrderedDict[str, Appender] = OrderedDict()

    async def start(self, project: str, new: NewFile) -> Upload:
        """Announce a file.

        Raises ``InvalidArgument`` for one that is too large, ``AlreadyExists`` for a name that is taken,
        ``ResourceExhausted`` when the project has no room for it.
        """
        means, size_bytes = self._means, new.size_bytes or 0
        upload = Upload(
            id=means.randomness(32).hex(),
            project=project,
            file_id=new.id,
            display_name=new.display_name or new.file_name,
            mime_type=new.mime_type,
            file_name=new.file_name,
            declared_bytes=new.size_bytes,
            touched_us=means.now_us(),
            blob=means.randomness(16).hex(),
            purpose=new.purpose,
            ttl_s=new.ttl_s,
        )
        means.limits.check_size(size_bytes)

        def act(connection: Connection) -> None:
            if new.id and file_rows.find(connection, project, new.id, upload.touched_us):
                raise AlreadyExists(f"The File {new.id} already exists.")
            means.limits.room(connection, upload, size_bytes)
            rows.add(connection, upload)

        await means.database.write(act)
        return upload

    async def query(self, upload_id: str) -> tuple[Upload, File | None]:
        """Return how far an upload has come, and its file if it is final.

        Raises ``NotFound``, and ``UnknownFile`` when that file is there no more.
        """
        upload = await self._upload(upload_id)
        if upload.state != "final":
            return upload, None
        return upload, await self._means.files.get(upload.project, upload.file_id)

    @asynccontextmanager
    async def open(self, upload_id: str) -> AsyncIterator[Session]:
        """Go on with an upload, alone.

        Raises ``NotFound``, ``Aborted`` while another request is at it, and ``FailedPrecondition`` when
        it was cancelled.
        """
        if upload_id in self._busy:
            raise Aborted("Another request is writing to this upload.")
        self._busy.add(upload_id)
        try:
            upload = await self._upload(upload_id)
            if upload.state == "cancelled":
                raise FailedPrecondition("The upload was cancelled.")
            session = Session(self._means, upload, await self._appender(upload))
            try:
                yield session
            finally:
                await self._leave(session)
        finally:
            self._busy.discard(upload_id)

    async def sweep(self) -> None:
        """Forget what nobody has gone on with for long: unfinished uploads with their bytes."""
        since_us = self._means.now_us() - self._means.limits.upload_idle_s * SECOND_US

        def act(connection: Connection) -> list[Upload]:
            old = [each for each in rows.untouched(connection, since_us) if each.id not in self._busy]
            for upload in old:
                rows.remove(connection, upload.id)
            return old

        for upload in await self._means.database.write(act):
            if (appender := self._open.pop(upload.id, None)) is not None:
                await asyncio.to_thread(appender.close)
            if upload.state == "active":
                await asyncio.to_thread(self._means.blobs.remove, upload.blob)

    async def drop_orphans(self) -> None:
        """Remove bytes that belong to nothing: their deletion was interrupted."""
        # In this order: a row is always there before its bytes.
        there = await asyncio.to_thread(self._means.blobs.keys)
        known = await self._means.database.read(lambda c: file_rows.blobs(c) | rows.blobs(c))
        for key in there - known:
            if "." in key:
                continue  # of a batch, which clears up by itself
            await asyncio.to_thread(self._means.blobs.remove, key)

    async def close(self) -> None:
        """Let go of all files on the disk."""
        while self._open:
            await asyncio.to_thread(self._open.popitem()[1].close)

    async def _upload(self, upload_id: str) -> Upload:
        upload = await self._means.database.read(partial(rows.find, upload_id=upload_id))
        if upload is None:
            raise NotFound("There is no such upload: it has expired, or there never was one.")
        return upload

    async def _appender(self, upload: Upload) -> Appender | None:
        if upload.state != "active":
            return None
        if (appender := self._open.pop(upload.id, None)) is not None:
            if appender.size >= upload.received_bytes:
                return appender
            await asyncio.to_thread(appender.close)  # another process has gone on with it
        with disk():
            return await asyncio.to_thread(
                self._means.blobs.open, upload.blob, upload.received_bytes, hashlib.sha256
            )

    async def _leave(self, session: Session) -> None:
        """Keep the file of an upload open for its next request; close that of one that has ended."""
        if session.appender is None:
            return
        if session.upload.state == "active":
            self._open[session.upload.id] = session.appender
        else:
            await asyncio.to_thread(session.appender.close)
        if len(self._open) > OPEN_MAX:
            await asyncio.to_thread(self._open.popitem(last=False)[1].close)
