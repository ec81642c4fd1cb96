"""The price book in force: presets and the operator's file, with the prices of the database over them.

What is entered anywhere is in force here after the next :meth:`Book.refresh`. It decides nothing that
:mod:`geminid.billing.prices` does not.
"""

from __future__ import annotations

from geminid.billing.prices import PriceBook, PriceSheet
from geminid.catalog.pricebook import Prices
from geminid.core.price import PriceTier
from geminid.store import prices as rows
from geminid.store.database import Database

SHEETS_MAX = 1_000


class Book:
    """Finds prices. Used on one event loop only."""

    def __init__(self, prices: Prices, database: Database | None = None) -> None:
        self._prices = prices
        self._database = database
        self._last = -1
        self._sheets: dict[tuple[str, PriceTier], PriceSheet | None] = {}
        self.book = PriceBook.of(prices.own, prices.preset, prices.listed)
        self._same = prices.same

    async def refresh(self) -> None:
        """Take up prices that were entered since."""
        if self._database is None:
            return
        last = await self._database.read(rows.last)
        if last == self._last:
            return
        entered = await self._database.read(rows.everything)
        prices = self._prices
        self.book = PriceBook.of((*prices.own, *entered), prices.preset, prices.listed)
        self._last = last
        self._sheets.clear()

    def sheet(self, names: tuple[str, ...], tier: PriceTier, time_ms: int) -> PriceSheet | None:
        """Return the prices of the first of ``names`` that has any, its own or those of the key it shares."""
        for name in names:
            for key in (name, self._same.get(name)):
                if key is not None and (found := self._sheet(key, tier, time_ms)) is not None:
                    return found
        return None

    def _sheet(self, name: str, tier: PriceTier, time_ms: int) -> PriceSheet | None:
        key = name, tier
        kept = self._sheets.get(key)
        if kept is not None and kept.holds_at(time_ms):
            return kept
        if name not in self._known():
            return None
        if len(self._sheets) >= SHEETS_MAX:
            self._sheets.clear()
        self._sheets[key] = found = self.book.sheet(name, tier, time_ms)
        return found

    def _known(self) -> frozenset[str]:
        if self._names_of is not self.book:
            self._names_of, self._names = self.book, frozenset(self.book.keys)
        return self._names

    _names_of: PriceBook | None = None
    _names: frozenset[str] = frozenset()
