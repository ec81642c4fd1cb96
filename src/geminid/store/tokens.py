"""Tokens of administrators ⇄ rows: never the token itself, only a digest that a secret goes into."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from geminid.core.caller import Role
from geminid.store.tables import admin_tokens


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token. hint: how it begins and ends. digest: hexadecimal, what it is found by."""

    id: str
    name: str
    role: Role
    hint: str
    digest: str
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None

    def holds_at(self, now_ms: int) -> bool:
        """Return whether the token is neither revoked nor expired."""
        return self.revoked_ms is None and (self.expires_ms is None or self.expires_ms > now_ms)


_FIELDS = tuple(admin_tokens.c[name] for name in Token.__struct_fields__)


def add(connection: Connection, token: Token) -> None:
    """Insert a token."""
    connection.execute(insert(admin_tokens).values(**msgspec.structs.asdict(token)))


def find(connection: Connection, token_id: str) -> Token | None:
    """Return a token by its id."""
    return _first(connection, admin_tokens.c.id == token_id)


def by_digest(connection: Connection, digest: str) -> Token | None:
    """Return the token that has this digest, in whatever state it is."""
    return _first(connection, admin_tokens.c.digest == digest)


def page(connection: Connection, after: str, count: int) -> tuple[Token, ...]:
    """Return ``count`` tokens at most, by id, beginning after one."""
    wanted = select(*_FIELDS).where(admin_tokens.c.id > after).order_by(admin_tokens.c.id).limit(count)
    return tuple(map(_token, connection.execute(wanted)))


def revoke(connection: Connection, token_id: str, now_ms: int) -> None:
    """Revoke a token; one that was revoked stays so since then."""
    mine = (admin_tokens.c.id == token_id, admin_tokens.c.revoked_ms.is_(None))
    connection.execute(update(admin_tokens).where(*mine).values(revoked_ms=now_ms))


def _first(connection: Connection, where: Any) -> Token | None:
    row = connection.execute(select(*_FIELDS).where(where)).first()
    return _token(row) if row is not None else None


def _token(row: Row[*tuple[Any, ...]]) -> Token:
    return Token(**row._mapping)
