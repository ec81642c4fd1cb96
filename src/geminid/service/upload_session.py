"""One request's hold on an upload: bytes in, hashed on the way, and the file that they become.

It knows no wire. Invariant: what was acknowledged is on the disk; a file is there whole or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from geminid.core.disk import disk
from geminid.core.errors import FailedPrecondition, InvalidArgument
from geminid.core.file import File
from geminid.core.ids import Randomness
from geminid.service import file_names, file_types
from geminid.service.file_limits import FileLimits
from geminid.service.files import TIMED, Files, NowUs
from geminid.store import files as file_rows
from geminid.store import uploads as rows
from geminid.store.blobs import BLOCK_BYTES, Appender, Blobs
from geminid.store.database import Database
from geminid.store.files import Kept
from geminid.store.uploads import Upload

RESERVED_BYTES = 64 * 1024 * 1024
"""How far ahead of its bytes an upload takes of the project's limit."""
SECOND_US = 1_000_000


class Means(NamedTuple):
    """What uploads are done with."""

    database: Database
    blobs: Blobs
    files: Files
    limits: FileLimits
    now_us: NowUs
    randomness: Randomness


class Session:
    """Made by ``Uploads.open``. ``appender`` is None when the upload is final."""

    def __init__(self, means: Means, upload: Upload, appender: Appender | None) -> None:
        self._means = means
        self.upload = upload
        self.appender = appender

    @property
    def received_bytes(self) -> int:
        """How many bytes are there."""
        return self.upload.received_bytes if self.appender is None else self.appender.size

    @property
    def final(self) -> bool:
        """Whether the upload has become a file."""
        return self.upload.state == "final"

    async def append(self, offset: int, blocks: AsyncIterator[bytes], length: int | None = None) -> None:
        """Take bytes that belong at ``offset``, and have them on the disk when this returns.

        Bytes that are there already may come again, since an answer may have been lost; they must be the
        same. What came before ``blocks`` raised is kept. length: how many will come, if that is known.

        Raises ``FailedPrecondition`` when the upload is final, ``InvalidArgument`` for bytes that leave a
        gap, differ or exceed what was announced, ``ResourceExhausted`` when the project is full,
        ``Unavailable`` when the disk is. The upload can be gone on with afterwards.
        """
        appender = self._active()
        self._check_place(offset, length or 0)
        pending = bytearray()
        try:
            try:
                async for block in blocks:
                    pending += block
                    if len(pending) >= BLOCK_BYTES:
                        ready, pending = bytes(pending), bytearray()
                        offset = await self._take(appender, ready, offset)
            finally:
                if pending:
                    await self._take(appender, bytes(pending), offset)
        finally:
            await self._acknowledge(appender)

    def describe(self, *, purpose: str, ttl_s: int | None) -> None:
        """Say of the file what was not known when its bytes began to come: as of :class:`NewFile`."""
        self.upload = msgspec.structs.replace(self.upload, purpose=purpose, ttl_s=ttl_s)

    async def finalize(self) -> File:
        """Make a file of what was sent; a final upload has its file already.

        Raises ``InvalidArgument`` when less was sent than announced, ``AlreadyExists`` when the name was
        taken meanwhile.
        """
        if self.appender is None:
            return await self._means.files.get(self.upload.project, self.upload.file_id)
        self._check_whole()
        with disk():
            await asyncio.to_thread(self.appender.sync)  # no byte may have come at all
        kept = await self._kept(self.appender)
        self.upload, expired = await self._means.database.write(partial(self._publish, kept))
        if expired is not None:
            await asyncio.to_thread(self._means.blobs.remove, expired.blob)
        if kept.file.state == "processing":
            self._means.files.look_into(kept)
        return kept.file

    async def cancel(self) -> None:
        """Give the upload up and remove its bytes. Raises ``FailedPrecondition`` when it is final."""
        self._active()
        await self._put(state="cancelled", reserved_bytes=0)
        await asyncio.to_thread(self._means.blobs.remove, self.upload.blob)

    def _active(self) -> Appender:
        if self.final or self.appender is None:
            raise FailedPrecondition("The upload is final; what it made is a file now.")
        return self.appender

    def _check_place(self, offset: int, length: int) -> None:
        received, declared = self.received_bytes, self.upload.declared_bytes
        if offset > received:
            raise InvalidArgument(
                f"The upload has {received} bytes; go on at offset {received}, not at {offset}."
            )
        if declared is not None and offset + length > declared:
            raise InvalidArgument(
                f"The upload was announced with {declared} bytes; this would make it {offset + length}."
            )

    def _check_whole(self) -> None:
        received, declared = self.received_bytes, self.upload.declared_bytes
        if declared is not None and received != declared:
            raise InvalidArgument(
                f"The upload has {received} of the {declared} bytes that were announced; "
                f"go on at offset {received}."
            )

    async def _take(self, appender: Appender, block: bytes, offset: int) -> int:
        """Write what is new of a block, and return where the next one belongs."""
        self._check_place(offset, len(block))
        known = min(appender.size - offset, len(block))
        if known and not await asyncio.to_thread(appender.holds, block[:known], offset):
            raise InvalidArgument(
                f"The bytes at offset {offset} differ from those that the upload has there; "
                f"go on at offset {appender.size}."
            )
        if known < len(block):
            await self._reserve(offset + len(block))
            with disk():
                await asyncio.to_thread(appender.write, block[known:])
        return offset + len(block)

    async def _reserve(self, size_bytes: int) -> None:
        if size_bytes <= self.upload.reserved_bytes:
            return
        self._means.limits.check_size(size_bytes)
        declared = self.upload.declared_bytes

        def act(connection: Connection) -> Upload:
            room = self._means.limits.room(connection, self.upload, size_bytes)
            ahead = min(size_bytes + RESERVED_BYTES, room, room if declared is None else declared)
            granted = msgspec.structs.replace(self.upload, reserved_bytes=ahead)
            rows.put(connection, granted)
            return granted

        self.upload = await self._means.database.write(act)

    async def _acknowledge(self, appender: Appender) -> None:
        with disk():
            await asyncio.to_thread(appender.sync)
        await self._put(received_bytes=appender.size)

    async def _put(self, **changes: Any) -> None:
        upload = msgspec.structs.replace(self.upload, touched_us=self._means.now_us(), **changes)
        await self._means.database.write(partial(rows.put, upload=upload))
        self.upload = upload

    async def _kept(self, appender: Appender) -> Kept:
        """Return the file that the upload becomes."""
        means, upload = self._means, self.upload
        with disk():
            head = await asyncio.to_thread(means.blobs.head, upload.blob)
        mime_type = file_types.guess(upload.mime_type, upload.file_name, head)
        now_us = means.now_us()
        ttl_s = min(means.limits.ttl_s, upload.ttl_s or means.limits.ttl_s)
        file = File(
            project=upload.project,
            id=upload.file_id or file_names.new_id(means.randomness),
            display_name=upload.display_name,
            mime_type=mime_type,
            size_bytes=appender.size,
            sha256_hex=appender.digest.hexdigest(),
            created_us=now_us,
            updated_us=now_us,
            expires_us=now_us + ttl_s * SECOND_US,
            state="processing" if mime_type.startswith(TIMED) else "active",
            purpose=upload.purpose,
        )
        return Kept(file, upload.blob)

    def _publish(self, kept: Kept, connection: Connection) -> tuple[Upload, Kept | None]:
        """Make the upload final and its file known, both or neither; return the expired one it replaces."""
        file = kept.file
        namesake = file_rows.find(connection, file.project, file.id, now_us=0)
        if namesake is not None and namesake.file.expires_us <= file.created_us:
            file_rows.remove(connection, namesake)
        file_rows.add(connection, kept)
        final = msgspec.structs.replace(
            self.upload, state="final", file_id=file.id, reserved_bytes=0, touched_us=file.created_us
        )
        rows.put(connection, final)
        return final, namesake
