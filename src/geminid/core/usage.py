"""Tokens by kind: what an answer consumed and produced.

Invariant: ``prompt`` includes ``cached`` and everything in ``media``; ``candidates`` excludes
``thoughts`` and the end-of-turn token.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from geminid.core.content import Modality


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of tokens. ``cached`` is the share of ``prompt`` that was served from a cache.

    media: the share of ``prompt`` that was read from media, by modality; the rest is text. cached_media: the
    same of ``cached``.
    """

    prompt: int = 0
    cached: int = 0
    candidates: int = 0
    thoughts: int = 0
    media: Mapping[Modality, int] = {}
    cached_media: Mapping[Modality, int] = {}

    @property
    def total(self) -> int:
        """Prompt, candidates and thoughts together."""
        return self.prompt + self.candidates + self.thoughts

    def by_modality(self) -> dict[Modality, int]:
        """Return the tokens of the prompt by modality, text first; what is zero is left out."""
        return _by_modality(self.prompt, self.media)

    def cached_by_modality(self) -> dict[Modality, int]:
        """Return the tokens that came from a cache, likewise."""
        return _by_modality(self.cached, self.cached_media)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt=self.prompt + other.prompt,
            cached=self.cached + other.cached,
            candidates=self.candidates + other.candidates,
            thoughts=self.thoughts + other.thoughts,
            media=added(self.media, other.media),
            cached_media=added(self.cached_media, other.cached_media),
        )


def added(one: Mapping[Modality, int], other: Mapping[Modality, int]) -> dict[Modality, int]:
    """Return the sum of two counts by modality."""
    return {kind: one.get(kind, 0) + other.get(kind, 0) for kind in {**one, **other}}


def _by_modality(tokens: int, media: Mapping[Modality, int]) -> dict[Modality, int]:
    everything: dict[Modality, int] = {"text": tokens - sum(media.values()), **media}
    return {modality: tokens for modality, tokens in everything.items() if tokens}
