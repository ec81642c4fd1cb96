"""Who calls? Every form in which clients send a key, and whether the key is one of ours.

Keys are compared as keyed digests in constant time and never logged. Without configured keys any
caller is let in, which :mod:`geminid.app` allows on loopback addresses only.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence

from starlette.requests import Request

from geminid.core.errors import InvalidKey, NoKey


class Doorkeeper:
    """Lets callers in, or raises ``NoKey`` or ``InvalidKey``."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._secret = secrets.token_bytes(32)
        self._digests = [self._digest(key) for key in keys]

    @property
    def open(self) -> bool:
        """Whether anybody may come in."""
        return not self._digests

    def admit(self, request: Request) -> None:
        """Check the caller's key, in whichever form it came."""
        if self.open:
            return
        offered = list(_keys(request))
        if not offered:
            raise NoKey
        if not any(self._known(key) for key in offered):
            raise InvalidKey

    def _known(self, key: str) -> bool:
        digest = self._digest(key)
        matches = [hmac.compare_digest(digest, known) for known in self._digests]  # all of them, always
        return any(matches)

    def _digest(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=self._secret).digest()


def _keys(request: Request) -> Iterator[str]:
    if key := request.headers.get("x-goog-api-key"):
        yield key
    if key := request.query_params.get("key"):
        yield key
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        yield token.strip()
