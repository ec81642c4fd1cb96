"""Which tokens may come next where the answer is one of a few labels.

Pure. A token may come if what was said and it begin a label: the same set that the grammar of the labels
leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Next(NamedTuple):
    """Tokens that may come next, and what would be said then."""

    ids: NDArray[np.int64]
    said: tuple[bytes, ...]


class LabelTokens:
    """The labels of one kind of requests over the vocabulary of a model (bytes to token)."""

    def __init__(self, labels: tuple[str, ...], vocabulary: Mapping[bytes, int]) -> None:
        self._labels = {label.encode(): label for label in labels}
        self._vocabulary = vocabulary
        self._next: dict[bytes, Next] = {}

    def meant(self, said: bytes) -> str:
        """Return the label that is meant once no other can be, else nothing."""
        fits = [label for spelled, label in self._labels.items() if spelled.startswith(said)]
        return fits[0] if len(fits) == 1 else ""

    def next(self, said: bytes) -> Next:
        """Return what may come after something that begins a label but is none."""
        if said not in self._next:
            found = {
                label[len(said) : end]: label[:end]
                for label in self._labels
                if label.startswith(said)
                for end in range(len(said) + 1, len(label) + 1)
                if label[len(said) : end] in self._vocabulary
            }
            ids = np.array([self._vocabulary[token] for token in found], dtype=np.int64)
            self._next[said] = Next(ids, tuple(found.values()))
        return self._next[said]


def separable(labels: tuple[str, ...]) -> bool:
    """Whether each label is meant as soon as it is said: none begins another."""
    return not any(other != label and other.startswith(label) for label in labels for other in labels)
