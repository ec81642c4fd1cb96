"""The price book: which price is in force for what, at any moment, and what the list price was.

It knows nothing of files or tokens. Rules, each by name below:

* a price of the operator's takes the place of a preset's from its own date on (``_laid_over``);
* a tier without a price of its own costs the standard price times its factor (:data:`FACTORS`);
* audio without a price of its own costs what text does, cached tokens what fresh ones do (``_unit``).

Invariant: what has no price after these rules is ``None``, never 0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from geminid.core.money import Nano, rounded_up
from geminid.core.price import (
    MODALITY_CLASSES,
    PRICE_KINDS,
    ModalityClass,
    Price,
    PriceKind,
    PriceTier,
)


class Factor(NamedTuple):
    """A fraction of the standard price, exact."""

    numerator: int
    denominator: int

    def of(self, nano: Nano) -> Nano:
        """Return the fraction of a price, rounded up to a nano-dollar per million tokens."""
        return rounded_up(nano * self.numerator, self.denominator)


FACTORS: dict[PriceTier, Factor] = {
    "standard": Factor(1, 1),
    "batch": Factor(1, 2),
    "flex": Factor(1, 2),
    "priority": Factor(9, 5),
}
"""Google's of November 2026. Keeping tokens in a cache costs the same in every tier."""


class UnitPrice(msgspec.Struct, frozen=True):
    """Nano-dollars per million tokens (of storage: and hour), and the same on the list, if it is there."""

    nano_per_million: Nano
    list_nano_per_million: Nano | None = None

    @property
    def discount_permille(self) -> int | None:
        """Tenths of a percent below the list price, negative above it; None where it says nothing.

        Rounded down, so that a discount is never shown larger than it is.
        """
        if not self.list_nano_per_million:
            return None
        return (self.list_nano_per_million - self.nano_per_million) * 1000 // self.list_nano_per_million


class PriceSheet(msgspec.Struct, frozen=True, kw_only=True):
    """All prices of one key in one tier, in force from ``from_ms`` until before ``until_ms`` (None: open)."""

    key: str
    tier: PriceTier
    units: Mapping[tuple[PriceKind, ModalityClass], UnitPrice]
    from_ms: int
    until_ms: int | None

    def unit(self, kind: PriceKind, modality: ModalityClass = "text") -> UnitPrice | None:
        """Return the price of a million tokens, None where there is none."""
        return self.units.get((kind, modality))

    def holds_at(self, time_ms: int) -> bool:
        """Return whether the sheet is in force; one that is may be kept and used again."""
        return self.from_ms <= time_ms and (self.until_ms is None or time_ms < self.until_ms)


class _History(NamedTuple):
    """Prices of one line, oldest first; ``amounts`` None is the end of a price."""

    starts_ms: tuple[int, ...]
    amounts: tuple[Nano | None, ...]

    def at(self, time_ms: int) -> Nano | None:
        place = bisect_right(self.starts_ms, time_ms)
        return self.amounts[place - 1] if place else None


_Line = tuple[PriceKind, ModalityClass, PriceTier]
_Histories = Mapping[str, Mapping[_Line, _History]]


class PriceBook(msgspec.Struct, frozen=True):
    """Prices and list prices with their history. Made by :meth:`of`."""

    _own: _Histories
    _list: _Histories

    @classmethod
    def of(
        cls, own: Iterable[Price], preset: Iterable[Price] = (), listed: Iterable[Price] = ()
    ) -> PriceBook:
        """Return the book of the operator's prices over those of a preset, beside list prices.

        Where two prices of one line begin at the same moment, the later in order is in force.
        """
        return cls(_laid_over(_histories(own), _histories(preset)), _histories(listed))

    @property
    def keys(self) -> tuple[str, ...]:
        """Everything that has or had a price, in alphabetical order."""
        return tuple(sorted(self._own))

    def sheet(self, key: str, tier: PriceTier, time_ms: int) -> PriceSheet | None:
        """Return the prices of ``key`` in force at that moment; None when it has none at all."""
        own, listed = self._own.get(key, {}), self._list.get(key, {})
        units = {
            (kind, modality): UnitPrice(amount, _unit(listed, kind, modality, tier, time_ms))
            for kind in PRICE_KINDS
            for modality in MODALITY_CLASSES
            if (amount := _unit(own, kind, modality, tier, time_ms)) is not None
        }
        if not units:
            return None
        lines = (*own.values(), *listed.values())
        turns = sorted({start for line in lines for start in line.starts_ms})
        place = bisect_right(turns, time_ms)
        until_ms = turns[place] if place < len(turns) else None
        return PriceSheet(key=key, tier=tier, units=units, from_ms=turns[place - 1], until_ms=until_ms)

    def history(self, key: str) -> tuple[Price, ...]:
        """Return every price of ``key`` that was, is or will be in force, line by line, oldest first."""
        return tuple(
            Price(
                key=key,
                kind=kind,
                modality=modality,
                tier=tier,
                nano_per_million=amount,
                effective_from_ms=start,
            )
            for (kind, modality, tier), line in sorted(self._own.get(key, {}).items())
            for start, amount in zip(line.starts_ms, line.amounts, strict=True)
        )


def _unit(
    book: Mapping[_Line, _History], kind: PriceKind, modality: ModalityClass, tier: PriceTier, time_ms: int
) -> Nano | None:
    """Return the price in force, after all rules."""
    if kind == "storage":
        tier = "standard"
    for like_kind, like_modality in _substitutes(kind, modality):
        amount = _stated(book, like_kind, like_modality, tier, time_ms)
        if amount is not None:
            return amount
    return None


def _substitutes(kind: PriceKind, modality: ModalityClass) -> Iterator[tuple[PriceKind, ModalityClass]]:
    yield kind, modality
    if modality != "text":
        yield kind, "text"
    if kind == "cached":  # no price for cached tokens is no discount on them
        yield from _substitutes("input", modality)


def _stated(
    book: Mapping[_Line, _History], kind: PriceKind, modality: ModalityClass, tier: PriceTier, time_ms: int
) -> Nano | None:
    own = book.get((kind, modality, tier))
    amount = own.at(time_ms) if own else None
    if amount is not None or tier == "standard":
        return amount
    standard = _stated(book, kind, modality, "standard", time_ms)
    return None if standard is None else FACTORS[tier].of(standard)


def _histories(prices: Iterable[Price]) -> _Histories:
    turns: dict[str, dict[_Line, dict[int, Nano | None]]] = defaultdict(lambda: defaultdict(dict))
    for each in prices:
        line = each.kind, each.modality, each.tier
        turns[each.key][line][each.effective_from_ms] = each.nano_per_million
    return {key: {line: _history(amounts) for line, amounts in lines.items()} for key, lines in turns.items()}


def _history(amounts: Mapping[int, Nano | None]) -> _History:
    starts = tuple(sorted(amounts))
    return _History(starts, tuple(amounts[start] for start in starts))


def _laid_over(own: _Histories, preset: _Histories) -> _Histories:
    """A line of the preset ends where the operator's begins: a later preset never changes a set price."""
    return {
        key: {
            line: _joined(preset.get(key, {}).get(line), own.get(key, {}).get(line))
            for line in dict.fromkeys((*preset.get(key, {}), *own.get(key, {})))
        }
        for key in dict.fromkeys((*preset, *own))
    }


def _joined(preset: _History | None, own: _History | None) -> _History:
    if own is None or preset is None:
        joined = own or preset
        assert joined is not None
        return joined
    earlier = [turn for turn in zip(*preset, strict=True) if turn[0] < own.starts_ms[0]]
    starts, amounts = zip(*earlier, *zip(*own, strict=True), strict=True)
    return _History(starts, amounts)
