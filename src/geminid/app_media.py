"""The part of the composition root that reads media: settings in, reader processes and fetching out.

It knows no engine and no wire. Only the composition root and the command line import it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psutil

from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import located
from geminid.catalog.speech import speech_card
from geminid.config import Config, MediaConfig
from geminid.core.disk import private_folder
from geminid.fetch.fetcher import FetchConfig, Fetcher
from geminid.fetch.networks import read_networks
from geminid.media.bounds import Bounds
from geminid.media.library import Library, Maker
from geminid.media.pool import PoolConfig, ReaderPool
from geminid.media.reading import Ask, Reading
from geminid.service.locate import local_file
from geminid.store.backup import BLOBS_FOLDER

GIB = 1024**3


def fetcher_of(media: MediaConfig) -> Fetcher | None:
    """Return what fetches addresses; None when nothing is to be fetched."""
    if media.fetch == "off":
        return None
    return Fetcher(
        FetchConfig(
            bytes_max=media.fetch_bytes_max,
            time_ms_max=media.fetch_ms_max,
            allow=read_networks(media.fetch_allow),
        )
    )


class Readers(msgspec.Struct, frozen=True):
    """What reads media: the processes, and what was read already. ``incoming`` is for bytes on their way."""

    pool: ReaderPool
    library: Library
    incoming: Path

    async def read(self, path: Path, ask: Ask) -> Reading:
        """Return what is in a file of this machine; raises ``InvalidArgument`` when it cannot be read."""
        file = await local_file(path)
        return await self.library.read(file.sha256, ask, lambda: self.pool.read(file.path.absolute(), ask))


@asynccontextmanager
async def readers(config: Config, catalog: Catalog, *, anywhere: bool = False) -> AsyncIterator[Readers]:
    """Build what reads media, and end its processes at the end.

    anywhere: whether files of the whole machine are read, as on the command line, or only those that
    clients have sent.
    """
    incoming = _incoming(config.data() / "incoming")
    pool_config = media_config(config, catalog, None if anywhere else (incoming, blobs_folder(config)))
    pool = ReaderPool(pool_config)

    def maker() -> Maker:
        return Maker(pool_config.bounds, config.media.speech if pool_config.speech() else "")

    library = Library(config.data() / "readings", config.media.cache_bytes_max, maker)
    try:
        yield Readers(pool, library, incoming)
    finally:
        await pool.close()
        shutil.rmtree(incoming, ignore_errors=True)


def blobs_folder(config: Config) -> Path:
    """Return where the bytes of files lie, which is there then."""
    return private_folder(config.data() / BLOBS_FOLDER)


def _incoming(folder: Path) -> Path:
    """Return an empty folder of this process's own, and clear up after those that were killed."""
    for left in private_folder(folder).iterdir():
        if not left.name.isdecimal() or not psutil.pid_exists(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)
    own = folder / str(os.getpid())
    shutil.rmtree(own, ignore_errors=True)
    return private_folder(own)


def media_config(config: Config, catalog: Catalog, folders: tuple[Path, ...] | None = None) -> PoolConfig:
    """Return how files are read. The speech model is looked for whenever a process starts.

    folders: where all of them lie; None when they may be anywhere.
    """
    media, cache = config.media, config.cache()
    card = speech_card(media.speech, catalog) if media.speech else None
    return PoolConfig(
        bounds=Bounds(
            pixels_max=media.pixels_max,
            pages_max=media.pages_max,
            duration_ms_max=media.duration_ms_max,
            frames_max=media.frames_max,
            expanded_bytes_max=media.expanded_bytes_max,
            characters_max=media.characters_max,
            time_ms_max=media.read_ms_max,
            memory_bytes_max=media.memory_gib * GIB,
        ),
        processes=media.processes,
        threads=media.threads or psutil.cpu_count() or 1,
        speech=lambda: located(card, cache) if card is not None else None,
        folders=folders,
    )
