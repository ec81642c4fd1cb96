"""Keyed digests of secrets: what is kept in place of them, and found again by.

HMAC-SHA256 under a secret that the database keeps for itself. Nobody without it can choose a digest, so
looking one up in an index tells nothing by its time. Invariant: a secret is never kept, only its digest.
"""

from __future__ import annotations

import hmac
import secrets

from geminid.core.ids import Randomness
from geminid.store import secrets as rows
from geminid.store.database import Database

SECRET_BYTES = 32
_NAME = "digests"


class Digester:
    """Makes digests with one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    async def open(cls, database: Database, randomness: Randomness = secrets.token_bytes) -> Digester:
        """Return the digester of a database; its first opening makes the secret."""
        fresh = randomness(SECRET_BYTES)
        return cls(await database.write(lambda connection: rows.kept(connection, _NAME, fresh)))

    def digest(self, text: str) -> str:
        """Return the digest of a secret, 64 hexadecimal digits."""
        return hmac.digest(self._secret, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def same(digest: str, other: str) -> bool:
    """Compare two digests in a time that does not depend on where they differ."""
    return hmac.compare_digest(digest, other)
