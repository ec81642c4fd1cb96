"""Which prompts were read last, and so what of the next one is found in the engine's prefix cache.

An estimate, for planning a step: it knows token ids and no pipeline. Invariant: what it calls found was
computed; whether it is still there is the cache's to say.
"""

from __future__ import annotations

import collections
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from geminid.engines.openvino.eyes import Shown
from geminid.engines.openvino.pipeline import KV_BLOCK_TOKENS, Prompt

PROMPTS_MAX = 16
"""So many prompts are remembered."""

Tokens: TypeAlias = npt.NDArray[np.int64]


def tokens_of(prompt: Prompt) -> Tokens:
    """Return the tokens of a prompt; none for one with pictures, of which only the library knows them."""
    return np.asarray(() if isinstance(prompt, Shown) else prompt, dtype=np.int64)


class Known:
    """The prompts that were read last."""

    def __init__(self) -> None:
        self._prompts: collections.deque[Tokens] = collections.deque(maxlen=PROMPTS_MAX)

    def add(self, tokens: Tokens) -> None:
        """Remember a prompt whose cells are computed."""
        self._prompts.append(tokens)

    def found(self, tokens: Tokens) -> int:
        """Return how many tokens of a prompt were computed for another."""
        return max((shared(tokens, other) for other in self._prompts), default=0)


def shared(tokens: Tokens, other: Tokens) -> int:
    """Return the length of the common beginning, in whole blocks, without the last token of ``tokens``: that
    one is computed in any case."""
    length = max(0, min(len(tokens) - 1, len(other)))
    differs = np.flatnonzero(tokens[:length] != other[:length])
    same = int(differs[0]) if len(differs) else length
    return same // KV_BLOCK_TOKENS * KV_BLOCK_TOKENS
