"""Prompts that no run has seen before, short ones and long ones.

They come from a counter or a seed, so that every arm of a run gets the same and no prefix cache helps
by luck. Small models write on and on about them: an answer rarely ends before its bound.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

WHO = (
    "lighthouse keeper",
    "baker",
    "clockmaker",
    "sailor",
    "gardener",
    "librarian",
    "painter",
    "shepherd",
    "miller",
    "violinist",
    "beekeeper",
    "carpenter",
    "astronomer",
    "fisherman",
    "weaver",
    "teacher",
    "smith",
    "mapmaker",
    "postman",
    "cook",
    "diver",
    "pilot",
    "potter",
    "miner",
    "tailor",
    "juggler",
    "printer",
    "doctor",
    "ferryman",
    "hunter",
    "glazier",
    "cobbler",
)
WHERE = (
    "an old harbour",
    "the high mountains",
    "a quiet village",
    "the northern woods",
    "a desert town",
    "a small island",
    "a castle by the sea",
    "the far valley",
    "a city of canals",
    "the frozen plain",
    "a busy market",
    "the deep jungle",
    "a river delta",
    "the last station",
    "a walled garden",
    "the salt flats",
)
WHAT = (
    "a golden key",
    "a silver bell",
    "a broken compass",
    "an unread letter",
    "a talking raven",
    "a lost brother",
    "a hidden door",
    "an old map",
    "a blue stone",
    "a strange light",
    "a sleeping giant",
    "a stolen crown",
    "a wooden horse",
    "a secret song",
    "a black ship",
    "a glass rose",
)


def stories() -> Iterator[str]:
    """Yield distinct requests for a long story: 8192 of them, then they begin again."""
    while True:
        order = [(who, where, what) for what in WHAT for where in WHERE for who in WHO]
        random.Random(7).shuffle(order)
        for who, where, what in order:
            yield f"Write a very long story about a {who} in {where} and {what}."


def long_text(words: int, seed: int) -> str:
    """Return ``words`` words of no meaning, about 1.1 tokens each, the same for the same seed."""
    chance = random.Random(seed)
    vocabulary = [word for phrase in (*WHO, *WHERE, *WHAT) for word in phrase.split()]
    return " ".join(chance.choice(vocabulary) for _ in range(words))
