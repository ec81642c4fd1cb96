"""A file that is arriving: counted, hashed and written outside the event loop, in pieces.

It knows no network. Invariant: it never grows beyond ``bytes_max``, memory holds one piece of it, and it is
gone after a context that ends in an error. What the disk refuses is ``Unavailable``.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from geminid.core.disk import disk
from geminid.fetch.faults import Unfetchable

PIECE_BYTES = 1024 * 1024


class Draft:
    """A new file at ``path``, where there must be none."""

    def __init__(self, path: Path, bytes_max: int) -> None:
        with disk():
            self._file = path.open("xb")
        self._path = path
        self._bytes_max = bytes_max
        self._size_bytes = 0
        self._piece = bytearray()
        self._digest = hashlib.sha256()

    def __enter__(self) -> Draft:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._file.close()
            return
        with suppress(OSError):  # a full disk fails once more, with what was still to be written
            self._file.close()
        self._path.unlink(missing_ok=True)

    def expect(self, size_bytes: int) -> None:
        """Raise ``Unfetchable`` when so many bytes more are too many."""
        if self._size_bytes + size_bytes > self._bytes_max:
            raise Unfetchable(f"It is larger than {self._bytes_max} bytes.")

    async def add(self, chunk: bytes) -> None:
        """Take the next bytes; raises ``Unfetchable`` before there are too many."""
        self.expect(len(chunk))
        self._size_bytes += len(chunk)
        self._piece += chunk
        if len(self._piece) >= PIECE_BYTES:
            await self._write()

    async def finish(self) -> str:
        """Put everything in its place and return its SHA-256, in lower-case hex."""
        await self._write()
        with disk():
            await asyncio.to_thread(self._file.close)
        return self._digest.hexdigest()

    async def _write(self) -> None:
        piece, self._piece = self._piece, bytearray()

        def write() -> None:
            self._digest.update(piece)
            self._file.write(piece)

        with disk():
            await asyncio.to_thread(write)
