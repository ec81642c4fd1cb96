"""Files and uploads over a real database and real bytes in a folder, with a clock that a test moves."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from geminid.media.messages import Probed
from geminid.service.file_limits import FileLimits
from geminid.service.files import Files
from geminid.service.sweep import Sweeper
from geminid.service.uploads import Uploads
from geminid.store.blobs import Blobs
from geminid.store.database import Database, sqlite_url

START_US = 1_790_000_000_123_456
PROJECT = "default"


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.us = START_US

    def __call__(self) -> int:
        return self.us

    def advance(self, seconds: float) -> None:
        self.us += int(seconds * 1_000_000)


class Storage(NamedTuple):
    """Everything of one start of the server."""

    files: Files
    uploads: Uploads
    sweeper: Sweeper
    database: Database
    blobs: Blobs
    clock: Clock


async def at_once(path: Path, mime_type: str) -> Probed:
    """A probe that finds every file to be a film of 1.5 seconds."""
    return Probed("video", mime_type, 1_500)


@asynccontextmanager
async def storing(
    folder: Path, *, probe=at_once, clock: Clock | None = None, blobs: Blobs | None = None, seed=1, **limits
) -> AsyncIterator[Storage]:
    """Start as the server does, and stop as it does."""
    clock = clock or Clock()
    numbers = itertools.count(seed)

    def randomness(n: int) -> bytes:
        return next(numbers).to_bytes(n, "big")

    database = await Database.open(sqlite_url(folder / "geminid.db"))
    blobs = blobs or Blobs(folder / "blobs")
    files = Files(database, blobs, probe, clock)
    uploads = Uploads(database, blobs, files, FileLimits(**limits), clock, randomness)
    sweeper = Sweeper(files, uploads, every_s=3600)
    try:
        await sweeper.start()
        yield Storage(files, uploads, sweeper, database, blobs, clock)
    finally:
        await sweeper.close()
        await files.close()
        await uploads.close()
        await database.close()


async def blocks_of(*blocks: bytes) -> AsyncIterator[bytes]:
    """The body of a request."""
    for block in blocks:
        yield block


async def settled(storage: Storage, file_id: str):
    """Return a file once it is no longer processing."""
    for _ in range(500):
        file = await storage.files.get(PROJECT, file_id)
        if file.state != "processing":
            return file
        await asyncio.sleep(0.01)
    raise AssertionError(f"{file_id} is processing for ever")
