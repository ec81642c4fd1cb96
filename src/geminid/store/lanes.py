"""One connection for writes that share commits: few statements, many rows.

It speaks to the drivers themselves, since what SQLAlchemy adds to a statement is most of what a request may
cost here. It knows tables, no meaning. Invariant: ``load`` … ``write`` is one transaction; after
``rollback`` nothing of it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine, Table

from geminid.store import tables

Row = tuple[Any, ...]


class Wanted(NamedTuple):
    """Rows of ``table`` whose first ``keys`` primary columns are one of ``values``."""

    table: Table
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    values: Sequence[Row]


class Lane(Protocol):
    """A connection in use by one thread."""

    @property
    def faults(self) -> type[Exception]:
        """What the driver raises when the database, not the caller, is at fault."""

    def load(
        self, projects: Sequence[str], wanted: Sequence[Wanted], *, durable: bool
    ) -> tuple[list[Row], list[list[Row]]]:
        """Begin, lock the balances of ``projects`` in this order, and return their rows, and those wanted.

        What is wanted is read after the locks are taken.
        durable: the commit is on the disk when it returns; otherwise soon after.
        """

    def more(self, wanted: Wanted) -> list[Row]:
        """Return further rows, in the transaction that :meth:`load` has begun."""

    def write(self, work: Sequence[tuple[Statement, Sequence[Row]]]) -> None:
        """Do statements, each for many rows, and commit."""

    def rollback(self) -> None:
        """Undo what was begun."""

    @property
    def in_doubt(self) -> bool:
        """Whether the last transaction may be committed although ``write`` has raised."""

    def mend(self) -> bool:
        """Undo, and connect again if the connection is lost; return whether it was."""

    def committed(self) -> bool:
        """Return whether the last transaction is committed, also where the connection was lost meanwhile."""

    def close(self) -> None:
        """Disconnect."""


class Statement(NamedTuple):
    """One of four ways to write rows: ``insert``, ``add`` (unless it is there), ``put``, ``delete``."""

    way: str
    table: Table


INSERT_TRANSFERS = Statement("insert", tables.transfers)
INSERT_HOLDS = Statement("insert", tables.holds)
DELETE_HOLDS = Statement("delete", tables.holds)
ADD_USAGE = Statement("add", tables.usage)
ADD_BALANCES = Statement("add", tables.balances)
PUT_BALANCES = Statement("put", tables.balances)
PUT_QUOTAS = Statement("put", tables.quotas)
PUT_CACHES = Statement("put", tables.caches)
DELETE_CACHES = Statement("delete", tables.caches)
INSERT_CONTENTS = Statement("insert", tables.cache_contents)
DELETE_CONTENTS = Statement("delete", tables.cache_contents)

CHECKPOINT_PAGES = 20_000
"""Requests should not wait for checkpoints: ``Database.checkpoint`` makes them. Here one is made only if that
does not keep up."""

BALANCE_COLUMNS = tuple(column.name for column in tables.balances.columns)


def lane_of(engine: Engine) -> Lane:
    """Return a lane over a connection of its own."""
    if engine.dialect.name == "sqlite":
        return SqliteLane(engine)
    from geminid.store.postgres_lane import PostgresLane  # its driver takes a while to import

    return PostgresLane(engine)


def keys_of(table: Table) -> list[str]:
    """Return the names of the primary key's columns."""
    return [column.name for column in table.primary_key.columns]


def on_conflict(statement: Statement) -> str:
    """Return what an insertion does with a row that is there."""
    if statement.way == "insert":
        return ""
    keys = keys_of(statement.table)
    if statement.way == "add":
        return f" ON CONFLICT ({', '.join(keys)}) DO NOTHING"
    others = [column.name for column in statement.table.columns if column.name not in keys]
    puts = ", ".join(f"{name} = excluded.{name}" for name in others)
    return f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {puts}"


class SqliteLane:
    """A lane over SQLite: the whole database is the lock."""

    faults: type[Exception] = sqlite3.OperationalError

    def __init__(self, engine: Engine) -> None:
        self._held = engine.raw_connection()
        driver = self._held.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._driver = driver
        driver.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}").close()
        self._texts: dict[Statement | tuple[str, ...], str] = {}
        self._durable = True

    def load(
        self, projects: Sequence[str], wanted: Sequence[Wanted], *, durable: bool
    ) -> tuple[list[Row], list[list[Row]]]:
        """See :class:`Lane`."""
        if durable != self._durable:
            self._driver.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        self._driver.execute("BEGIN IMMEDIATE")
        values = [(project,) for project in projects]
        locked = Wanted(tables.balances, BALANCE_COLUMNS, ("project",), values)
        return self._read(locked), [self._read(each) for each in wanted]

    def more(self, wanted: Wanted) -> list[Row]:
        """See :class:`Lane`."""
        return self._read(wanted)

    def _read(self, wanted: Wanted) -> list[Row]:
        rows: list[Row] = []
        for value in wanted.values:
            rows += self._driver.execute(self._select(wanted), value).fetchall()
        return rows

    def write(self, work: Sequence[tuple[Statement, Sequence[Row]]]) -> None:
        """See :class:`Lane`."""
        for statement, rows in work:
            self._driver.executemany(self._text(statement), rows)
        self._driver.execute("COMMIT")

    def rollback(self) -> None:
        """See :class:`Lane`."""
        if self._driver.in_transaction:
            self._driver.execute("ROLLBACK")

    def mend(self) -> bool:
        """See :class:`Lane`; a file is never lost."""
        self.rollback()
        return False

    @property
    def in_doubt(self) -> bool:
        """See :class:`Lane`."""
        return False

    def committed(self) -> bool:
        """See :class:`Lane`."""
        return False

    def close(self) -> None:
        """See :class:`Lane`."""
        self._held.close()

    def _select(self, wanted: Wanted) -> str:
        key = (wanted.table.name, *wanted.columns, *wanted.keys)
        if (text := self._texts.get(key)) is None:
            where = " AND ".join(f"{name} = ?" for name in wanted.keys)
            text = f"SELECT {', '.join(wanted.columns)} FROM {wanted.table.name} WHERE {where}"
            self._texts[key] = text
        return text

    def _text(self, statement: Statement) -> str:
        if (text := self._texts.get(statement)) is None:
            self._texts[statement] = text = _sqlite_text(statement)
        return text


def _sqlite_text(statement: Statement) -> str:
    table = statement.table
    if statement.way == "delete":
        where = " AND ".join(f"{name} = ?" for name in keys_of(table))
        return f"DELETE FROM {table.name} WHERE {where}"
    names = [column.name for column in table.columns]
    values = ", ".join("?" * len(names))
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values}){on_conflict(statement)}"
