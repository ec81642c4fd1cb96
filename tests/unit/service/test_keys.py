import sqlite3

import pytest

from administering import DAY_MS, START_MS, administering
from geminid.core.caller import ANYBODY, Caller, Scopes
from geminid.core.errors import (
    ExpiredKey,
    FailedPrecondition,
    InvalidArgument,
    InvalidKey,
    NoKey,
)
from geminid.core.secret import new_secret
from geminid.service import digests
from geminid.service.keys import KeyChange, UnknownKey
from geminid.service.projects import UnknownProject


@pytest.fixture
async def room(tmp_path):
    async with administering(tmp_path) as opened:
        await opened.acts.projects.create("test", "team")
        yield opened


async def made(room, name="a key", project="team", **options):
    return await room.acts.keys.create("test", project, name, **options)


# -- who calls -----------------------------------------------------------------------------------------


async def test_without_any_key_everybody_is_let_in_and_never_again_after_the_first(room):
    assert await room.acts.keys.caller(()) == ANYBODY
    key = await made(room)
    with pytest.raises(NoKey):
        await room.acts.keys.caller(())
    await room.acts.keys.revoke("test", "team", key.key.id)
    with pytest.raises(NoKey):
        await (await room.again()).caller(())


async def test_an_open_server_notices_a_key_that_another_process_made(room):
    other = await room.again()
    assert await other.open()
    await made(room)
    assert await other.open()
    room.clock.ms += 1_000
    assert not await other.open()


async def test_a_key_tells_its_project_name_and_scopes(room):
    scopes = Scopes(models=("gemini-*",), verbs=("generate",))
    key = await made(room, "robot", scopes=scopes)
    assert await room.acts.keys.caller((key.words,)) == Caller(
        project="team", key_id=key.key.id, key_name="robot", scopes=scopes
    )


async def test_keys_of_the_settings_are_of_the_default_project(tmp_path):
    async with administering(tmp_path, "house-key") as room:
        assert await room.acts.keys.caller(("house-key",)) == Caller(key_name="settings")
        with pytest.raises(InvalidKey):
            await room.acts.keys.caller(("house-keys",))


async def test_any_good_key_among_several_will_do(room):
    key = await made(room)
    assert (await room.acts.keys.caller(("nonsense", key.words))).key_id == key.key.id


async def test_a_typo_is_told_without_looking_anything_up(room, monkeypatch):
    key = await made(room)

    async def read(act):
        raise AssertionError("looked up")

    monkeypatch.setattr(room.database, "read", read)
    with pytest.raises(InvalidKey):
        await room.acts.keys.caller((key.words[:-1] + ("a" if key.words[-1] != "a" else "b"),))


async def test_an_unknown_key_is_not_valid(room):
    await made(room)
    with pytest.raises(InvalidKey):
        await room.acts.keys.caller((new_secret("sk"),))


async def test_an_administrators_token_is_no_key(room):
    await made(room)
    token = await room.acts.tokens.create("test", "ops")
    with pytest.raises(InvalidKey):
        await room.acts.keys.caller((token.words,))


@pytest.mark.parametrize("fresh", [True, False])
async def test_an_expired_key_says_so(room, fresh):
    key = await made(room, expires_ms=START_MS + 10)
    assert await room.acts.keys.caller((key.words,), fresh=fresh)
    room.clock.ms += 10
    with pytest.raises(ExpiredKey, match="expired"):
        await room.acts.keys.caller((key.words,), fresh=fresh)


@pytest.mark.parametrize("fresh", [True, False])
async def test_a_revoked_key_lets_nobody_in_from_that_moment(room, fresh):
    key = await made(room)
    await room.acts.keys.caller((key.words,), fresh=fresh)
    await room.acts.keys.revoke("test", "team", key.key.id)
    with pytest.raises(InvalidKey):
        await room.acts.keys.caller((key.words,), fresh=fresh)


async def test_another_process_believes_a_revoked_key_for_a_second_at_most_and_not_when_it_reads_fresh(room):
    key = await made(room)
    other = await room.again()
    await other.caller((key.words,), fresh=False)
    await room.acts.keys.revoke("test", "team", key.key.id)
    assert await other.caller((key.words,), fresh=False)
    with pytest.raises(InvalidKey):
        await other.caller((key.words,))
    with pytest.raises(InvalidKey):  # what it read is what it remembers now
        await other.caller((key.words,), fresh=False)


async def test_what_is_remembered_is_read_again_after_a_second(room):
    key = await made(room)
    other = await room.again()
    await other.caller((key.words,), fresh=False)
    await room.acts.keys.revoke("test", "team", key.key.id)
    room.clock.ms += 1_000
    with pytest.raises(InvalidKey):
        await other.caller((key.words,), fresh=False)


async def test_keys_of_a_deleted_project_are_gone_with_it(room):
    key = await made(room)
    await room.acts.projects.delete("test", "team")
    with pytest.raises(InvalidKey):
        await room.acts.keys.caller((key.words,))


# -- administration ------------------------------------------------------------------------------------


async def test_only_a_digest_is_kept(room):
    key = await made(room)
    kept = b"".join(each.read_bytes() for each in room.path.parent.iterdir())
    assert key.words.encode() not in kept
    assert key.words[6:].encode() not in kept
    assert key.key.digest.encode() in kept


async def test_the_digest_needs_the_secret_of_the_database(room):
    key = await made(room)
    assert digests.Digester(b"another").digest(key.words) != key.key.digest
    assert (await digests.Digester.open(room.database)).digest(key.words) == key.key.digest


async def test_digests_are_compared_by_the_constant_time_comparison(room, monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return one == other

    key = await made(room)
    monkeypatch.setattr(digests.hmac, "compare_digest", compare)
    await room.acts.keys.caller((key.words,))
    assert (key.key.digest, key.key.digest) in compared


async def test_keys_are_listed_in_pages_the_oldest_first(room):
    names = [f"key {n}" for n in range(7)]
    for name in names:
        await made(room, name)
        room.clock.ms += 1
    seen, after = [], ""
    while True:
        page = await room.acts.keys.page("team", 3, after)
        seen += [key.name for key in page.items]
        if not (after := page.next):
            break
    assert seen == names


async def test_keys_of_another_project_are_not_found(room):
    key = await made(room)
    await room.acts.projects.create("test", "others")
    for act in (
        room.acts.keys.get("others", key.key.id),
        room.acts.keys.update("test", "others", key.key.id, KeyChange(name="mine")),
        room.acts.keys.revoke("test", "others", key.key.id),
        room.acts.keys.rotate("test", "others", key.key.id, 0),
    ):
        with pytest.raises(UnknownKey):
            await act
    with pytest.raises(UnknownProject):
        await made(room, project="nobody")


async def test_a_rotated_key_works_on_for_the_overlap(room):
    old = await made(room, "robot", scopes=Scopes(verbs=("count",)))
    new = await room.acts.keys.rotate("test", "team", old.key.id, DAY_MS)
    assert (new.key.name, new.key.scopes) == ("robot", Scopes(verbs=("count",)))
    assert (await room.acts.keys.get("team", old.key.id)).replaced_by == new.key.id
    room.clock.ms += DAY_MS - 1
    assert (await room.acts.keys.caller((old.words,))).key_id == old.key.id
    room.clock.ms += 1
    with pytest.raises(ExpiredKey):
        await room.acts.keys.caller((old.words,))
    assert (await room.acts.keys.caller((new.words,))).key_id == new.key.id


async def test_rotation_never_lengthens_a_keys_life(room):
    old = await made(room, expires_ms=START_MS + 100)
    await room.acts.keys.rotate("test", "team", old.key.id, DAY_MS)
    assert (await room.acts.keys.get("team", old.key.id)).expires_ms == START_MS + 100


async def test_what_was_replaced_or_revoked_is_not_rotated(room):
    old = await made(room)
    await room.acts.keys.rotate("test", "team", old.key.id, DAY_MS)
    with pytest.raises(FailedPrecondition):
        await room.acts.keys.rotate("test", "team", old.key.id, DAY_MS)
    ended = await made(room)
    await room.acts.keys.revoke("test", "team", ended.key.id)
    with pytest.raises(FailedPrecondition):
        await room.acts.keys.rotate("test", "team", ended.key.id, DAY_MS)
    with pytest.raises(FailedPrecondition):
        await room.acts.keys.update("test", "team", ended.key.id, KeyChange(name="again"))


async def test_narrowed_scopes_hold_at_once(room):
    key = await made(room)
    await room.acts.keys.caller((key.words,), fresh=False)
    await room.acts.keys.update("test", "team", key.key.id, KeyChange(scopes=Scopes(verbs=("count",))))
    assert (await room.acts.keys.caller((key.words,), fresh=False)).scopes.verbs == ("count",)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("", {}),
        ("x" * 129, {}),
        ("two\nlines", {}),
        ("past", {"expires_ms": START_MS}),
        ("far", {"expires_ms": 10**15}),
        ("many", {"scopes": Scopes(models=("m",) * 101)}),
        ("odd", {"scopes": Scopes(models=("",))}),
    ],
)
async def test_senseless_keys_are_refused(room, name, options):
    with pytest.raises(InvalidArgument):
        await made(room, name, **options)


async def test_every_change_leaves_its_trace_and_no_secret_in_it(room):
    key = await made(room, "robot")
    new = await room.acts.keys.rotate("ada", "team", key.key.id, 0)
    await room.acts.keys.revoke("ada", "team", new.key.id)
    await room.acts.keys.revoke("ada", "team", new.key.id)
    changes = (await room.acts.trail.page(50, project="team")).items
    assert [change.action for change in changes] == [
        "key.revoke",
        "key.rotate",
        "key.create",
        "project.create",
    ]
    assert {change.actor for change in changes[:2]} == {"ada"}
    rows = sqlite3.connect(room.path).execute("SELECT details FROM audit").fetchall()
    assert not any(words.words[8:-4] in details for words in (key, new) for (details,) in rows)
