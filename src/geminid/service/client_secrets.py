"""Secrets for clients that must have no key, such as pages in a browser: they open a session, and end soon.

A secret carries whose it is and how the session is set, signed under the database's own secret, so that every
server of the database knows it and nothing is kept. It is no key: nothing else takes it. It knows no wire.
Invariant: whoever has not the secret of the database makes none, and none outlives the key that it is from.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from geminid.core.caller import ANYBODY, Caller, Scopes
from geminid.core.errors import ExpiredKey, InvalidArgument, InvalidKey, NoKey
from geminid.service.acting import NowMs, now_ms
from geminid.service.digests import Digester, same

PREFIX = "ek_"
CHARACTERS_MAX = 6_000
"""What goes into a header beside others."""
UNPACKED_BYTES_MAX = 1024 * 1024
PROOF_CHARACTERS = 64

_PURPOSE = "client-secret:"


class Secret(NamedTuple):
    """A secret that was made, and when it ends, in seconds since 1970."""

    value: str
    expires_s: int


class _Said(msgspec.Struct, frozen=True, array_like=True):
    """What a secret carries."""

    expires_ms: int
    project: str
    key_id: str
    key_name: str
    scopes: Scopes
    open: bool
    session: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Said).decode


class ClientSecrets:
    """Makes secrets and tells its own from others. is_open: whether the server takes any key."""

    def __init__(
        self, digester: Digester, is_open: Callable[[], Awaitable[bool]], now_ms: NowMs = now_ms
    ) -> None:
        self._digester = digester
        self._is_open = is_open
        self._now_ms = now_ms

    def make(self, caller: Caller, session: bytes, lasts_s: int) -> Secret:
        """Return a secret by which ``caller`` lets others open a session that is set so.

        Raises ``InvalidArgument`` where it would be too long to be sent.
        """
        now_ms = self._now_ms()
        expires_ms = now_ms + lasts_s * 1000
        said = _Said(
            expires_ms,
            caller.project,
            caller.key_id,
            caller.key_name,
            caller.scopes,
            caller.open,
            session.decode(),
        )
        packed = base64.urlsafe_b64encode(zlib.compress(_encode(said), 9)).rstrip(b"=").decode()
        value = f"{PREFIX}{self._proof(packed)}{packed}"
        if len(value) > CHARACTERS_MAX:
            raise InvalidArgument(
                "The session is too large for a client secret; set it with session.update instead."
            )
        return Secret(value, expires_ms // 1000)

    async def caller(self, value: str) -> tuple[Caller, bytes]:
        """Return whose secret it is, and how the session is set. Raises InvalidKey, ExpiredKey."""
        if not value.isascii():
            raise InvalidKey
        packed = value.removeprefix(PREFIX)
        proof, packed = packed[:PROOF_CHARACTERS], packed[PROOF_CHARACTERS:]
        if not same(proof, self._proof(packed)):
            raise InvalidKey
        said = _decode(_unpacked(packed))
        if said.expires_ms <= self._now_ms():
            raise ExpiredKey
        if said.open:
            if not await self._is_open():
                raise NoKey
            return ANYBODY, said.session.encode()
        named = Caller(project=said.project, key_id=said.key_id, key_name=said.key_name, scopes=said.scopes)
        return named, said.session.encode()

    def _proof(self, packed: str) -> str:
        return self._digester.digest(_PURPOSE + packed)


def _unpacked(packed: str) -> bytes:
    data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    return zlib.decompressobj().decompress(data, UNPACKED_BYTES_MAX)


def is_client_secret(value: str) -> bool:
    """Return whether something is meant to be a client secret."""
    return value.startswith(PREFIX)
