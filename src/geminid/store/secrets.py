"""Secrets that all processes of one database share. They leave it only into memory."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from geminid.store.tables import secrets


def kept(connection: Connection, name: str, fresh: bytes) -> bytes:
    """Return the secret of this name; where there is none yet, ``fresh`` becomes it."""
    wanted = select(secrets.c.value).where(secrets.c.name == name)
    found = connection.execute(wanted).scalar()
    if found is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(secrets).values(name=name, value=fresh))
        except IntegrityError:  # another process was quicker
            pass
        found = connection.execute(wanted).scalar_one()
    return bytes(found)
