"""Prompts of a model with eyes: words with places in them, the pictures that go there, and their tokens.

The library makes the vision part of such a prompt by itself and tells how many tokens that came to only
when an answer has ended. So a prompt is counted beforehand: with tiny pictures in its places, plus what
each picture takes beyond a tiny one. How much that is depends on the size of a picture alone, whatever the
model, and is asked of the library once for each size. It knows no pixels and no library. Invariant: no
words but ours are a place for a picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""

TINY: Size = (56, 56)
"""Small for every model, and not too small for any of them."""
SIZES_MAX = 4096
ZERO_WIDTH_SPACE = "\u200b"

TAGS = re.compile(
    r"<ov_genai_(?:image|video)_\d+>"  # the library's own, for every model
    r"|<\|(?:image|video)_\d+\|>"  # Phi
    r"|<(?:image|video)>"  # LLaVA, InternVL, MiniCPM
)
"""Words that the library takes for places, or might."""


class Shown(NamedTuple):
    """A prompt of a model with eyes. ``pictures`` are whole PNG or JPEG files, in the order of places."""

    text: str
    pictures: tuple[bytes, ...] = ()


def place(number: int) -> str:
    """Return the words that stand where the picture of this number, from 0, is to be seen."""
    return f"<ov_genai_image_{number}>"


def harmless(words: str) -> str:
    """Return words of others with no place for a picture in them."""
    return TAGS.sub(lambda match: match[0][0] + ZERO_WIDTH_SPACE + match[0][1:], words)


class Scales:
    """Tells how many tokens pictures take. ``weigh`` asks the library how many a text has in whose places
    are pictures of these sizes; it is asked once for each size."""

    def __init__(self, weigh: Callable[[str, Sequence[Size]], int]) -> None:
        self._weigh = weigh
        self._known: dict[Size, int] = {}

    def count(self, text: str, sizes: Sequence[Size]) -> int:
        """Return the tokens of a whole prompt. Raises what the library says against a picture."""
        more = sum(self.picture(size) - self.picture(TINY) for size in sizes)
        return self._weigh(text, [TINY] * len(sizes)) + more

    def picture(self, size: Size) -> int:
        """Return the tokens of one picture, with the marks that the model wants around it."""
        if size not in self._known:
            if len(self._known) >= SIZES_MAX:
                self._known.clear()
            self._known[size] = self._weigh(place(0), [size])
        return self._known[size]
