"""Rating: tokens and prices become the lines of a bill.

It knows no engine and no account. The same tokens cost the same however they arrived: a line is
rounded up to a nano-dollar once, over its whole count, and nothing else is rounded. Invariant: the
bound of a request is never below the cost of what it used within it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from geminid.billing.faults import Unpriced, Unratable
from geminid.billing.prices import PriceSheet, UnitPrice
from geminid.core.money import Nano, rounded_up
from geminid.core.price import CLASS_OF, ModalityClass, PriceKind
from geminid.core.usage import Usage

Item = Literal["prompt", "cached", "candidates", "thoughts", "storage"]
"""What a line is about. ``prompt`` is the part that came from no cache."""

KIND_OF: dict[Item, PriceKind] = {
    "prompt": "input",
    "cached": "cached",
    "candidates": "output",
    "thoughts": "output",
    "storage": "storage",
}
TOKENS_PER_PRICE = 1_000_000
SECONDS_PER_HOUR = 3600

Counts = Mapping[tuple[Item, ModalityClass], int]
"""Tokens by line; of storage, tokens times seconds."""


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a bill.

    quantity: tokens; of storage, token-seconds. cost_nano: quantity times price, rounded up.
    """

    item: Item
    modality: ModalityClass
    quantity: int
    nano_per_million: Nano
    cost_nano: Nano

    @property
    def kind(self) -> PriceKind:
        """The kind of price that applies."""
        return KIND_OF[self.item]


class Cost(msgspec.Struct, frozen=True):
    """A bill: its lines and their sum."""

    lines: tuple[CostLine, ...]
    total_nano: Nano


def rate(usage: Usage, sheet: PriceSheet) -> Cost:
    """Return what ``usage`` costs. Raises Unpriced, and Unratable when the counts contradict each other."""
    return cost_of(counts_of(usage), sheet)


def counts_of(usage: Usage) -> dict[tuple[Item, ModalityClass], int]:
    """Return the tokens of each line; what is zero is left out.

    Cached tokens whose modality is not told are text, as ``cacheTokensDetails`` tells them, as far as there
    is text. Raises Unratable.
    """
    text, audio = _by_class(usage)
    told_audio = sum(
        tokens for modality, tokens in usage.cached_media.items() if CLASS_OF[modality] == "audio"
    )
    cached_audio = max(told_audio, usage.cached - text)
    cached_text = usage.cached - cached_audio
    counts: dict[tuple[Item, ModalityClass], int] = {
        ("prompt", "text"): text - cached_text,
        ("prompt", "audio"): audio - cached_audio,
        ("cached", "text"): cached_text,
        ("cached", "audio"): cached_audio,
        ("candidates", "text"): usage.candidates,
        ("thoughts", "text"): usage.thoughts,
    }
    if min(counts.values()) < 0:
        raise Unratable(f"counts that contradict each other cannot be billed: {usage}")
    return {line: tokens for line, tokens in counts.items() if tokens}


def _by_class(usage: Usage) -> tuple[int, int]:
    audio = sum(tokens for modality, tokens in usage.media.items() if CLASS_OF[modality] == "audio")
    if min(usage.cached, usage.prompt - sum(usage.media.values()), *usage.media.values(), 0) < 0:
        raise Unratable(f"counts that contradict each other cannot be billed: {usage}")
    return usage.prompt - audio, audio


def cost_of(counts: Counts, sheet: PriceSheet) -> Cost:
    """Return the bill of ``counts``, in their order. Raises Unpriced for a line without a price."""
    lines = tuple(_line(item, modality, quantity, sheet) for (item, modality), quantity in counts.items())
    return Cost(lines, total(lines))


def total(lines: Iterable[CostLine]) -> Nano:
    """Return the sum of lines in nano-dollars."""
    return sum(line.cost_nano for line in lines)


def _line(item: Item, modality: ModalityClass, quantity: int, sheet: PriceSheet) -> CostLine:
    unit = _unit(KIND_OF[item], modality, sheet)
    per = TOKENS_PER_PRICE * (SECONDS_PER_HOUR if item == "storage" else 1)
    return CostLine(
        item=item,
        modality=modality,
        quantity=quantity,
        nano_per_million=unit.nano_per_million,
        cost_nano=rounded_up(quantity * unit.nano_per_million, per),
    )


def saved_by_caching(usage: Usage, sheet: PriceSheet) -> Nano:
    """Return by how much more ``usage`` would cost if none of its tokens had come from a cache.

    Raises what :func:`rate` does.
    """
    if not usage.cached:
        return 0
    fresh = msgspec.structs.replace(usage, cached=0, cached_media={})
    return rate(fresh, sheet).total_nano - rate(usage, sheet).total_nano


def storage_cost(tokens: int, seconds: int, sheet: PriceSheet) -> Cost:
    """Return what it costs to keep so many tokens in a cache for so long. Raises Unpriced."""
    return storage_cost_at(tokens, seconds, _unit("storage", "text", sheet).nano_per_million)


def storage_cost_at(tokens: int, seconds: int, nano_per_million: Nano) -> Cost:
    """Return the same at a price that was agreed on: nano-dollars per million tokens and hour."""
    if not tokens * seconds:
        return Cost((), 0)
    line = CostLine(
        item="storage",
        modality="text",
        quantity=tokens * seconds,
        nano_per_million=nano_per_million,
        cost_nano=rounded_up(tokens * seconds * nano_per_million, TOKENS_PER_PRICE * SECONDS_PER_HOUR),
    )
    return Cost((line,), line.cost_nano)


class BoundLine(NamedTuple):
    """What some tokens cost at most. kind: the dearer of the kinds that they may turn out to be."""

    kind: PriceKind
    modality: ModalityClass
    tokens: int
    unit: UnitPrice
    most_nano: Nano


def upper_bound(prompt: Usage, tokens_max: int, candidates: int, sheet: PriceSheet) -> Nano:
    """Return the most that a request can cost, before it runs: the sum of :func:`bound_lines`."""
    return sum(line.most_nano for line in bound_lines(prompt, tokens_max, candidates, sheet))


def bound_lines(prompt: Usage, tokens_max: int, candidates: int, sheet: PriceSheet) -> tuple[BoundLine, ...]:
    """Return what each part of a request can cost at most; what has no tokens is left out.

    prompt: its tokens, by modality; whether some are cached is not known yet, so all of them count at the
    dearer of both prices. tokens_max: the bound on each candidate's answer and thoughts together. Raises
    Unpriced and Unratable.
    """
    text, audio = _by_class(prompt)
    priced: tuple[tuple[int, ModalityClass, tuple[PriceKind, ...]], ...] = (
        (text, "text", ("input", "cached")),
        (audio, "audio", ("input", "cached")),
        (tokens_max * candidates, "text", ("output",)),
    )
    return tuple(_most(tokens, modality, kinds, sheet) for tokens, modality, kinds in priced if tokens)


def _most(tokens: int, modality: ModalityClass, kinds: tuple[PriceKind, ...], sheet: PriceSheet) -> BoundLine:
    """Two lines may share these tokens (fresh and cached, answer and thoughts), each rounded up."""
    dearest, unit = kinds[0], _unit(kinds[0], modality, sheet)
    for kind in kinds[1:]:
        other = _unit(kind, modality, sheet)
        if other.nano_per_million > unit.nano_per_million:
            dearest, unit = kind, other
    nano = unit.nano_per_million
    most = rounded_up(tokens * nano, TOKENS_PER_PRICE) + (1 if nano and tokens > 1 else 0)
    return BoundLine(dearest, modality, tokens, unit, most)


def _unit(kind: PriceKind, modality: ModalityClass, sheet: PriceSheet) -> UnitPrice:
    unit = sheet.unit(kind, modality)
    if unit is None:
        raise Unpriced(sheet.key, sheet.tier, kind)
    return unit
