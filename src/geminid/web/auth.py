"""Who calls? Every form in which clients send a key; whose it is, :mod:`geminid.service.keys` knows.

Keys are never logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from starlette.requests import HTTPConnection, Request

from geminid.core.caller import Caller, Verb
from geminid.service.keys import Keys


class Doorkeeper:
    """Lets callers in."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def admit(self, request: Request, verb: Verb, model: str = "", *, fresh: bool = True) -> Caller:
        """Return who sends a request, by the key that it brings in whichever form.

        fresh: see :meth:`geminid.service.keys.Keys.caller`. Raises ``NoKey``, ``InvalidKey``, ``ExpiredKey``,
        and ``PermissionDenied`` for a key that is not good for the verb or the model.
        """
        return await self.admit_bearer(tuple(_keys(request)), verb, model, fresh=fresh)

    async def admit_bearer(
        self, offered: Sequence[str], verb: Verb, model: str = "", *, fresh: bool = True
    ) -> Caller:
        """Return whose key is among those that are offered; raises as :meth:`admit` does."""
        caller = await self._keys.caller(offered, fresh=fresh)
        caller.require(verb, model)
        return caller

    async def is_open(self) -> bool:
        """Return whether any key is taken, for there is none."""
        return await self._keys.open()


def bearer(request: HTTPConnection) -> str:
    """Return the token that a request bears, or nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _keys(request: Request) -> Iterator[str]:
    if key := request.headers.get("x-goog-api-key"):
        yield key
    if key := request.headers.get("x-api-key"):
        yield key
    if key := request.query_params.get("key"):
        yield key
    if key := bearer(request):
        yield key
