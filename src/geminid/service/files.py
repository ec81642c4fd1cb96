"""The acts on uploaded files: find, list, delete, and look into what has a duration.

It knows no wire and no parser. Invariant: a file that is not there, has expired or belongs to another
project is the same ``UnknownFile``; one that is ``processing`` becomes something else in the end, if need
be after a restart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from geminid.core.errors import FailedPrecondition, Problem, Unavailable, UnknownFile
from geminid.core.file import File, FileState, Place, Wanted
from geminid.media.messages import Probed
from geminid.service.file_names import id_of, is_file_uri
from geminid.store import files as rows
from geminid.store import vectors
from geminid.store.blobs import Blobs
from geminid.store.database import Database
from geminid.store.files import Kept

__all__ = ["Files", "Found", "Page", "Probe", "is_file_uri", "now_us"]

Probe = Callable[[Path, str], Awaitable[Probed]]
"""(path, MIME type) → what the file is; raises ``InvalidArgument`` when it cannot even be opened."""
NowUs = Callable[[], int]
"""What time it is, in microseconds since 1970."""

TIMED = ("audio/", "video/", "application/ogg", "application/mp4")
"""Types of files that are looked into before they can be used."""
RETRY_S = 2.0
BROKEN = "The file could not be looked into."

log = logging.getLogger("geminid.files")


def now_us() -> int:
    """Return the machine's time."""
    return time.time_ns() // 1000


class Found(NamedTuple):
    """A file that can be read. ``path`` may not be written to."""

    path: Path
    sha256_hex: str
    mime_type: str


class Page(NamedTuple):
    """Some of a project's files, and where the next page begins if there is one."""

    files: tuple[File, ...]
    next: Place | None


class Files:
    """The files of all projects. Used on one event loop only."""

    def __init__(self, database: Database, blobs: Blobs, probe: Probe, now_us: NowUs = now_us) -> None:
        self._database = database
        self._blobs = blobs
        self._probe = probe
        self._now_us = now_us
        self._looking: set[asyncio.Task[None]] = set()

    async def find(self, project: str, uri: str) -> Found:
        """Return the file that a reference of a request means.

        Raises ``UnknownFile``, and ``FailedPrecondition`` for a file that is not active.
        """
        kept = await self._kept(project, id_of(uri))
        if kept.file.state != "active":
            raise FailedPrecondition(
                f"The File {kept.file.id} is not in an ACTIVE state and usage is not allowed."
            )
        return Found(self._blobs.path(kept.blob), kept.file.sha256_hex, kept.file.mime_type)

    async def get(self, project: str, file_id: str) -> File:
        """Return what is known of a file; raises ``UnknownFile``."""
        return (await self._kept(project, file_id)).file

    async def path(self, project: str, file_id: str) -> tuple[File, Path]:
        """Return a file with where its bytes lie, in whatever state it is; raises ``UnknownFile``."""
        kept = await self._kept(project, file_id)
        return kept.file, self._blobs.path(kept.blob)

    async def page(self, project: str, size: int, after: Place | None = None) -> Page:
        """Return ``size`` files at most, the newest first, beginning after a place in that order."""
        found = await self._database.read(
            lambda connection: rows.page(connection, project, self._now_us(), after, size + 1)
        )
        shown = found[:size]
        more = Place(shown[-1].created_us, shown[-1].id) if len(found) > size else None
        return Page(shown, more)

    async def listing(self, project: str, size: int, wanted: Wanted, after_id: str = "") -> Page:
        """Return ``size`` of the wanted files at most, beginning after one of them.

        Raises ``UnknownFile`` where ``after_id`` is no file.
        """
        after = None
        if after_id:
            last = await self.get(project, after_id)
            after = Place(last.created_us, last.id)
        now_us = self._now_us()
        found = await self._database.read(
            lambda connection: rows.listing(connection, project, now_us, wanted, after, size + 1)
        )
        shown = found[:size]
        more = Place(shown[-1].created_us, shown[-1].id) if len(found) > size else None
        return Page(shown, more)

    async def delete(self, project: str, file_id: str) -> None:
        """Remove a file and its bytes, also from stores of vectors; whoever reads it now reads on. Raises
        ``UnknownFile``."""

        def act(connection: Connection) -> Kept:
            kept = rows.find(connection, project, file_id, self._now_us())
            if kept is None:
                raise UnknownFile(file_id)
            rows.remove(connection, kept)
            vectors.remove_everywhere(connection, project, file_id)
            return kept

        await self._drop([await self._database.write(act)])

    async def sweep(self) -> None:
        """Remove what has expired."""

        def act(connection: Connection) -> tuple[Kept, ...]:
            expired = rows.expired(connection, self._now_us())
            for kept in expired:
                rows.remove(connection, kept)
            return expired

        await self._drop(await self._database.write(act))

    async def resume(self) -> None:
        """Look into the files that an earlier process did not get to."""
        for kept in await self._database.read(rows.processing):
            self.look_into(kept)

    def look_into(self, kept: Kept) -> None:
        """Begin to find out how long a file lasts, after which it is active or failed."""
        task = asyncio.create_task(self._look_into(kept))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def close(self) -> None:
        """Stop looking into files; they are looked into after the next start."""
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)

    async def _kept(self, project: str, file_id: str) -> Kept:
        kept = await self._database.read(
            lambda connection: rows.find(connection, project, file_id, self._now_us())
        )
        if kept is None:
            raise UnknownFile(file_id)
        return kept

    async def _look_into(self, kept: Kept) -> None:
        while True:
            try:
                settled = await self._settled(kept)
                await self._database.write(partial(rows.settle, file=settled))
                return
            except Unavailable as busy:
                await asyncio.sleep(busy.retry_after_ms / 1000 if busy.retry_after_ms else RETRY_S)

    async def _settled(self, kept: Kept) -> File:
        """Return the file as it is once it was looked into."""
        try:
            probed = await self._probe(self._blobs.path(kept.blob), kept.file.mime_type)
            return self._changed(kept.file, "active", duration_ms=probed.duration_ms)
        except Unavailable:
            raise
        except Problem as problem:
            return self._changed(kept.file, "failed", fault=problem.message)
        except Exception:
            log.exception("%s could not be looked into", kept.file.id)
            return self._changed(kept.file, "failed", fault=BROKEN)

    def _changed(
        self, file: File, state: FileState, *, duration_ms: int | None = None, fault: str = ""
    ) -> File:
        return msgspec.structs.replace(
            file, state=state, duration_ms=duration_ms, fault=fault, updated_us=self._now_us()
        )

    async def _drop(self, gone: list[Kept] | tuple[Kept, ...]) -> None:
        for kept in gone:
            await asyncio.to_thread(self._blobs.remove, kept.blob)
