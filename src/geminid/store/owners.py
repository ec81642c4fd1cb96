"""The processes that serve from one database ⇄ rows: who may still settle what it has held."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from geminid.store.tables import owners

LASTING = "lasting"
"""Stands in the place of a process for holds that outlive every process: of what is kept, such as cached
contents. Whoever ends what is kept ends them, in the same transaction."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """A process. born_ms: when it was started, which tells it from a later one of the same number."""

    id: str
    host: str
    pid: int
    born_ms: int
    heartbeat_ms: int


def beat(connection: Connection, owner: Owner) -> bool:
    """Write that a process lives; return whether it had been taken for dead, or is new."""
    same = update(owners).where(owners.c.id == owner.id).values(heartbeat_ms=owner.heartbeat_ms)
    if connection.execute(same).rowcount:
        return False
    connection.execute(insert(owners).values(**msgspec.structs.asdict(owner)))
    return True


def everybody(connection: Connection) -> tuple[Owner, ...]:
    """Return all processes."""
    return tuple(Owner(**row._mapping) for row in connection.execute(select(owners)))


def remove(connection: Connection, owner_id: str) -> None:
    """Forget a process."""
    connection.execute(delete(owners).where(owners.c.id == owner_id))
