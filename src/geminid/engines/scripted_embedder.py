"""An embedder without weights: vectors that are made of the words of a text, the same ones always.

For this project's tests and for the CI of whoever builds on geminid. Texts that share words are near each
other, so that what retrieves with them finds what it should. A token is a word; neither task nor title
counts. Of the script only delays and failures concern it. Invariant: the same text gives the same vector on
every machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import struct
from collections.abc import Sequence

from geminid.core.card import EmbeddingCard
from geminid.core.embed import Embedding, EmbedInput, EmbedRequest
from geminid.engines.protocol import EngineState
from geminid.engines.script import FAILURES, Rule

WORD = re.compile(r"\w+|[^\w\s]")
FAMILIAR_CHARACTERS = 3
"""Words this short are nearly all grammar, and count for little."""
FAMILIAR_WEIGHT = 0.1
PLACES = 8
"""Each word adds to so many of a vector's numbers."""


class ScriptedEmbedder:
    """The :class:`geminid.engines.protocol.Embedder` of tests. The first rule that matches a text
    holds for its whole request."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple((re.compile(rule.match), rule) for rule in rules)

    async def embed(self, card: EmbeddingCard, request: EmbedRequest) -> tuple[Embedding, ...]:
        """Return a vector for each input, cut to what was asked for."""
        for rule in (self._rule_of(each.text) for each in request.inputs):
            if rule is not None:
                await asyncio.sleep(rule.first_token_ms / 1000)
                if rule.fail:
                    raise FAILURES[rule.fail](f"The script says so: {rule.fail}.")
                break
        return tuple(_embedding(card, each) for each in request.inputs)

    async def count(self, card: EmbeddingCard, request: EmbedRequest) -> int:
        """Return how many words would be read."""
        return sum(min(len(WORD.findall(each.text)), card.context_tokens_max) for each in request.inputs)

    def states(self) -> Sequence[EngineState]:
        """One state: it needs no loading."""
        return [EngineState(model="scripted-embedding", phase="ready")]

    async def close(self) -> None:
        """Nothing is held."""

    def _rule_of(self, text: str) -> Rule | None:
        return next((rule for pattern, rule in self._rules if pattern.search(text)), None)


def _embedding(card: EmbeddingCard, asked: EmbedInput) -> Embedding:
    words = WORD.findall(asked.text)
    read = words[: card.context_tokens_max]
    vector = [0.0] * card.dimensions
    vector[0] = 1e-3  # a text without words has a direction too
    for word in read:
        _add(vector, word.casefold())
    vector = vector[: asked.dimensions]
    length = math.sqrt(sum(number * number for number in vector))
    values = struct.pack(f"<{len(vector)}f", *(number / length for number in vector))
    return Embedding(values, len(read), len(words) > len(read))


def _add(vector: list[float], word: str) -> None:
    """Add a word to a vector: a few of its numbers, up or down, as the word's digest says."""
    weight = 1.0 if len(word) > FAMILIAR_CHARACTERS else FAMILIAR_WEIGHT
    digest = hashlib.blake2b(word.encode(), digest_size=4 * PLACES).digest()
    for number in struct.unpack(f"<{PLACES}I", digest):
        vector[(number >> 1) % len(vector)] += weight if number & 1 else -weight
