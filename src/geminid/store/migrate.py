"""Bring a database's tables from any earlier version to the one that this code is written for.

Imported only when there is something to do.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine

from geminid.core.errors import FailedPrecondition

LOCK = 0x67656D
"""The number of a lock that nobody else in the database takes."""
FOLDER = Path(__file__).parent / "migrations"


def upgrade(engine: Engine, found: str | None, to: str = "head") -> None:
    """Run the migrations that are missing, all of them or none.

    found: the version that the database is at, None for a new one. Raises ``FailedPrecondition`` for a
    version that this code does not know: it was written by a later one.
    """
    config = settings()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise FailedPrecondition(
            f"The database is of version {found}, which a later geminid has written.\n"
            "hint: use that one again, or another data directory"
        )
    with engine.execution_options(writing=True).begin() as connection:
        config.attributes["connection"] = connection
        if connection.dialect.name != "sqlite":  # of servers that start together, one does it
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        try:
            command.upgrade(config, to)
        except CommandError as error:
            raise FailedPrecondition(f"The database cannot be brought up to date: {error}") from error


def settings() -> Config:
    """Return Alembic's settings; there is no file of them."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config
