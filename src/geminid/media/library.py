"""What was read once is known: readings by the hash of what they were read from.

Two callers with the same file wait for one reading. It knows no parser. Invariant: a reading is
found only under the very bytes, the very question, the bounds and the models that it came from.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from geminid.core.disk import private_folder
from geminid.media.bounds import Bounds
from geminid.media.reading import Ask, Reading

VERSION = 1
"""Raised whenever the same file would be read differently."""
SWEPT_SHARE = 0.8
"""A full library is emptied to this share, the readings that were not asked for longest first."""

log = logging.getLogger("geminid.media")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Reading).decode
_order = msgspec.json.Encoder(order="deterministic").encode


class Maker(msgspec.Struct, frozen=True):
    """What tells readers apart beside their input. ``speech`` is the name of the model, empty without."""

    bounds: Bounds
    speech: str


class Library:
    """Readings on disk, at most ``bytes_max`` of them; 0 keeps none. ``maker`` tells who would read now."""

    def __init__(self, folder: Path, bytes_max: int, maker: Callable[[], Maker]) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._maker = maker
        self._bytes: int | None = None
        self._running: dict[str, tuple[asyncio.Task[Reading], list[None]]] = {}
        if bytes_max:
            private_folder(folder)

    async def read(self, sha256: str, ask: Ask, reader: Callable[[], Awaitable[Reading]]) -> Reading:
        """Return the reading of a file, by ``reader`` unless it is known or already being read."""
        key = self._key(sha256, ask)
        if self._bytes_max and (known := await asyncio.to_thread(self._find, key)):
            return known
        if key not in self._running:
            self._running[key] = (asyncio.create_task(self._read(key, reader)), [])
        task, waiting = self._running[key]
        waiting.append(None)
        try:
            return await asyncio.shield(task)
        finally:
            waiting.pop()
            if not waiting and self._running.get(key, (None,))[0] is task:
                del self._running[key]
                task.cancel()  # nobody wants it any more; one that is done does not mind

    async def _read(self, key: str, reader: Callable[[], Awaitable[Reading]]) -> Reading:
        reading = await reader()
        if self._bytes_max:
            await asyncio.to_thread(self._keep, key, reading)
        return reading

    def _key(self, sha256: str, ask: Ask) -> str:
        about = _order([VERSION, sha256, ask, self._maker()])
        return hashlib.sha256(about).hexdigest()

    def _find(self, key: str) -> Reading | None:
        path = self._folder / key
        try:
            reading = _decode(path.read_bytes())
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError):
            path.unlink(missing_ok=True)
            return None
        return reading

    def _keep(self, key: str, reading: Reading) -> None:
        """Write a reading whole or not at all; a full disk costs nothing but the reading again."""
        body, path = _encode(reading), self._folder / key
        draft = path.with_name(f".{key}.{os.getpid()}")
        try:
            draft.write_bytes(body)
            draft.replace(path)
            self._bytes = self._size() if self._bytes is None else self._bytes + len(body)
            if self._bytes > self._bytes_max:
                self._sweep()
        except OSError as error:
            log.warning("a reading could not be kept: %s", error)
            draft.unlink(missing_ok=True)

    def _size(self) -> int:
        return sum(entry.stat().st_size for entry in os.scandir(self._folder))

    def _sweep(self) -> None:
        entries = sorted(
            (
                (entry.stat().st_mtime_ns, entry.stat().st_size, entry.path)
                for entry in os.scandir(self._folder)
            ),
            reverse=True,
        )
        kept = 0
        for _, size_bytes, path in entries:
            if kept + size_bytes <= self._bytes_max * SWEPT_SHARE:
                kept += size_bytes
            else:
                Path(path).unlink(missing_ok=True)
        self._bytes = kept
