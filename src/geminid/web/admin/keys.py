"""Handlers of keys and of administrators' tokens."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from geminid.core.caller import Scopes
from geminid.service.administration import Administration
from geminid.service.keys import Key, KeyChange, NewKey
from geminid.service.tokens import Token
from geminid.web.admin.call import Call, Handler
from geminid.wire.admin import keys as wire
from geminid.wire.admin.fields import maybe_ms, maybe_time, time_of

SECOND_MS = 1000


async def _list(acts: Administration, call: Call) -> wire.KeyPage:
    page = await acts.keys.page(call.path["project"], call.size, call.after)
    return wire.KeyPage(keys=tuple(_key(acts, each) for each in page.items), next_page_token=page.next)


async def _create(acts: Administration, call: Call) -> wire.MadeKey:
    said: wire.NewKey = call.body
    made = await acts.keys.create(
        call.actor,
        call.path["project"],
        said.name,
        scopes=_scopes(said.scopes),
        expires_ms=maybe_ms(said.expire_time),
    )
    return _made(acts, made)


async def _get(acts: Administration, call: Call) -> wire.Key:
    return _key(acts, await acts.keys.get(call.path["project"], call.path["key"]))


async def _update(acts: Administration, call: Call) -> wire.Key:
    said: wire.KeyPatch = call.body
    change = KeyChange(
        name=said.name,
        scopes=UNSET if isinstance(said.scopes, UnsetType) else _scopes(said.scopes),
        expires_ms=UNSET if isinstance(said.expire_time, UnsetType) else maybe_ms(said.expire_time),
    )
    return _key(acts, await acts.keys.update(call.actor, call.path["project"], call.path["key"], change))


async def _rotate(acts: Administration, call: Call) -> wire.MadeKey:
    said: wire.Rotation = call.body
    overlap_ms = said.overlap_seconds * SECOND_MS
    return _made(acts, await acts.keys.rotate(call.actor, call.path["project"], call.path["key"], overlap_ms))


async def _revoke(acts: Administration, call: Call) -> wire.Key:
    return _key(acts, await acts.keys.revoke(call.actor, call.path["project"], call.path["key"]))


async def _list_tokens(acts: Administration, call: Call) -> wire.TokenPage:
    page = await acts.tokens.page(call.size, call.after)
    return wire.TokenPage(tokens=tuple(_token(acts, each) for each in page.items), next_page_token=page.next)


async def _create_token(acts: Administration, call: Call) -> wire.MadeToken:
    said: wire.NewToken = call.body
    made = await acts.tokens.create(call.actor, said.name, said.role, maybe_ms(said.expire_time))
    return wire.MadeToken(token=_token(acts, made.token), secret=made.words)


async def _revoke_token(acts: Administration, call: Call) -> None:
    await acts.tokens.revoke(call.actor, call.path["token"])


HANDLERS: dict[str, Handler] = {
    "keys.list": _list,
    "keys.create": _create,
    "keys.get": _get,
    "keys.update": _update,
    "keys.rotate": _rotate,
    "keys.revoke": _revoke,
    "tokens.list": _list_tokens,
    "tokens.create": _create_token,
    "tokens.revoke": _revoke_token,
}


def _key(acts: Administration, key: Key) -> wire.Key:
    return wire.Key(
        id=key.id,
        project=key.project,
        name=key.name,
        hint=key.hint,
        state=_state(acts, key),
        scopes=wire.Scopes(models=key.scopes.models, verbs=key.scopes.verbs),
        create_time=time_of(key.created_ms),
        expire_time=maybe_time(key.expires_ms),
        revoke_time=maybe_time(key.revoked_ms),
        replaced_by=key.replaced_by,
    )


def _made(acts: Administration, made: NewKey) -> wire.MadeKey:
    return wire.MadeKey(key=_key(acts, made.key), secret=made.words)


def _scopes(said: wire.Scopes) -> Scopes:
    return Scopes(models=said.models, verbs=said.verbs)


def _token(acts: Administration, token: Token) -> wire.Token:
    return wire.Token(
        id=token.id,
        name=token.name,
        role=token.role,
        hint=token.hint,
        state=_state(acts, token),
        create_time=time_of(token.created_ms),
        expire_time=maybe_time(token.expires_ms),
        revoke_time=maybe_time(token.revoked_ms),
    )


def _state(acts: Administration, secret: Key | Token) -> wire.KeyState:
    if secret.revoked_ms is not None:
        return "revoked"
    return "active" if secret.holds_at(acts.now_ms()) else "expired"
