"""One database behind one thread: the event loop never waits for a disk.

SQLite by default; whatever only SQLite needs stands in this file. An act is a plain function of a
connection. Invariant: each act is one transaction; when ``write`` has returned, it is on the disk, and
when it has raised, nothing of it is.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from geminid.core.errors import FailedPrecondition, Unavailable

T = TypeVar("T")
Act = Callable[[Connection], T]

VERSION = "0007"
"""The migration that this code was written for."""
BUSY_MS = 10_000
"""How long to wait for another process that is writing."""
RETRY_AFTER_MS = 5_000
KEPT_ALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server that has vanished is noticed within seconds, not hours. What libpq calls these settings."""
DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
"""By how an address begins."""
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # a commit is on the disk, not only on its way
    "foreign_keys=ON",
    "secure_delete=ON",  # what was deleted is overwritten: free pages of the file keep nothing
    f"busy_timeout={BUSY_MS}",
)


class Database:
    """Runs acts, one after the other. Opened with :meth:`open`."""

    # Acts are independent of each other, so that one day many may share a commit.

    def __init__(self, engine: Engine, thread: ThreadPoolExecutor) -> None:
        self._reading = engine
        self._writing = engine.execution_options(writing=True)
        self._thread = thread

    @classmethod
    async def open(cls, url: str) -> Database:
        """Connect and bring the tables up to date.

        Raises ``FailedPrecondition`` when the database cannot be opened or is of a later version.
        """
        thread = ThreadPoolExecutor(1, "store")
        try:
            engine = await asyncio.get_running_loop().run_in_executor(thread, _open, url)
        except BaseException:
            thread.shutdown()
            raise
        return cls(engine, thread)

    @property
    def engine(self) -> Engine:
        """What it is connected by, for whoever needs connections of his own."""
        return self._reading

    async def read(self, act: Act[T]) -> T:
        """Return what an act that changes nothing returns; raises ``Unavailable`` when it cannot be done."""
        return await self._run(self._reading, act)

    async def write(self, act: Act[T]) -> T:
        """Do an act and return what it returns, once it is on the disk.

        Raises ``Unavailable`` when the database cannot be written: a full disk, or another process that
        does not let go.
        """
        return await self._run(self._writing, act)

    async def checkpoint(self) -> None:
        """Move what was committed from SQLite's log into its file, while others go on writing."""
        if self._reading.dialect.name != "sqlite":
            return

        def run() -> None:
            held = self._reading.raw_connection()
            try:
                held.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                held.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, run)

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._reading.dispose)
        self._thread.shutdown()

    async def _run(self, engine: Engine, act: Act[T]) -> T:
        def run() -> T:
            try:
                with engine.begin() as connection:
                    return act(connection)
            except OperationalError as error:
                raise _unavailable(error) from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)


def sqlite_url(path: Path) -> str:
    """Return the address of a database in one file."""
    return f"sqlite:///{path}"


def file_of(url: str) -> Path | None:
    """Return the file of a database, None for one that is a server's."""
    if not url.startswith("sqlite:"):
        return None
    return Path(sqlalchemy.make_url(url).database or "")


def connect(url: str) -> Engine:
    """Return an engine whose transactions are as this house means them, whichever database it is.

    Raises ``FailedPrecondition`` for an address that names no database that is known here.
    """
    try:
        address = sqlalchemy.make_url(url)
        driver = DRIVERS[address.drivername]
    except (ArgumentError, KeyError) as error:
        raise FailedPrecondition(
            "The address of the database must begin with sqlite:/// or postgresql://"
        ) from error
    address = address.set(drivername=driver)
    if driver != "sqlite":
        return sqlalchemy.create_engine(address, pool_pre_ping=True, connect_args=KEPT_ALIVE)
    engine = sqlalchemy.create_engine(address)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open(url: str) -> Engine:
    engine = connect(url)
    try:
        _make_private(engine.url)
        with engine.connect() as connection:
            found = _version(connection)
        if found != VERSION:
            from geminid.store import migrate  # Alembic takes half a second to import

            migrate.upgrade(engine, found)
    except (DBAPIError, OSError) as error:
        engine.dispose()
        said = error.orig if isinstance(error, DBAPIError) else error.strerror
        raise FailedPrecondition(f"The database {engine.url!r} cannot be used: {said}") from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _make_private(url: URL) -> None:
    """Make the file of a new SQLite database its owner's alone; what lies beside it gets its mode.

    One that is there is never opened here: closing it would end all locks of this process on it (POSIX).
    """
    if url.get_backend_name() == "sqlite" and url.database:
        with suppress(FileExistsError):
            os.close(os.open(url.database, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _version(connection: Connection) -> str | None:
    """Return the migration that the tables are at; None for a new database."""
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found else None


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # else the driver begins transactions when it likes
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins as a reader cannot always become a writer.
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _unavailable(error: OperationalError) -> Unavailable:
    return Unavailable(f"The database cannot be used now: {error.orig}.", retry_after_ms=RETRY_AFTER_MS)
