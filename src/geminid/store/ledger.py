"""The ledger ⇄ rows: balances, transfers, open holds. Every function is an act on a connection.

What is decided about them is :mod:`geminid.billing.ledger`'s; requests come through :mod:`geminid.store.hot`,
what operators enter through here. Invariant: who changes a balance has locked it before (:func:`lock`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from geminid.billing.balance import Balance, Grant
from geminid.billing.orders import NOTHING, Past, past_of
from geminid.billing.transfers import Transfer
from geminid.store.tables import balances, holds, transfers

ATTEMPTS_AT_ONCE = 8
"""A request that was tried more often is asked about once more."""

_GRANTS = msgspec.msgpack.Decoder(tuple[Grant, ...])
_ENCODER = msgspec.msgpack.Encoder()
_NO_GRANTS = _ENCODER.encode(())
_BALANCE = tuple(balances.columns)
_PAGE_ROWS = 1_000


def lock(connection: Connection, project: str) -> Balance:
    """Return a project's balance, made if need be, which nobody else changes until the transaction ends."""
    wanted = select(*_BALANCE).where(balances.c.project == project)
    locked = wanted.with_for_update() if connection.dialect.name != "sqlite" else wanted
    row = connection.execute(locked).first()
    if row is None:
        add_missing(connection, project)
        row = connection.execute(locked).one()
    return balance_of(tuple(row))


def add_missing(connection: Connection, project: str) -> None:
    """Make a project's balance unless it is there, or somebody else makes it at this moment."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as upsert
    else:
        from sqlalchemy.dialects.postgresql import insert as upsert  # type: ignore[assignment]
    names = [column.name for column in _BALANCE]
    values = dict(zip(names, balance_columns(Balance(project=project)), strict=True))
    connection.execute(upsert(balances).values(**values).on_conflict_do_nothing())


def find(connection: Connection, project: str) -> Balance:
    """Return a project's balance as it is at this moment."""
    row = connection.execute(select(*_BALANCE).where(balances.c.project == project)).first()
    return balance_of(tuple(row)) if row is not None else Balance(project=project)


def all_balances(connection: Connection) -> Iterator[Balance]:
    """Yield every balance."""
    for row in connection.execute(select(*_BALANCE).order_by(balances.c.project)):
        yield balance_of(tuple(row))


def all_transfers(connection: Connection, project: str = "") -> Iterator[Transfer]:
    """Yield every transfer, or those of one project: projects together, each in the order of its numbers."""
    after, last = "", 0
    while True:
        wanted = select(transfers).order_by(transfers.c.project, transfers.c.seq).limit(_PAGE_ROWS)
        same = (transfers.c.project == (after or project)) & (transfers.c.seq > last)
        wanted = wanted.where(same if project else or_(transfers.c.project > after, same))
        rows = connection.execute(wanted).all()
        yield from (Transfer(**row._mapping) for row in rows)
        if len(rows) < _PAGE_ROWS:
            return
        after, last = rows[-1].project, rows[-1].seq


def page(connection: Connection, project: str, after_seq: int, count: int) -> tuple[Transfer, ...]:
    """Return ``count`` transfers of a project at most, beginning after a number."""
    wanted = select(transfers).where(transfers.c.project == project, transfers.c.seq > after_seq)
    rows = connection.execute(wanted.order_by(transfers.c.seq).limit(count))
    return tuple(Transfer(**row._mapping) for row in rows)


def transfer(connection: Connection, project: str, transfer_id: str) -> Transfer | None:
    """Return the transfer of a project that has this id."""
    wanted = select(transfers).where(transfers.c.project == project, transfers.c.id == transfer_id)
    row = connection.execute(wanted).first()
    return Transfer(**row._mapping) if row is not None else None


def past(connection: Connection, project: str, request: str) -> Past:
    """Return what is known about a request."""
    first, known = 1, NOTHING
    while True:
        wanted = select(transfers).where(
            transfers.c.project == project, transfers.c.id.in_(ids_of(request, first))
        )
        rows = sorted(
            (Transfer(**row._mapping) for row in connection.execute(wanted)), key=lambda row: row.seq
        )
        if rows:
            known = past_of(rows)
        if known.hold is None or known.hold.attempt < first + ATTEMPTS_AT_ONCE - 1:
            return known
        first += ATTEMPTS_AT_ONCE


def ids_of(request: str, first_attempt: int = 1) -> list[str]:
    """Return the ids under which holds of a request and their endings are entered, for some attempts."""
    attempts = range(first_attempt, first_attempt + ATTEMPTS_AT_ONCE)
    return [f"{word}:{request}/{attempt}" for attempt in attempts for word in ("hold", "end")]


def enter(connection: Connection, balance: Balance, rows: Iterable[Transfer]) -> None:
    """Write what an act of the ledger returned: the balance, which is locked, and its transfers."""
    added = [msgspec.structs.asdict(row) for row in rows]
    if not added:
        return
    connection.execute(insert(transfers), added)
    values = dict(zip((column.name for column in _BALANCE), balance_columns(balance), strict=True))
    connection.execute(update(balances).where(balances.c.project == balance.project).values(**values))
    begun = [
        {"request": row["subject"], **{name: row[name] for name in ("project", "seq", "owner", "expires_ms")}}
        for row in added
        if row["kind"] == "hold"
    ]
    if begun:
        connection.execute(insert(holds), begun)
    ended = [row["subject"] for row in added if row["kind"] in ("post", "void")]
    if ended:
        connection.execute(
            delete(holds).where(holds.c.project == balance.project, holds.c.request.in_(ended))
        )


def open_holds(connection: Connection, project: str) -> tuple[Transfer, ...]:
    """Return the holds of a project that have not ended."""
    same = (transfers.c.project == holds.c.project) & (transfers.c.seq == holds.c.seq)
    wanted = select(transfers).join(holds, same).where(holds.c.project == project)
    return tuple(Transfer(**row._mapping) for row in connection.execute(wanted.order_by(transfers.c.seq)))


def projects_with_lapsed(connection: Connection, now_ms: int, alive: Iterable[str]) -> tuple[str, ...]:
    """Return the projects that have a hold whose time or whose process has ended."""
    wanted = select(holds.c.project).where(
        or_(holds.c.expires_ms <= now_ms, holds.c.owner.not_in(list(alive)))
    )
    return tuple(sorted(set(connection.execute(wanted).scalars())))


def balance_of(row: tuple[Any, ...]) -> Balance:
    """Return the balance that a row of the table tells."""
    project, *amounts, grants, seq, head = row
    posted, held, count, payments, granted, revenue, expired, adjustments = amounts
    return Balance(
        project=project,
        posted_nano=posted,
        held_nano=held,
        holds=count,
        payments_nano=payments,
        grants_nano=granted,
        revenue_nano=revenue,
        expired_nano=expired,
        adjustments_nano=adjustments,
        grants=() if grants == _NO_GRANTS else _GRANTS.decode(grants),
        seq=seq,
        head=bytes(head),
    )


def balance_columns(balance: Balance) -> tuple[Any, ...]:
    """Return a balance's values in the order of the table's columns."""
    return (
        balance.project,
        balance.posted_nano,
        balance.held_nano,
        balance.holds,
        balance.payments_nano,
        balance.grants_nano,
        balance.revenue_nano,
        balance.expired_nano,
        balance.adjustments_nano,
        _ENCODER.encode(balance.grants) if balance.grants else _NO_GRANTS,
        balance.seq,
        balance.head,
    )


def transfer_of(row: Row[*tuple[Any, ...]] | tuple[Any, ...]) -> Transfer:
    """Return the transfer that a row of the table tells."""
    return Transfer(**dict(zip(Transfer.__struct_fields__, row, strict=True)))
