"""Prices that operators entered ⇄ rows, in the order in which they were entered.

Which of them is in force is :mod:`geminid.billing.prices`'s. Invariant: a row is never changed or deleted; a
price ends by another one.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select

from geminid.core.price import Price
from geminid.store.tables import prices


class EnteredPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price, and who entered it when. seq: its place among all of them."""

    seq: int
    price: Price
    created_ms: int
    author: str


_FIELDS = tuple(prices.c[name] for name in Price.__struct_fields__)


def add(connection: Connection, price: Price, created_ms: int, author: str) -> EnteredPrice:
    """Insert a price and return it with its number."""
    values = {**msgspec.structs.asdict(price), "created_ms": created_ms, "author": author}
    seq = connection.execute(insert(prices).values(**values)).inserted_primary_key
    assert seq is not None
    return EnteredPrice(seq=seq[0], price=price, created_ms=created_ms, author=author)


def last(connection: Connection) -> int:
    """Return the number of the last price; 0 when there is none. Who has seen it has seen them all."""
    return int(connection.execute(select(func.coalesce(func.max(prices.c.seq), 0))).scalar_one())


def everything(connection: Connection) -> tuple[Price, ...]:
    """Return all prices, the first entered first."""
    rows = connection.execute(select(*_FIELDS).order_by(prices.c.seq))
    return tuple(Price(**row._mapping) for row in rows)


def page(connection: Connection, key: str, after_seq: int, count: int) -> tuple[EnteredPrice, ...]:
    """Return ``count`` prices at most, of one key or (empty) of all, beginning after a number."""
    wanted = select(prices).where(prices.c.seq > after_seq)
    if key:
        wanted = wanted.where(prices.c.key == key)
    return tuple(map(_entered, connection.execute(wanted.order_by(prices.c.seq).limit(count))))


def _entered(row: Row[*tuple[Any, ...]]) -> EnteredPrice:
    said = dict(row._mapping)
    own = {name: said.pop(name) for name in ("seq", "created_ms", "author")}
    return EnteredPrice(price=Price(**said), **own)
