"""Sums over the ledger: what moved in a span of time, and the last entry before a moment.

Sums do not depend on the order of entries, so clocks that disagree by a little leave no gap between two
spans. It decides nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from geminid.billing.transfers import Kind, Transfer
from geminid.core.money import Nano
from geminid.store.tables import transfers


class Movement(NamedTuple):
    """Entries of one kind and direction together. paid_in: they made the credits more."""

    kind: Kind
    paid_in: bool
    entries: int
    amount_nano: Nano


def movements(connection: Connection, project: str, from_ms: int, until_ms: int) -> tuple[Movement, ...]:
    """Return what was entered for a project in a span of time, by kind and direction."""
    paid_in = transfers.c.credit == "credits"
    wanted = (
        select(transfers.c.kind, paid_in, func.count(), func.sum(transfers.c.amount_nano))
        .where(transfers.c.project == project)
        .where(transfers.c.time_ms >= from_ms, transfers.c.time_ms < until_ms)
        .group_by(transfers.c.kind, paid_in)
        .order_by(transfers.c.kind, paid_in)
    )
    return tuple(
        Movement(kind, bool(paid), entries, int(amount))
        for kind, paid, entries, amount in connection.execute(wanted)
    )


def last_before(connection: Connection, project: str, time_ms: int) -> Transfer | None:
    """Return the entry of a project with the highest number before a moment."""
    wanted = select(transfers).where(transfers.c.project == project, transfers.c.time_ms < time_ms)
    row = connection.execute(wanted.order_by(transfers.c.seq.desc()).limit(1)).first()
    return Transfer(**row._mapping) if row is not None else None
