"""Texts cut into windows that are embedded, and into pieces, of some windows each, that are found.

A window is short enough for any model that embeds; pieces overlap, windows do not, so nothing is embedded
twice. Tokens are estimated, since no tokeniser is at hand: a text that is too long for its model after all is
told by the model, and halved. Invariant: the windows of a text are the text; so are its pieces, overlaps left
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from geminid.core.vector import Cutting

WINDOW_TOKENS = 200
_RUN = re.compile(r"[^\W\d_]+|\d|[^\w\s]|_", re.ASCII)
_WORD_LETTERS = 5
"""Longer words have a token for every so many letters, about."""
_BREAKS = tuple(re.compile(each) for each in (r"\n\s*\n", r"\n", r"(?<=[.!?…])\s+", r"\s+"))


class Piece(NamedTuple):
    """Windows ``first`` to ``last``, both included."""

    first: int
    last: int


def tokens_of(text: str) -> int:
    """Return about how many tokens a text has: words by their length, and every other character."""
    return sum(-(-len(run) // _WORD_LETTERS) for run in _RUN.findall(text))


def windows_of(text: str, tokens_max: int) -> Iterator[str]:
    """Yield the parts of a text, cut between paragraphs, lines, sentences or words, of about as many
    tokens."""
    start, total = 0, max(tokens_of(text), 1)
    size = max(int(len(text) * tokens_max / total), 1)  # characters of an average window
    while len(text) - start > size:
        end = _break(text, start + max(size // 2, 1), start + size)
        if tokens_of(text[start:end]) > tokens_max * 1.5:  # denser than the rest of the text
            end = start + max((end - start) // 2, 1)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def halves(text: str) -> tuple[str, str]:
    """Return a text in two, cut near its middle."""
    cut = _break(text, len(text) // 3 or 1, len(text) * 2 // 3 or 1)
    return text[:cut], text[cut:]


def window_tokens(cutting: Cutting, context_tokens_max: int) -> int:
    """Return how long windows are to be: what the model reads, and at most a quarter of a piece."""
    return max(min(WINDOW_TOKENS, cutting.piece_tokens // 4, int(context_tokens_max * 0.7)), 1)


def pieces_of(tokens: Sequence[int], cutting: Cutting) -> Iterator[Piece]:
    """Yield the pieces of a text whose windows have so many tokens each: as long as may be, but for windows
    that are longer by themselves, and with overlaps that come nearest to what is wanted."""
    first = 0
    while first < len(tokens):
        last, size = first, tokens[first]
        while last + 1 < len(tokens) and size + tokens[last + 1] <= cutting.piece_tokens:
            last += 1
            size += tokens[last]
        yield Piece(first, last)
        if last + 1 == len(tokens):
            return
        after, shared = last + 1, 0
        while after - 1 > first and shared + tokens[after - 1] / 2 <= cutting.overlap_tokens:
            after -= 1
            shared += tokens[after]
        first = after


def middle_piece(pieces: Sequence[Piece], window: int) -> int:
    """Return the number of the piece in which a window is nearest to the middle."""
    return min(
        (number for number, piece in enumerate(pieces) if piece.first <= window <= piece.last),
        key=lambda number: abs(pieces[number].first + pieces[number].last - 2 * window),
    )


def _break(text: str, low: int, high: int) -> int:
    """Return where to cut: after the last paragraph between the bounds, or line, sentence, word."""
    for pattern in _BREAKS:
        found = [match.end() for match in pattern.finditer(text, low, high)]
        if found:
            return found[-1]
    return high
