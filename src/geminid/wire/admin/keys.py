"""Messages about keys of projects, and tokens of administrators."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from geminid.core.caller import Role, Verb
from geminid.wire.admin.fields import Name, Time
from geminid.wire.admin.message import Message, Patch

KeyState = Literal["active", "expired", "revoked"]
ModelPattern = Annotated[str, Meta(min_length=1, max_length=128)]
DAY_S = 86_400


class Scopes(Message, frozen=True):
    """What a key is good for; empty is everything."""

    models: Annotated[
        tuple[ModelPattern, ...],
        Meta(
            description="Models as they are asked for; a name that ends in `*` means all that begin so.",
            max_length=100,
        ),
    ] = ()
    verbs: Annotated[tuple[Verb, ...], Meta(max_length=10)] = ()


class Key(Message, frozen=True):
    """A key of a project, without its secret, which nobody knows but its bearer."""

    id: str
    project: str
    name: Name
    hint: Annotated[str, Meta(description="How the secret begins and ends.")]
    state: KeyState
    scopes: Scopes
    create_time: Time
    expire_time: Time | None
    revoke_time: Time | None
    replaced_by: Annotated[str, Meta(description="The id of the key that takes its place, or empty.")]


class KeyPage(Message, frozen=True):
    """Keys, the oldest first."""

    keys: tuple[Key, ...]
    next_page_token: str = ""


class NewKey(Message, frozen=True):
    """A key that is to be made."""

    name: Name
    scopes: Scopes = Scopes()
    expire_time: Time | None = None


class MadeKey(Message, frozen=True):
    """A new key with its secret, which is shown this once."""

    key: Key
    secret: Annotated[str, Meta(description="What clients send: `sk-…`. Keep it; it is not shown again.")]


class KeyPatch(Patch, frozen=True):
    """What is to be different; `expireTime` null takes the end away."""

    name: Name | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    expire_time: Time | UnsetType | None = UNSET


class Rotation(Message, frozen=True):
    """How a key is replaced by a new one with the same name and scopes."""

    overlap_seconds: Annotated[
        int, Meta(description="How long the old key works on.", ge=0, le=90 * DAY_S)
    ] = DAY_S


class Token(Message, frozen=True):
    """A token of an administrator, without its secret."""

    id: str
    name: Name
    role: Annotated[Role, Meta(description="A viewer changes nothing.")]
    hint: str
    state: KeyState
    create_time: Time
    expire_time: Time | None
    revoke_time: Time | None


class TokenPage(Message, frozen=True):
    """Tokens by id."""

    tokens: tuple[Token, ...]
    next_page_token: str = ""


class NewToken(Message, frozen=True):
    """A token that is to be made."""

    name: Name
    role: Role = "admin"
    expire_time: Time | None = None


class MadeToken(Message, frozen=True):
    """A new token with its secret, which is shown this once."""

    token: Token
    secret: Annotated[str, Meta(description="What to send as `Authorization: Bearer adm-…`.")]
