"""Files of this server: folders that are its own, and what a full or failing disk means to a caller.

It knows no file's meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geminid.core.errors import Unavailable

RETRY_AFTER_MS = 5_000


def private_folder(path: Path) -> Path:
    """Return a folder; one that is made here is its owner's alone, since what clients send is in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return path


@contextmanager
def disk() -> Iterator[None]:
    """Turn what a disk says while it is written to into what a caller is told, without a path."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"The server cannot keep these bytes now: {error.strerror}.", retry_after_ms=RETRY_AFTER_MS
        ) from error
