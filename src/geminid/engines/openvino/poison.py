"""Grammars that must never reach an engine again, remembered over restarts in one small file.

It knows keys and reasons, not grammars or processes. Invariant: the file on disk is always whole; one
that cannot be read is an empty one, one that cannot be written costs the memory and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from pathlib import Path

import msgspec

ENTRIES_MAX = 1024
"""The oldest go first: forgetting one costs one more check."""
REASON_CHARS_MAX = 400

log = logging.getLogger("geminid.engine")


class Poison:
    """Key → why it was refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reasons: dict[str, str] = _read(path)

    def reason(self, key: str) -> str:
        """Return why this one is refused, empty when nothing is known against it."""
        return self._reasons.get(key, "")

    def add(self, key: str, reason: str) -> None:
        """Remember one, now and after a restart."""
        self._reasons.pop(key, None)
        self._reasons[key] = (reason or "unknown")[:REASON_CHARS_MAX]
        while len(self._reasons) > ENTRIES_MAX:
            del self._reasons[next(iter(self._reasons))]
        try:
            _write(self._path, msgspec.json.encode(self._reasons))
        except OSError as error:
            log.warning("refused grammars are not remembered: %s", error)


def _read(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("refused grammars are forgotten: %s: %s", path, error)
        return {}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=".poison-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(scratch, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(scratch)
        raise
