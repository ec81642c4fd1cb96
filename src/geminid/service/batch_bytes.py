"""The bytes of jobs: what comes in is laid down before a job is there, what is left over is cleared away.

Blocking functions, for threads. It knows no line's meaning. Invariant: a job's input is its own, whatever
becomes of the file that it came in.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from geminid.core.batch import Inspection
from geminid.core.errors import UnknownFile
from geminid.store.blobs import Blobs
from geminid.store.lines import RawLine, raw_lines

FRESH_S = 3600
"""Bytes that nobody knows are let alone for so long: their job may be on its way."""


class Laid(NamedTuple):
    """An input that is on the disk. found: what its lines say of themselves, if they were inspected."""

    size_bytes: int
    lines: int
    found: Inspection | None = None


def lay_lines(blobs: Blobs, key: str, lines: Iterable[bytes]) -> Laid:
    """Write lines that came in a body, each on a line of its own, and have them on the disk."""
    size = count = 0
    with open(blobs.path(key), "xb", opener=_private) as file:
        for line in lines:
            size += file.write(_one_line(line) + b"\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    _sync(blobs.path(key).parent)
    return Laid(size, count)


def lay_file(
    blobs: Blobs,
    key: str,
    source: Path,
    line_bytes_max: int,
    inspect: Callable[[Iterator[RawLine]], Inspection] | None = None,
) -> Laid:
    """Take the bytes of a file, which never change, under a name of the job's own, and count its lines.

    inspect: is shown the lines on the way. Raises ``UnknownFile`` where it was deleted a moment ago.
    """
    path = blobs.path(key)
    try:
        try:
            os.link(source, path)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without links
            shutil.copyfile(source, path)
            _sync(path)
    except FileNotFoundError as error:
        raise UnknownFile(source.name) from error
    _sync(path.parent)
    with path.open("rb", 1024 * 1024) as file:
        lines = _Counted(raw_lines(file, line_bytes_max))
        found = inspect(lines) if inspect is not None else None
        for _ in lines:
            pass
        return Laid(path.stat().st_size, lines.count, found)


class _Counted:
    """Lines, and how many of them have passed."""

    def __init__(self, lines: Iterator[RawLine]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[RawLine]:
        return self

    def __next__(self) -> RawLine:
        line = next(self._lines)
        self.count += 1
        return line


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file of results."""
    with path.open("rb", 1024 * 1024) as file:
        for line in file:
            yield line.rstrip(b"\n")


def drop(blobs: Blobs, keys: Iterable[str]) -> None:
    """Remove bytes; some may be gone."""
    for key in keys:
        blobs.remove(key)


def drop_orphans(blobs: Blobs, known: set[str], now_s: float | None = None) -> None:
    """Remove bytes of jobs that belong to nothing: their deletion was interrupted."""
    old = (time.time() if now_s is None else now_s) - FRESH_S
    for key in blobs.keys() - known:
        with suppress(FileNotFoundError):
            if "." in key and blobs.path(key).stat().st_mtime < old:
                blobs.remove(key)


def _one_line(raw: bytes) -> bytes:
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    return msgspec.json.format(raw, indent=-1)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
