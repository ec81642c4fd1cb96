"""The acts on keys: make, list, change, rotate, revoke; and who a key's bearer is.

A key is shown once, when it is made. It knows no wire. Invariant: a key that was revoked, has expired or
is of a deleted project lets nobody in: at once in this process and wherever a key is read fresh, which is
every route but those whose admission reads its row again in its own transaction.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Sequence

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection

from geminid.core.caller import ANYBODY, Caller, Scopes
from geminid.core.errors import ExpiredKey, FailedPrecondition, InvalidKey, NoKey
from geminid.core.ids import Randomness
from geminid.core.secret import is_well_formed
from geminid.service.acting import NowMs, Page, now_ms, paged, trace, wrong
from geminid.service.digests import Digester, same
from geminid.service.key_making import KeyChange, KeyMaker, NewKey, UnknownKey, check_key
from geminid.service.projects import live
from geminid.store import keys as rows
from geminid.store.database import Database
from geminid.store.keys import Key

__all__ = ["Key", "KeyChange", "Keys", "NewKey", "UnknownKey"]

REMEMBERED_MS = 1_000
REMEMBERED_MAX = 10_000
LOOK_EVERY_MS = 1_000
"""How often an open server looks whether somebody has made a key."""
OVERLAP_MS_MAX = 90 * 86_400_000


class Keys:
    """All keys of one database, and those of the settings. Used on one event loop only.

    configured: keys of the settings, which belong to the default project and have no end.
    """

    def __init__(
        self,
        database: Database,
        digester: Digester,
        configured: Sequence[str] = (),
        now_ms: NowMs = now_ms,
        randomness: Randomness = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._digester = digester
        self._configured = tuple(digester.digest(each) for each in configured)
        self._now_ms = now_ms
        self._maker = KeyMaker(digester, randomness)
        self._remembered: OrderedDict[str, tuple[int, Key | None]] = OrderedDict()
        self._closed = bool(configured)
        self._looked_ms = -LOOK_EVERY_MS

    # -- who calls ---------------------------------------------------------------------------------

    async def caller(self, offered: Sequence[str], *, fresh: bool = True) -> Caller:
        """Return whose key is among ``offered``; without any key anywhere, everybody is let in.

        fresh: read the key's row now. Otherwise what was known a second ago will do, for whoever reads it
        again before anything comes of it. Raises NoKey, InvalidKey, ExpiredKey.
        """
        if await self.open():
            return ANYBODY
        if not offered:
            raise NoKey
        problem: InvalidKey | None = None
        for words in offered:
            try:
                return await self._caller(words, fresh)
            except InvalidKey as each:
                problem = problem if isinstance(problem, ExpiredKey) else each
        raise problem or NoKey()

    async def open(self) -> bool:
        """Return whether there is no key at all, and never was one: then any is taken."""
        now_ms = self._now_ms()
        if not self._closed and abs(now_ms - self._looked_ms) >= LOOK_EVERY_MS:
            self._closed = await self._database.read(rows.any_at_all)
            self._looked_ms = now_ms
        return not self._closed

    def forget(self, key_id: str) -> None:
        """Read a key's row again before it is next believed."""
        for digest, (_, key) in tuple(self._remembered.items()):
            if key is not None and key.id == key_id:
                del self._remembered[digest]

    async def _caller(self, words: str, fresh: bool) -> Caller:
        digest = self._digester.digest(words)
        matches = [same(digest, each) for each in self._configured]  # all of them, always
        if any(matches):
            return Caller(key_name="settings")
        if not fresh and (key := self._known(digest)) is not None:
            return self._caller_of(key)
        if not is_well_formed(words, "sk"):
            raise InvalidKey  # a typo: nothing is looked up
        key = await self._read(digest)
        if key is None or not same(key.digest, digest):
            raise InvalidKey
        return self._caller_of(key)

    def _caller_of(self, key: Key) -> Caller:
        if key.revoked_ms is not None:
            raise InvalidKey
        if key.expired_at(self._now_ms()):
            raise ExpiredKey
        return Caller(project=key.project, key_id=key.id, key_name=key.name, scopes=key.scopes)

    def _known(self, digest: str) -> Key | None:
        read_ms, key = self._remembered.get(digest, _NOTHING)
        return key if 0 <= self._now_ms() - read_ms < REMEMBERED_MS else None

    async def _read(self, digest: str) -> Key | None:
        now_ms = self._now_ms()
        found = await self._database.read(lambda connection: rows.by_digest(connection, digest))
        self._remembered.pop(digest, None)
        if found is not None:
            self._remembered[digest] = now_ms, found
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return found

    # -- administration ----------------------------------------------------------------------------

    async def create(
        self,
        actor: str,
        project: str,
        name: str,
        *,
        scopes: Scopes = Scopes(),  # noqa: B008  frozen
        expires_ms: int | None = None,
    ) -> NewKey:
        """Make a key for a project. Raises UnknownProject, InvalidArgument."""
        now_ms = self._now_ms()
        check_key(name, scopes, expires_ms, now_ms)
        made = self._maker.make(project, name, scopes, expires_ms, now_ms)

        def act(connection: Connection) -> None:
            live(connection, project, lock=True)  # it may be deleted at this moment, with its keys
            rows.add(connection, made.key)
            said = {"name": name, "hint": made.key.hint, "scopes": scopes, "expires_ms": expires_ms}
            trace(connection, now_ms, actor, "key.create", made.key.id, project, **said)

        await self._database.write(act)
        self._closed = True
        return made

    async def get(self, project: str, key_id: str) -> Key:
        """Return a key; raises UnknownProject, UnknownKey."""

        def act(connection: Connection) -> Key:
            live(connection, project)
            return _found(connection, project, key_id)

        return await self._database.read(act)

    async def page(self, project: str, size: int, after: str = "") -> Page[Key]:
        """Return ``size`` keys of a project at most, the oldest first; raises UnknownProject."""

        def act(connection: Connection) -> tuple[Key, ...]:
            live(connection, project)
            return rows.page(connection, project, _place(after), size + 1)

        found = await self._database.read(act)
        return paged(found, size, lambda key: f"{key.created_ms}:{key.id}")

    async def update(self, actor: str, project: str, key_id: str, change: KeyChange) -> Key:
        """Change a key and return it. Raises UnknownProject, UnknownKey, InvalidArgument."""
        now_ms = self._now_ms()
        said = {n: value for n in change.__struct_fields__ if (value := getattr(change, n)) is not UNSET}

        def act(connection: Connection) -> Key:
            live(connection, project)
            found = _found(connection, project, key_id, lock=True)
            if found.revoked_ms is not None and said:
                raise FailedPrecondition("A revoked key cannot be changed.")
            changed = msgspec.structs.replace(found, **said)
            check_key(changed.name, changed.scopes, said.get("expires_ms"), now_ms)
            rows.put(connection, changed)
            trace(connection, now_ms, actor, "key.update", key_id, project, **said)
            return changed

        return self._changed(await self._database.write(act))

    async def rotate(self, actor: str, project: str, key_id: str, overlap_ms: int) -> NewKey:
        """Make a key that takes another's place; the old one works on for ``overlap_ms``, never longer
        than it would have. Raises UnknownProject, UnknownKey, FailedPrecondition."""
        now_ms = self._now_ms()
        if not 0 <= overlap_ms <= OVERLAP_MS_MAX:
            raise wrong("overlap", f"must be between nothing and {OVERLAP_MS_MAX // 86_400_000} days")

        def act(connection: Connection) -> tuple[Key, NewKey]:
            live(connection, project, lock=True)
            old = _found(connection, project, key_id, lock=True)
            if not old.holds_at(now_ms) or old.replaced_by:
                raise FailedPrecondition("Only a key that is in force and was not replaced can be rotated.")
            made = self._maker.make(project, old.name, old.scopes, old.expires_ms, now_ms)
            end_ms = min(now_ms + overlap_ms, old.expires_ms or now_ms + overlap_ms)
            old = msgspec.structs.replace(old, expires_ms=end_ms, replaced_by=made.key.id)
            rows.put(connection, old)
            rows.add(connection, made.key)
            said = {"replaced_by": made.key.id, "overlap_ms": overlap_ms}
            trace(connection, now_ms, actor, "key.rotate", key_id, project, **said)
            return old, made

        old, made = await self._database.write(act)
        self._changed(old)
        return made

    async def revoke(self, actor: str, project: str, key_id: str) -> Key:
        """End a key for good, at once; to do it again changes nothing. Raises UnknownProject, UnknownKey."""
        now_ms = self._now_ms()

        def act(connection: Connection) -> Key:
            live(connection, project)
            found = _found(connection, project, key_id, lock=True)
            if found.revoked_ms is not None:
                return found
            revoked = msgspec.structs.replace(found, revoked_ms=now_ms)
            rows.put(connection, revoked)
            trace(connection, now_ms, actor, "key.revoke", key_id, project, name=found.name)
            return revoked

        return self._changed(await self._database.write(act))

    def _changed(self, key: Key) -> Key:
        self.forget(key.id)
        return key


_NOTHING: tuple[int, Key | None] = (0, None)


def _found(connection: Connection, project: str, key_id: str, *, lock: bool = False) -> Key:
    found = rows.find(connection, project, key_id, lock=lock)
    if found is None:
        raise UnknownKey(key_id)
    return found


def _place(after: str) -> tuple[int, str] | None:
    if not after:
        return None
    created, _, key_id = after.partition(":")
    if not created.isdecimal() or len(created) > 15:
        raise wrong("pageToken", "was not given by this server")
    return int(created), key_id
