"""Which share of a prompt's tokens came from which kind of medium.

Every passage that was read from a medium is looked for in the very text that was rendered, so a template
that trims or drops it is believed, and nothing that a caller writes can pass for a mark. A token belongs
to where it begins. It knows text and tokens, no template and no model. Invariant: the shares never exceed
the tokens of the prompt.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from geminid.core.content import Modality


class Span(NamedTuple):
    """Where a passage stands in a text, in characters."""

    start: int
    end: int
    modality: Modality


def located(text: str, passages: Iterable[tuple[str, Modality]]) -> Iterator[Span]:
    """Yield where each passage stands, in their order; one that is not there is left out."""
    at = 0
    for passage, modality in passages:
        for words in (passage, passage.strip()):
            if words and (start := text.find(words, at)) >= 0:
                at = start + len(words)
                yield Span(start, at, modality)
                break


def within(
    text: str,
    token_ids: Sequence[int],
    spans: Iterable[Span],
    length_bytes: Callable[[int], int],
    tokens: int,
) -> dict[Modality, int] | None:
    """Return the modalities of the first ``tokens`` of a text; None where nobody knows them, because the
    spellings of the tokens are not the text."""
    spelled = text.encode()
    if sum(map(length_bytes, token_ids)) != len(spelled):
        return None
    ends = len(spelled[: sum(map(length_bytes, token_ids[:tokens]))].decode("utf-8", "ignore"))
    inside = [Span(start, min(end, ends), modality) for start, end, modality in spans if start < ends]
    return shares(text[:ends], token_ids[:tokens], inside, length_bytes, lambda words: ())


def shares(
    text: str,
    token_ids: Sequence[int],
    spans: Iterable[Span],
    length_bytes: Callable[[int], int],
    encode: Callable[[str], Sequence[int]],
) -> dict[Modality, int]:
    """Return the tokens of each modality.

    length_bytes: how long a token's spelling is. encode: counts a passage by itself where the spellings of
    the tokens are not the text, as with tokenizers that normalise it.
    """
    placed = list(spans)
    if not placed:
        return {}
    begins = [0, *accumulate(map(length_bytes, token_ids))]
    exact = begins[-1] == len(text.encode())
    told: dict[Modality, int] = {}
    place = place_bytes = 0
    for start, end, modality in placed:
        first = place_bytes + len(text[place:start].encode())
        place, place_bytes = end, first + len(text[start:end].encode())
        if exact:
            tokens = bisect_left(begins, place_bytes) - bisect_left(begins, first)
        else:
            tokens = len(encode(text[start:end]))
        told[modality] = told.get(modality, 0) + tokens
    return {modality: tokens for modality, tokens in told.items() if tokens}
