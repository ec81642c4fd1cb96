"""The acts on tokens of administrators, and who the bearer of one is.

A token is shown once, when it is made. It knows no wire. Every request that bears one reads its row, so
that revoking takes effect at once everywhere.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy import Connection

from geminid.core.caller import Role
from geminid.core.errors import NotFound, Unauthenticated
from geminid.core.ids import Randomness, scratch_name
from geminid.core.secret import hint_of, is_well_formed, new_secret
from geminid.service.acting import NowMs, Page, check_time, check_title, now_ms, paged, trace
from geminid.service.digests import Digester, same
from geminid.store import tokens as rows
from geminid.store.database import Database
from geminid.store.tokens import Token

__all__ = ["NewToken", "Token", "Tokens", "UnknownToken"]


class UnknownToken(NotFound):
    """No token has this id. What looks like a secret is not repeated."""

    def __init__(self, token_id: str) -> None:
        if token_id.startswith("adm-"):
            super().__init__("A token is named by its id, which begins with tok-, not by its secret.")
            return
        super().__init__(f"There is no token {token_id}.")


class NewToken(NamedTuple):
    """A token that was just made, and the only time its words are shown."""

    token: Token
    words: str


class Tokens:
    """All tokens of one database."""

    def __init__(
        self,
        database: Database,
        digester: Digester,
        now_ms: NowMs = now_ms,
        randomness: Randomness = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._digester = digester
        self._now_ms = now_ms
        self._randomness = randomness

    async def bearer(self, words: str) -> Token:
        """Return whose token this is; raises Unauthenticated."""
        if not is_well_formed(words, "adm"):
            raise Unauthenticated
        digest = self._digester.digest(words)
        found = await self._database.read(lambda c: rows.by_digest(c, digest))
        if found is None or not same(found.digest, digest) or not found.holds_at(self._now_ms()):
            raise Unauthenticated
        return found

    async def create(
        self, actor: str, name: str, role: Role = "admin", expires_ms: int | None = None
    ) -> NewToken:
        """Make a token. Raises InvalidArgument."""
        now_ms = self._now_ms()
        check_title(name)
        check_time(expires_ms, now_ms)
        words = new_secret("adm", self._randomness)
        token = Token(
            id=f"tok-{scratch_name(self._randomness)[:16]}",
            name=name,
            role=role,
            hint=hint_of(words),
            digest=self._digester.digest(words),
            created_ms=now_ms,
            expires_ms=expires_ms,
        )

        def act(connection: Connection) -> None:
            rows.add(connection, token)
            said = {"name": name, "role": role, "hint": token.hint, "expires_ms": expires_ms}
            trace(connection, now_ms, actor, "token.create", token.id, "", **said)

        await self._database.write(act)
        return NewToken(token, words)

    async def page(self, size: int, after: str = "") -> Page[Token]:
        """Return ``size`` tokens at most, by id, beginning after a place."""
        found = await self._database.read(lambda c: rows.page(c, after, size + 1))
        return paged(found, size, lambda token: token.id)

    async def revoke(self, actor: str, token_id: str) -> None:
        """End a token for good, at once; to do it again changes nothing. Raises UnknownToken."""
        now_ms = self._now_ms()

        def act(connection: Connection) -> None:
            found = rows.find(connection, token_id)
            if found is None:
                raise UnknownToken(token_id)
            if found.revoked_ms is None:
                rows.revoke(connection, token_id, now_ms)
                trace(connection, now_ms, actor, "token.revoke", token_id, name=found.name)

        await self._database.write(act)
