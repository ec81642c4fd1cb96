"""The journal of one job: results as they come, with what is to be paid for each. Blocking, for threads.

Records stand one behind the other, and the file only grows. Invariant: what ``append`` has returned is on the
disk; what a crash has left of a record behind the last whole one is cut off when the journal is opened, so a
line has its record or is asked again. It knows no meaning of a result.

A record: number, kind, sizes and a checksum, then what is to be paid, then the result line.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from geminid.core.errors import Aborted

_HEADER = struct.Struct("<2sBxQIII")
_MAGIC = b"gJ"
READ_BYTES = 1024 * 1024
NEAR_BYTES = 4096
"""Most records are read in one go."""


class Kind(IntEnum):
    """What a record is."""

    ANSWER = 1
    ERROR = 2
    UNREAD = 3  # the line was no request at all


_KINDS = frozenset(map(int, Kind))


class Record(NamedTuple):
    """A line's result. ``due``: what is to be paid for it, encoded; empty for nothing."""

    number: int
    kind: Kind
    due: bytes
    result: bytes


class Placed(NamedTuple):
    """A record, and where it stands."""

    offset: int
    record: Record


class Journal:
    """Used by one thread at a time, and by one process: whoever comes second gets ``Aborted``."""

    def __init__(self, path: Path) -> None:
        """Raises ``Aborted`` when another process has it, ``OSError`` like files do."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise Aborted("Another process is at work on this job.") from None
        self.size = 0

    def recover(self) -> Iterator[Placed]:
        """Yield every whole record, then cut off what is behind the last one. Called once, first."""
        with os.fdopen(os.dup(self._file), "rb", READ_BYTES) as reader:
            reader.seek(0)
            while (found := _read(reader.read, self.size)) is not None:
                placed, size = found
                self.size += size
                yield placed
        os.ftruncate(self._file, self.size)
        os.lseek(self._file, self.size, os.SEEK_SET)

    def append(self, records: Iterable[Record]) -> list[int]:
        """Write records; return where they stand."""
        pieces, offsets, at = [], [], self.size
        for record in records:
            piece = _pack(record)
            pieces.append(piece)
            offsets.append(at)
            at += len(piece)
        self._write(b"".join(pieces))
        os.fdatasync(self._file)
        self.size = at
        return offsets

    def at(self, offset: int) -> Record:
        """Return the record that stands at ``offset``."""
        found = os.pread(self._file, NEAR_BYTES, offset)
        _, kind, number, due_size, result_size, _ = _HEADER.unpack_from(found)
        size, body = due_size + result_size, found[_HEADER.size :]
        if len(body) < size:
            body = os.pread(self._file, size, offset + _HEADER.size)
        return Record(number, Kind(kind), body[:due_size], body[due_size:size])

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, data: bytes) -> None:
        rest, at = memoryview(data), self.size
        while rest:
            written = os.pwrite(self._file, rest, at)
            at += written
            rest = rest[written:]


def _pack(record: Record) -> bytes:
    body = record.due + record.result
    checksum = zlib.crc32(body, record.number & 0xFFFFFFFF)
    sizes = len(record.due), len(record.result)
    return _HEADER.pack(_MAGIC, record.kind, record.number, *sizes, checksum) + body


def _read(read: Callable[[int], bytes], offset: int) -> tuple[Placed, int] | None:
    """Return the next record and its size; None where there is no whole one."""
    header = read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    magic, kind, number, due_size, result_size, checksum = _HEADER.unpack(header)
    if magic != _MAGIC or kind not in _KINDS:
        return None
    body = read(due_size + result_size)
    if len(body) < due_size + result_size or zlib.crc32(body, number & 0xFFFFFFFF) != checksum:
        return None
    record = Record(number, Kind(kind), body[:due_size], body[due_size:])
    return Placed(offset, record), _HEADER.size + len(body)
