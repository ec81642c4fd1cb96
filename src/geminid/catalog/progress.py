"""How far a pull has come, told to whoever asked for it.

It knows no terminal: a :class:`Progress` is a value handed to a callback. An error raised by the
callback ends the pull, cleanly: at once, or while a hub transfer runs, after that transfer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

Stage = Literal["download", "verify", "unpack"]

POLL_S = 0.1


class Progress(msgspec.Struct, frozen=True):
    """``done_bytes`` of ``total_bytes`` (0: unknown) of a stage; ``detail`` names what is worked on."""

    stage: Stage
    done_bytes: int
    total_bytes: int = 0
    detail: str = ""


Report = Callable[[Progress], None]


def stored_bytes(folder: Path) -> list[int]:
    """Return the bytes really written of each file below ``folder``; holes of sparse files do not count."""
    sizes = []
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.stat(os.path.join(root, name))
            except FileNotFoundError:  # renamed under our eyes
                continue
            sizes.append(min(status.st_size, status.st_blocks * 512))
    return sizes


@contextmanager
def watched(tick: Callable[[], None]) -> Iterator[None]:
    """Call ``tick`` every 0.1 s from a thread while the body runs; its error is raised after the body."""
    done = threading.Event()
    errors: list[BaseException] = []

    def watch() -> None:
        try:
            while not done.wait(POLL_S):
                tick()
        except BaseException as error:  # handed over to the thread that waits
            errors.append(error)

    thread = threading.Thread(target=watch, name="geminid-pull-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    if errors:
        raise errors[0]
