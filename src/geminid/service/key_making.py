"""What a key is made of: its words, its row, and what may be said of it. It keeps nothing."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from geminid.core.caller import Scopes
from geminid.core.errors import NotFound
from geminid.core.ids import Randomness, scratch_name
from geminid.core.secret import hint_of, new_secret
from geminid.service.acting import check_time, check_title, wrong
from geminid.service.digests import Digester
from geminid.store.keys import Key

MODELS_MAX = 100
MODEL_CHARACTERS_MAX = 128


class UnknownKey(NotFound):
    """No key of this project has this id. What looks like a secret is not repeated."""

    def __init__(self, key_id: str) -> None:
        if key_id.startswith("sk-"):
            super().__init__("A key is named by its id, which begins with key-, not by its secret.")
            return
        super().__init__(f"There is no key {key_id} in this project.")


class NewKey(NamedTuple):
    """A key that was just made, and the only time its words are shown."""

    key: Key
    words: str


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different; UNSET stays as it is. expires_ms None: it has no end."""

    name: str | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    expires_ms: int | UnsetType | None = UNSET


class KeyMaker:
    """Makes keys out of randomness, and their digests."""

    def __init__(self, digester: Digester, randomness: Randomness) -> None:
        self._digester = digester
        self._randomness = randomness

    def make(self, project: str, name: str, scopes: Scopes, expires_ms: int | None, now_ms: int) -> NewKey:
        """Return a new key."""
        words = new_secret("sk", self._randomness)
        key = Key(
            id=f"key-{scratch_name(self._randomness)[:16]}",
            project=project,
            name=name,
            hint=hint_of(words),
            digest=self._digester.digest(words),
            scopes=scopes,
            created_ms=now_ms,
            expires_ms=expires_ms,
        )
        return NewKey(key, words)


def check_key(name: str, scopes: Scopes, expires_ms: int | None, now_ms: int) -> None:
    """Raise InvalidArgument unless a key may be so; expires_ms: as it is set now, None if it is not."""
    check_title(name)
    check_time(expires_ms, now_ms)
    if len(scopes.models) > MODELS_MAX:
        raise wrong("models", f"must be at most {MODELS_MAX}")
    for model in scopes.models:
        if not 0 < len(model) <= MODEL_CHARACTERS_MAX or not model.isprintable():
            raise wrong("models", f"must be names of at most {MODEL_CHARACTERS_MAX} characters")
