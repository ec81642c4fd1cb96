"""Removing in time what has had its time: expired files, forgotten uploads, bytes that nobody knows."""

from __future__ import annotations

import asyncio
import logging

from geminid.core.errors import Problem
from geminid.service.files import Files
from geminid.service.uploads import Uploads

EVERY_S = 60.0

log = logging.getLogger("geminid.files")


class Sweeper:
    """Sweeps at the start and then again and again. Nothing depends on its being in time."""

    def __init__(self, files: Files, uploads: Uploads, every_s: float = EVERY_S) -> None:
        self._files = files
        self._uploads = uploads
        self._every_s = every_s
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Clear up after the last process and take up what it has left."""
        await self.sweep()
        await self._uploads.drop_orphans()
        await self._files.resume()
        self._sweeping = asyncio.create_task(self._sweep())

    async def sweep(self) -> None:
        """Sweep once."""
        await self._files.sweep()
        await self._uploads.sweep()

    async def close(self) -> None:
        """Stop."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.sweep()
            except (Problem, OSError) as error:
                log.warning("sweeping failed and is tried again: %s", error)
