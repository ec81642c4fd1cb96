"""What the reference implementation makes of the texts of :mod:`made.embedding_texts`, kept beside this file.

The file was made with sentence-transformers 6.2 on PyTorch 2.13 for processors, in 32 bits, in an environment of
its own, as this is::

    PYTHONPATH=tests python -m made.embedding_reference FOLDER-OF-ALL-MINILM-L6-V2

It holds the vectors in 16 bits (which moves a cosine by less than 1e-6), and how many tokens each text has.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from made.embedding_texts import embedding_texts

FILE = Path(__file__).with_suffix(".npz")


class Reference(NamedTuple):
    """The texts; a row of ``vectors`` (float32) for each, and how many tokens the model read of it."""

    texts: list[str]
    vectors: NDArray[np.float32]
    tokens: NDArray[np.int64]


def reference() -> Reference:
    """Return what was kept."""
    kept = np.load(FILE)
    return Reference(embedding_texts(), kept["vectors"].astype(np.float32), kept["tokens"].astype(np.int64))


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each row of one with the same row of the other."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / lengths)


def _make(folder: str) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(2)
    model = SentenceTransformer(folder, device="cpu")
    texts = embedding_texts()
    vectors = model.encode(texts, batch_size=32, normalize_embeddings=True)
    tokens = [int(model.tokenize([text])["attention_mask"].sum()) for text in texts]
    np.savez_compressed(FILE, vectors=vectors.astype(np.float16), tokens=np.array(tokens, dtype=np.uint16))


if __name__ == "__main__":
    _make(sys.argv[1])
