"""Digests of files, and the one place where a digest is held against what was promised."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from geminid.catalog.faults import ChecksumMismatch

CHUNK_BYTES = 4 << 20

Told = Callable[[int], None]
"""Is called with the number of bytes done so far."""


def _ignore(done_bytes: int) -> None:
    pass


def sha256_of(path: Path, told: Told = _ignore) -> str:
    """Return the SHA-256 of a file in lower case hexadecimal. Raises OSError."""
    hasher = hashlib.sha256()
    done_bytes = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hasher.update(chunk)
            done_bytes += len(chunk)
            told(done_bytes)
    return hasher.hexdigest()


def git_blob_of(path: Path) -> str:
    """Return git's name of a file's content (SHA-1), which a hub tells for files that are not in LFS."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def copy_hashed(source: BinaryIO, target: BinaryIO, bytes_max: int, told: Told = _ignore) -> str | None:
    """Copy a stream and return its SHA-256, or None when it holds more than ``bytes_max`` bytes."""
    hasher = hashlib.sha256()
    done_bytes = 0
    while chunk := source.read(CHUNK_BYTES):
        done_bytes += len(chunk)
        if done_bytes > bytes_max:
            return None
        hasher.update(chunk)
        target.write(chunk)
        told(done_bytes)
    return hasher.hexdigest()


def check(what: str, expected: str, actual: str) -> None:
    """Raise :class:`ChecksumMismatch` unless both digests are the same."""
    if expected.lower() != actual.lower():
        raise ChecksumMismatch(what, expected, actual)
