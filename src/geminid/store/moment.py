"""Long readings of a database that others write to at the same time."""

from __future__ import annotations

from sqlalchemy import Connection


def one_moment(connection: Connection) -> None:
    """Have everything that a transaction reads be of one moment. It must not have read anything before.

    SQLite's transactions are so by themselves.
    """
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
