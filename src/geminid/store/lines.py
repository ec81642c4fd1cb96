"""The lines of a job's bytes, one at a time. What a line says is for the wire to read.

Invariant: memory is bounded by one line of the permitted length, whatever the file is; blank lines are no
lines; one that is too long stands in its place as such, so that the lines after it keep their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

BOM = b"\xef\xbb\xbf"
BLOCK_BYTES = 1024 * 1024


class RawLine(NamedTuple):
    """A line without the space around it. ``data`` is empty for one that is too long; ``size`` is its own."""

    data: bytes
    size: int


def raw_lines(file: BinaryIO, line_bytes_max: int) -> Iterator[RawLine]:
    """Yield each line of a file that is at its beginning; raises ``OSError`` like files do."""
    first = True
    while raw := file.readline(line_bytes_max + 2):
        if first:
            raw, first = raw.removeprefix(BOM), False
        if len(raw) > line_bytes_max and not raw.endswith(b"\n"):
            yield RawLine(b"", len(raw) + _rest(file))
        elif stripped := raw.strip():
            yield RawLine(stripped, len(raw))


def _rest(file: BinaryIO) -> int:
    """Move to the next line; return how many bytes that was."""
    size = 0
    while block := file.readline(BLOCK_BYTES):
        size += len(block)
        if block.endswith(b"\n"):
            break
    return size
