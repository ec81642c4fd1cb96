"""Everything of one database into another, empty one: how one moves from SQLite to PostgreSQL, or back.

It is one transaction of the target, so either all of it is there or nothing, and it is proved before it is
committed: as many rows in each table, and a ledger that fits. Memory does not grow with the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from geminid.billing import audit
from geminid.billing.audit import Report
from geminid.core.errors import FailedPrecondition
from geminid.core.project import DEFAULT_PROJECT
from geminid.store import ledger, owners
from geminid.store.moment import one_moment
from geminid.store.tables import metadata, projects

ROWS_AT_ONCE = 1_000
LARGE_ROWS_AT_ONCE = 8
"""Of tables with rows of megabytes."""
LARGE = frozenset({"cache_contents", "interaction_contents", "vector_contents"})
ALIVE_MS = 60_000
"""A server whose heartbeat is younger may still write."""


class Copied(NamedTuple):
    """What was copied: rows by table, and the proof of the ledger there."""

    rows: dict[str, int]
    ledger: Report


def copy(source: Engine, target: Engine, now_ms: int, tell: Callable[[str], None] = lambda _: None) -> Copied:
    """Copy all tables. tell: is called with the name of each.

    Raises FailedPrecondition when a server runs on the source, when there is nothing in it or something in
    the target, when the target does not take a row, and when the ledger does not fit.
    """
    with source.connect() as old, target.execution_options(writing=True).begin() as new:
        one_moment(old)
        _check(old, new, now_ms)
        rows = {}
        for table in metadata.sorted_tables:
            tell(table.name)
            try:
                rows[table.name] = _copy(table, old, new)
            except DBAPIError as error:
                raise FailedPrecondition(f"Table {table.name} cannot be copied: {error.orig}") from error
        proof = audit.verify(ledger.all_transfers(new), ledger.all_balances(new))
        if (wrong := proof.misfit) is not None:
            raise FailedPrecondition(
                f"The ledger does not fit, so nothing was copied: project {wrong.project}, "
                f"entry {wrong.seq}: {wrong.what}\nhint: geminid ledger verify"
            )
        return Copied(rows, proof)


def _check(old: Connection, new: Connection, now_ms: int) -> None:
    for each in owners.everybody(old):
        if each.heartbeat_ms > now_ms - ALIVE_MS:
            raise FailedPrecondition(
                f"A server runs on this database: process {each.pid} of {each.host}.\n"
                "hint: stop it first; one that was killed is forgotten after a minute"
            )
    if not _filled(old):
        raise FailedPrecondition("There is nothing to copy.")
    if new.dialect.name == "postgresql":  # nobody puts anything in between
        names = ", ".join(table.name for table in metadata.sorted_tables)
        new.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
    if found := _filled(new):
        raise FailedPrecondition(f"The target is not empty; there are rows in: {', '.join(found)}.")
    new.execute(delete(projects))


def _filled(connection: Connection) -> list[str]:
    """Return the tables with rows, but for the project that every database has; a change to it is traced."""
    others = select(func.count()).select_from(projects).where(projects.c.id != DEFAULT_PROJECT)
    return [
        table.name
        for table in metadata.sorted_tables
        if (connection.execute(others).scalar() if table is projects else _count(table, connection))
    ]


def _copy(table: Table, old: Connection, new: Connection) -> int:
    at_once = LARGE_ROWS_AT_ONCE if table.name in LARGE else ROWS_AT_ONCE
    rows = old.execute(select(table), execution_options={"yield_per": at_once})
    for part in rows.mappings().partitions():
        new.execute(insert(table), [dict(row) for row in part])
    _go_on_counting(table, new)
    there, wanted = _count(table, new), _count(table, old)
    if there != wanted:
        raise FailedPrecondition(f"Table {table.name} has {wanted} rows, and {there} arrived.")
    return there


def _go_on_counting(table: Table, new: Connection) -> None:
    """Let PostgreSQL number the next row after the last that was copied; SQLite does so by itself."""
    column = table.autoincrement_column
    if column is None or new.dialect.name != "postgresql":
        return
    last = new.execute(select(func.max(column))).scalar()
    if last is not None:
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        new.execute(select(func.setval(sequence, last)))


def _count(table: Table, connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
