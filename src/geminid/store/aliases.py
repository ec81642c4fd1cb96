"""Names of models that an operator gave ⇄ rows."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from geminid.core.alias import Alias
from geminid.store.tables import aliases

_FIELDS = tuple(aliases.c[name] for name in Alias.__struct_fields__)


def find(connection: Connection, name: str) -> Alias | None:
    """Return an alias."""
    row = connection.execute(select(*_FIELDS).where(aliases.c.name == name)).first()
    return Alias(**row._mapping) if row is not None else None


def put(connection: Connection, alias: Alias, now_ms: int) -> None:
    """Write an alias, new or not."""
    columns: dict[str, Any] = {**msgspec.structs.asdict(alias), "updated_ms": now_ms}
    change = update(aliases).where(aliases.c.name == alias.name).values(**columns)
    if connection.execute(change).rowcount:
        return
    try:
        with connection.begin_nested():
            connection.execute(insert(aliases).values(**columns, created_ms=now_ms))
    except IntegrityError:  # somebody else was quicker
        connection.execute(change)


def remove(connection: Connection, name: str) -> bool:
    """Forget an alias; return whether it was there."""
    return bool(connection.execute(delete(aliases).where(aliases.c.name == name)).rowcount)


def page(connection: Connection, after: str, count: int) -> tuple[Alias, ...]:
    """Return ``count`` aliases at most, by name, beginning after one."""
    wanted = select(*_FIELDS).where(aliases.c.name > after).order_by(aliases.c.name).limit(count)
    return tuple(Alias(**row._mapping) for row in connection.execute(wanted))


def every(connection: Connection) -> tuple[Alias, ...]:
    """Return all aliases, by name."""
    return tuple(
        Alias(**row._mapping) for row in connection.execute(select(*_FIELDS).order_by(aliases.c.name))
    )
