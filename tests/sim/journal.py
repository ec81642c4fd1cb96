"""What a process knew when it died: lines that are in the file before anything else happens."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec


class Journal:
    """Appends lines; each is one ``write``, which a killed process has done or has not."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, word: str, *said: Any) -> None:
        os.write(self._file, msgspec.json.encode((word, *said)) + b"\n")


def read(folder: Path) -> Iterator[list[Any]]:
    """Yield the lines of all processes."""
    for path in sorted(folder.glob("*.journal")):
        for line in path.read_bytes().splitlines():
            yield msgspec.json.decode(line)
