"""Tokens by kind: what an answer consumed and produced.

Invariant: ``prompt`` includes ``cached``; ``candidates`` excludes ``thoughts`` and the end-of-turn token.
"""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of tokens. ``cached`` is the share of ``prompt`` that was served from a cache."""

    prompt: int = 0
    cached: int = 0
    candidates: int = 0
    thoughts: int = 0

    @property
    def total(self) -> int:
        """Prompt, candidates and thoughts together."""
        return self.prompt + self.candidates + self.thoughts

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt=self.prompt + other.prompt,
            cached=self.cached + other.cached,
            candidates=self.candidates + other.candidates,
            thoughts=self.thoughts + other.thoughts,
        )
