"""Vectors of files in memory, and which windows of them are nearest to some queries: exact cosines.

It knows no database and no text. What was read is kept as long as there is room. Invariant: the arithmetic
runs in a thread, and what imports it does not wait for numpy.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

KEPT_BYTES_MAX = 256 * 1024 * 1024

FileKey = tuple[str, str, str, int]
"""Project, store, file, and when it was added: one that is added again is another one."""


class Near(NamedTuple):
    """A window, and the cosine of its vector with the nearest query, 0 to 1."""

    key: FileKey
    window: int
    score: float


class VectorMemory:
    """Vectors that were read, the last used ones."""

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[FileKey, bytes] = OrderedDict()

    def get(self, key: FileKey) -> bytes | None:
        """Return vectors that are remembered."""
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: FileKey, vectors: bytes) -> None:
        """Remember vectors; those that were not used longest make room."""
        if key in self._kept or len(vectors) > self._bytes_max:
            return
        self._kept[key] = vectors
        self._bytes += len(vectors)
        while self._bytes > self._bytes_max:
            self._bytes -= len(self._kept.popitem(last=False)[1])


def packed(vectors: Sequence[bytes]) -> bytes:
    """Return float32 vectors as they are kept: float16, one after the other."""
    import numpy as np

    return np.frombuffer(b"".join(vectors), "<f4").astype("<f2").tobytes()


def nearest(
    queries: Sequence[bytes], files: Mapping[FileKey, bytes], count: int, score_min: float
) -> list[Near]:
    """Return ``count`` windows at most, the nearest first. queries: float32 vectors of length 1."""
    import numpy as np

    asked = np.stack([np.frombuffer(each, "<f4") for each in queries]).astype(np.float32)
    asked /= np.maximum(np.linalg.norm(asked, axis=1, keepdims=True), 1e-12)
    found: list[Near] = []
    for key, data in files.items():
        scores = _scores(np.frombuffer(data, "<f2").reshape(-1, asked.shape[1]), asked)
        best = np.argsort(-scores, kind="stable")[:count]
        found += [Near(key, int(each), float(scores[each])) for each in best if scores[each] >= score_min]
    return sorted(found, key=lambda near: -near.score)[:count]


def _scores(rows: NDArray[float32], asked: NDArray[float32]) -> NDArray[float32]:
    import numpy as np

    rows = rows.astype(np.float32)
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
    best: NDArray[float32] = (rows @ asked.T).max(axis=1) / lengths
    return np.clip(best, 0.0, 1.0)
