"""Two tables of one job that lie in files, so that a million lines take no memory. Blocking, for threads.

:class:`Index` tells where in the journal a line's result stands; :class:`Seen` which line asked the same
before. Both are made from what is durable whenever a job is taken up; nothing of them has to survive.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

BLOCK_LINES = 4096
DIGEST_BYTES = 16
_SLOT = struct.Struct(f"<{DIGEST_BYTES}sQ")
_NEAR_SLOTS = 8


class Index:
    """Line → place in the journal. Lines are numbered from 0."""

    def __init__(self, path: Path, lines: int) -> None:
        """Make an empty one."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, lines * 8)
        self._lines = lines

    def put(self, line: int, offset: int) -> None:
        """Note where a line's result stands."""
        os.pwrite(self._file, (offset + 1).to_bytes(8, "little"), line * 8)

    def get(self, line: int) -> int | None:
        """Return where a line's result stands; None while it has none."""
        found = int.from_bytes(os.pread(self._file, 8, line * 8), "little")
        return found - 1 if found else None

    def places(self) -> Iterator[int | None]:
        """Yield what :meth:`get` returns, for each line in turn."""
        for first in range(0, self._lines, BLOCK_LINES):
            count = min(BLOCK_LINES, self._lines - first)
            block = array("Q", os.pread(self._file, count * 8, first * 8))
            yield from (found - 1 if found else None for found in block)

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Seen:
    """Digest of a request → the first line that asked it. Open addressing, at most half full."""

    def __init__(self, path: Path, lines: int) -> None:
        """Make an empty one."""
        self._slots = 1 << max(2 * lines, _NEAR_SLOTS).bit_length()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, (self._slots + _NEAR_SLOTS) * _SLOT.size)

    def first(self, digest: bytes, line: int) -> int:
        """Return the line that asked this before; ``line``, and note it, when none did."""
        at = int.from_bytes(digest[:8], "little") % self._slots
        while True:
            near = os.pread(self._file, _NEAR_SLOTS * _SLOT.size, at * _SLOT.size)
            for step, (known, number) in enumerate(_SLOT.iter_unpack(near)):
                if not number:
                    os.pwrite(self._file, _SLOT.pack(digest, line + 1), (at + step) * _SLOT.size)
                    return line
                if known == digest:
                    return int(number) - 1
            at = (at + _NEAR_SLOTS) % self._slots

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
