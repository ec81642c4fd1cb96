"""Keys ⇄ rows: never the key itself, only a digest that a secret goes into.

Invariant: a key's row stays, whatever becomes of the key, for usage names it. What is in force when, the
caller says by a time in milliseconds since 1970.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from geminid.core.caller import Scopes
from geminid.store.tables import keys, projects


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a project. hint: how it begins and ends, enough for people to tell keys apart.

    digest: hexadecimal, what it is found by. replaced_by: the id of the key that takes its place, or empty.
    """

    id: str
    project: str
    name: str
    hint: str
    digest: str
    scopes: Scopes = Scopes()
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None
    replaced_by: str = ""

    def holds_at(self, now_ms: int) -> bool:
        """Return whether the key is neither revoked nor expired."""
        return self.revoked_ms is None and not self.expired_at(now_ms)

    def expired_at(self, now_ms: int) -> bool:
        """Return whether its time is over."""
        return self.expires_ms is not None and self.expires_ms <= now_ms


_FIELDS = tuple(keys.c[name] for name in Key.__struct_fields__)


def add(connection: Connection, key: Key) -> None:
    """Insert a key."""
    connection.execute(insert(keys).values(**_columns(key)))


def find(connection: Connection, project: str, key_id: str, *, lock: bool = False) -> Key | None:
    """Return a key of a project. lock: nobody else changes it until the transaction ends."""
    return _first(connection, and_(keys.c.project == project, keys.c.id == key_id), lock=lock)


def by_digest(connection: Connection, digest: str) -> Key | None:
    """Return the key of a live project that has this digest, in whatever state the key is."""
    live = select(projects.c.id).where(projects.c.id == keys.c.project, projects.c.deleted_ms.is_(None))
    return _first(connection, and_(keys.c.digest == digest, live.exists()))


def page(connection: Connection, project: str, after: tuple[int, str] | None, count: int) -> tuple[Key, ...]:
    """Return ``count`` keys of a project at most, the oldest first, beginning after (created_ms, id)."""
    wanted = select(*_FIELDS).where(keys.c.project == project)
    if after is not None:
        created_ms, key_id = after
        same = and_(keys.c.created_ms == created_ms, keys.c.id > key_id)
        wanted = wanted.where(or_(keys.c.created_ms > created_ms, same))
    rows = connection.execute(wanted.order_by(keys.c.created_ms, keys.c.id).limit(count))
    return tuple(map(_key, rows))


def put(connection: Connection, key: Key) -> None:
    """Write name, scopes, end and state of a key that is there."""
    columns = _columns(key)
    changed = {name: columns[name] for name in ("name", "scopes", "expires_ms", "revoked_ms", "replaced_by")}
    connection.execute(update(keys).where(keys.c.id == key.id).values(**changed))


def any_at_all(connection: Connection) -> bool:
    """Return whether there is or was a key, in whatever state it is."""
    return connection.execute(select(keys.c.id).limit(1)).first() is not None


def revoke_all(connection: Connection, project: str, now_ms: int) -> None:
    """Revoke every key of a project."""
    mine = and_(keys.c.project == project, keys.c.revoked_ms.is_(None))
    connection.execute(update(keys).where(mine).values(revoked_ms=now_ms))


def _first(connection: Connection, where: Any, *, lock: bool = False) -> Key | None:
    wanted = select(*_FIELDS).where(where)
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    return _key(row) if row is not None else None


def _columns(key: Key) -> dict[str, Any]:
    columns = msgspec.structs.asdict(key)
    return {**columns, "scopes": msgspec.json.encode(key.scopes).decode()}


def _key(row: Row[*tuple[Any, ...]]) -> Key:
    said = dict(row._mapping)
    return Key(**{**said, "scopes": msgspec.json.decode(said["scopes"], type=Scopes)})
