"""Signatures of the messages that are sent to hooks, by the rules of Standard Webhooks.

Each project has a secret, derived from one that the database keeps, so that every process signs alike and
nothing is stored twice. A receiver verifies with any library for that standard. Invariant: the signature
covers id, time and body; whoever replays a message later is found out by its time.
"""

from __future__ import annotations

import base64
import hmac
import secrets

from geminid.core.ids import Randomness
from geminid.store import secrets as rows
from geminid.store.database import Database
from geminid.store.outbox import Message

PREFIX = "whsec_"
SECRET_BYTES = 32
_NAME = "hooks"

Headers = tuple[tuple[bytes, bytes], ...]


class HookSigner:
    """Signs with the secrets of one database. Opened with :meth:`open`."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    async def open(cls, database: Database, randomness: Randomness = secrets.token_bytes) -> HookSigner:
        """Return the signer of a database; its first opening makes the secret."""
        fresh = randomness(SECRET_BYTES)
        return cls(await database.write(lambda connection: rows.kept(connection, _NAME, fresh)))

    def secret(self, project: str) -> str:
        """Return the secret with which a project's receivers verify: ``whsec_…``."""
        return PREFIX + base64.b64encode(self._key(project)).decode()

    def headers(self, message: Message, now_ms: int) -> Headers:
        """Return the headers that let a message be verified."""
        time_s = str(now_ms // 1000)
        signed = f"{message.id}.{time_s}.{message.body}".encode()
        digest = hmac.digest(self._key(message.project), signed, "sha256")
        return (
            (b"webhook-id", message.id.encode()),
            (b"webhook-timestamp", time_s.encode()),
            (b"webhook-signature", b"v1," + base64.b64encode(digest)),
        )

    def _key(self, project: str) -> bytes:
        return hmac.digest(self._secret, project.encode(), "sha256")
