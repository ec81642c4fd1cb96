"""Several processes that administer one database at the same time, on SQLite and on PostgreSQL."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from administering import administering
from geminid.billing.orders import Credit
from geminid.core.alias import Alias
from geminid.core.errors import AlreadyExists, FailedPrecondition, InvalidKey
from geminid.service.digests import Digester
from geminid.service.keys import KeyChange
from geminid.service.limits import LimitChange, RateChange
from geminid.service.projects import ProjectChange, UnknownProject

TIMES = 12


@pytest.fixture
async def rooms(tmp_path, database_url):
    """Two processes' worth of everything over one database."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(administering(tmp_path, url=database_url)) for _ in range(2)
        ]
        await opened[0].acts.projects.create("test", "team")
        yield opened


async def both(rooms, act):
    """Do ``act(acts, n)`` many times, half of them in each process, and return what came of each."""
    work = (act(rooms[n % 2].acts, n) for n in range(TIMES))
    return await asyncio.gather(*work, return_exceptions=True)


async def test_all_processes_have_one_secret(rooms):
    made = await asyncio.gather(*(Digester.open(room.database) for room in rooms * 3))
    assert len({digester.digest("x") for digester in made}) == 1


async def test_no_change_of_limits_is_lost(rooms):
    await both(
        rooms,
        lambda acts, n: acts.limits.change("test", "team", LimitChange(models={f"m{n}": RateChange(rpm=n)})),
    )
    limits = await rooms[0].acts.limits.get("team")
    assert {name: each.rpm for name, each in limits.rules.models.items()} == {
        f"m{n}": n for n in range(TIMES)
    }


async def test_a_change_of_a_project_and_one_of_its_limits_both_happen(rooms):
    await asyncio.gather(
        rooms[0].acts.projects.update("test", "team", ProjectChange(title="Team")),
        rooms[1].acts.limits.change("test", "team", LimitChange(every_model=RateChange(rpm=7))),
    )
    project = await rooms[0].acts.projects.get("team")
    assert (project.title, project.limits.every_model.rpm) == ("Team", 7)


async def test_a_revoked_key_never_comes_back_to_life(rooms):
    for n in range(TIMES):
        made = await rooms[0].acts.keys.create("test", "team", f"key {n}")
        done = await asyncio.gather(
            rooms[0].acts.keys.revoke("test", "team", made.key.id),
            rooms[1].acts.keys.update("test", "team", made.key.id, KeyChange(name="renamed")),
            rooms[1].acts.keys.rotate("test", "team", made.key.id, 1_000_000),
            return_exceptions=True,
        )
        assert not isinstance(done[0], BaseException)
        assert all(isinstance(each, FailedPrecondition) for each in done if isinstance(each, BaseException))
        assert (await rooms[1].acts.keys.get("team", made.key.id)).revoked_ms is not None


async def test_a_key_is_replaced_once(rooms):
    made = await rooms[0].acts.keys.create("test", "team", "a key")
    done = await both(rooms, lambda acts, n: acts.keys.rotate("test", "team", made.key.id, 1_000_000))
    assert sum(not isinstance(each, BaseException) for each in done) == 1
    assert len((await rooms[0].acts.keys.page("team", 50)).items) == 2


async def test_no_key_outlives_its_project(rooms):
    for n in range(3):
        await rooms[0].acts.projects.create("test", f"short-{n}")
        made = asyncio.gather(
            *(rooms[1].acts.keys.create("test", f"short-{n}", "a key") for _ in range(4)),
            return_exceptions=True,
        )
        await rooms[0].acts.projects.delete("test", f"short-{n}")
        for each in await made:
            if isinstance(each, BaseException):
                assert isinstance(each, UnknownProject)
            else:
                with pytest.raises(InvalidKey):
                    await rooms[0].acts.keys.caller((each.words,))


async def test_an_entry_with_one_key_is_entered_once(rooms):
    order = Credit(kind="top_up", key="invoice", amount_nano=100)
    done = await both(rooms, lambda acts, n: acts.credits.enter("test", "team", order))
    assert [each.repeated for each in done].count(False) == 1
    assert (await rooms[0].acts.credits.balance("team")).posted_nano == 100


async def test_entries_of_many_are_all_entered_and_the_ledger_proves_itself(rooms):
    done = await both(
        rooms,
        lambda acts, n: acts.credits.enter(
            "test", "team", Credit(kind="grant", key=f"k{n}", amount_nano=n + 1)
        ),
    )
    assert not any(isinstance(each, BaseException) for each in done)
    report = await rooms[1].acts.credits.verify()
    assert (report.sound, report.transfers, report.posted_nano) == (True, TIMES, sum(range(TIMES + 1)))


async def test_one_project_is_made_once(rooms):
    done = await both(rooms, lambda acts, n: acts.projects.create("test", "other"))
    assert sum(isinstance(each, AlreadyExists) for each in done) == TIMES - 1


async def test_one_name_is_pinned_by_many(rooms):
    done = await both(
        rooms, lambda acts, n: acts.aliases.put("test", Alias(name="house", target="small-model"))
    )
    assert not any(isinstance(each, BaseException) for each in done)
    assert len(await rooms[0].acts.aliases.every()) == 1


async def test_every_change_of_all_processes_is_in_one_trail(rooms):
    await both(rooms, lambda acts, n: acts.projects.update(f"actor-{n}", "team", ProjectChange(title=str(n))))
    seen, after = [], ""
    while True:
        page = await rooms[0].acts.trail.page(5, after, "team")
        seen += page.items
        if not (after := page.next):
            break
    assert {entry.actor for entry in seen} == {"test", *(f"actor-{n}" for n in range(TIMES))}
    assert [entry.seq for entry in seen] == sorted((entry.seq for entry in seen), reverse=True)
