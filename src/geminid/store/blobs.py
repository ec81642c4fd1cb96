"""Bytes on disk, one file a key, all in one folder. Plain blocking functions, for threads.

It knows no meaning of a key. A file is made by its first byte and changes by growing only; what was
synced stays, whatever happens to the process or the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from geminid.core.disk import private_folder

HEAD_BYTES = 4096
BLOCK_BYTES = 1024 * 1024


class Digest(Protocol):
    """A hash that takes bytes as they pass."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """Return the hash of what was taken."""


class Blobs:
    """A folder of bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)

    def path(self, key: str) -> Path:
        """Return where the bytes of a key lie, or would lie."""
        return self._folder / key

    def open(self, key: str, size: int, new_digest: Callable[[], Digest]) -> Appender:
        """Open bytes for growing, cut to ``size`` where more were written than acknowledged."""
        return Appender(self.path(key), size, new_digest())

    def head(self, key: str) -> bytes:
        """Return the first bytes, as many as tell what a file is."""
        with self.path(key).open("rb") as file:
            return file.read(HEAD_BYTES)

    def remove(self, key: str) -> None:
        """Remove bytes; there may be none."""
        self.path(key).unlink(missing_ok=True)

    def keys(self) -> set[str]:
        """Return the keys of everything that is there."""
        return {entry.name for entry in os.scandir(self._folder)}


class Appender:
    """Bytes that grow. ``size`` and ``digest`` are of what was written; raises ``OSError`` like files do."""

    def __init__(self, path: Path, size: int, digest: Digest) -> None:
        """Hash what is there already, which takes time for large files."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._path = path
        self.digest = digest
        self.size = 0
        try:
            os.ftruncate(self._file, min(size, os.fstat(self._file).st_size))
            while block := os.pread(self._file, BLOCK_BYTES, self.size):
                self._count(block)
        except BaseException:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        """Write at the end, all of it."""
        rest = memoryview(data)
        at = self.size
        while rest:
            written = os.pwrite(self._file, rest, at)
            at += written
            rest = rest[written:]
        self._count(data)

    def holds(self, data: bytes, at: int) -> bool:
        """Tell whether the bytes from ``at`` on are these."""
        return os.pread(self._file, len(data), at) == data

    def sync(self) -> None:
        """Have everything that counts on the disk, and the name by which it is found."""
        if os.fstat(self._file).st_size > self.size:
            os.ftruncate(self._file, self.size)  # a full disk took a part of a block
        os.fsync(self._file)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let go of the file; what was not synced may be lost."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _count(self, block: bytes) -> None:
        self.digest.update(block)
        self.size += len(block)
