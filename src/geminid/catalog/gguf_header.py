"""The head of a GGUF file: what it says about itself, without reading the weights.

The ``gguf`` library builds an array for each of the 50,000 tokens and takes 8 s for a small model;
this reader steps over arrays and takes a fraction of a second. Layout:
magic, version, counts │ key-value pairs │ tensor infos │ padding │ weights. Invariant: a header is
returned only if the file is long enough to hold every tensor that it promises.
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path

import msgspec

from geminid.catalog.faults import BadWeights

MAGIC = b"GGUF"
VERSIONS = (2, 3)

_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}

# Tensor type → (weights in a block, bytes of a block); ggml's list, held against the gguf library by a test.
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
    22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip

Scalar = str | int | float | bool


class GgufHeader(msgspec.Struct, frozen=True):
    """``values`` holds every key except arrays; ``parameters`` is the number of weights."""

    version: int
    values: dict[str, Scalar]
    parameters: int

    def text(self, key: str) -> str:
        """Return a string value, empty when absent or of another type."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """Return an integer value, 0 when absent or of another type."""
        value = self.values.get(key)
        return value if isinstance(value, int) else 0


class _Cursor:
    """A place in the bytes of a file; reading past the end raises ``struct.error``."""

    def __init__(self, view: mmap.mmap) -> None:
        self.view = view
        self.at = 0

    def scalar(self, form: str) -> int | float | bool:
        (value,) = struct.unpack_from(form, self.view, self.at)
        self.at += struct.calcsize(form)
        return value  # type: ignore[no-any-return]

    def count(self, form: str = "<Q") -> int:
        return int(self.scalar(form))

    def skip(self, size_bytes: int) -> None:
        if size_bytes > len(self.view) - self.at:
            raise struct.error("past the end")
        self.at += size_bytes

    def string(self) -> str:
        size_bytes = self.count()
        start = self.at
        self.skip(size_bytes)
        return self.view[start : self.at].decode("utf-8", "replace")


def read_header(path: Path) -> GgufHeader:
    """Return the header of a GGUF file.

    Raises :class:`BadWeights` when the file is no GGUF, of an unknown version, damaged or cut short,
    and OSError when it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BadWeights(
                f"{path} is not a GGUF file", "give a .gguf file or a folder with an OpenVINO model"
            )
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            try:
                return _header(_Cursor(view), path)
            except (struct.error, OverflowError):  # a length or place that no file has
                raise _cut_short(path, "its header ends early") from None


def _cut_short(path: Path, why: str) -> BadWeights:
    return BadWeights(f"{path} is truncated: {why}", "the download did not finish; fetch it again")


def _header(cursor: _Cursor, path: Path) -> GgufHeader:
    cursor.skip(len(MAGIC))
    version = cursor.count("<I")
    if version not in VERSIONS:
        raise BadWeights(
            f"{path} is GGUF version {version}", "convert it with a current llama.cpp (version 3)"
        )
    tensors, pairs = cursor.count(), cursor.count()
    values = dict(pair for pair in (_pair(cursor, path) for _ in range(pairs)) if pair is not None)
    parameters, end_bytes = _extent(cursor, tensors)
    alignment = values.get("general.alignment", 32)
    start_bytes = (
        -(-cursor.at // alignment) * alignment if isinstance(alignment, int) and alignment > 0 else cursor.at
    )
    if start_bytes + end_bytes > len(cursor.view):
        raise _cut_short(path, f"it has {len(cursor.view)} of {start_bytes + end_bytes} bytes")
    return GgufHeader(version, values, parameters)


def _pair(cursor: _Cursor, path: Path) -> tuple[str, Scalar] | None:
    """Read one key and value; None for an array, which is stepped over."""
    key, kind = cursor.string(), cursor.count("<I")
    if kind == _STRING:
        return key, cursor.string()
    if kind == _ARRAY:
        _skip_array(cursor, path)
        return None
    return key, cursor.scalar(_form(kind, path))


def _form(kind: int, path: Path) -> str:
    if kind not in _SCALARS:
        raise BadWeights(f"{path} is damaged: unknown value type {kind}", "fetch it again")
    return _SCALARS[kind]


def _skip_array(cursor: _Cursor, path: Path) -> None:
    kind, length = cursor.count("<I"), cursor.count()
    if kind != _STRING:
        cursor.skip(struct.calcsize(_form(kind, path)) * length)
        return
    if length * 8 > len(cursor.view) - cursor.at:  # each string has at least its length in front
        raise struct.error("past the end")
    unpack, view, at = struct.Struct("<Q").unpack_from, cursor.view, cursor.at
    for _ in range(length):
        at += 8 + unpack(view, at)[0]
    cursor.at = at


def _extent(cursor: _Cursor, tensors: int) -> tuple[int, int]:
    """Return the number of weights, and where the last tensor ends, counted from the first one's start."""
    parameters = end_bytes = 0
    for _ in range(tensors):
        cursor.string()
        weights = math.prod(cursor.count() for _ in range(cursor.count("<I")))
        block_weights, block_bytes = BLOCKS.get(cursor.count("<I"), (1, 0))
        end_bytes = max(end_bytes, cursor.count() + -(-weights // block_weights) * block_bytes)
        parameters += weights
    return parameters, end_bytes
