"""Rows of interactions, in both kinds of database: chains, claims, ends."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from geminid.store import interactions as rows
from geminid.store import owners, projects
from geminid.store.database import Database
from geminid.store.interactions import InteractionRow, Said
from geminid.store.owners import Owner
from geminid.store.projects import Project
from geminid.store.tables import interaction_contents, metadata

NOW_MS = 1_000


def row(name, previous="", **said):
    fields = {
        "project": "p",
        "wire": "w",
        "depth": 1,
        "model": "m",
        "asked": "a",
        "status": "completed",
        "background": False,
        "created_ms": 1,
        "updated_ms": 1,
        "expires_ms": NOW_MS + 100,
    }
    return InteractionRow(id=name, previous=previous, **fields | said)


def said(name):
    return Said(kept=b"k", turns=f"turns of {name}".encode(), steps=b"s")


@pytest.fixture
async def database(database_url):
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


async def add(database, *added):
    for each in added:
        await database.write(lambda c, each=each: rows.add(c, each, said(each.id)))


async def live(database, name):
    owner = Owner(id=name, host="h", pid=1, born_ms=0, heartbeat_ms=0)
    await database.write(lambda c: owners.beat(c, owner))


async def line(database, name, **where):
    asked = {"project": "p", "wire": "w", "now_ms": NOW_MS, "depth_max": 10, **where}
    links = await database.read(lambda c: rows.line(c, interaction_id=name, **asked))
    return [link.id for link in links], links[0].previous if links else None


async def test_what_was_added_is_found_as_it_was(database):
    one = row(
        "one",
        background=True,
        owner="me",
        tries=3,
        cancelling=True,
        fault_code="X",
        fault="y",
        fault_field="z",
    )
    await add(database, one)
    assert await database.read(lambda c: rows.find(c, "p", "w", "one", NOW_MS)) == (one, said("one"))
    changed = msgspec.structs.replace(one, status="failed", cancelling=False)
    assert await database.write(lambda c: rows.put(c, changed, said("other")))
    assert await database.read(lambda c: rows.find(c, "p", "w", "one", NOW_MS)) == (changed, said("other"))
    assert not await database.write(lambda c: rows.put(c, row("nobody"), said("nobody")))


@pytest.mark.parametrize("where", [("q", "w", NOW_MS), ("p", "v", NOW_MS), ("p", "w", NOW_MS + 100)])
async def test_another_projects_another_wires_and_expired_ones_are_not_found(database, where):
    await add(database, row("one"))
    project, wire, now_ms = where
    assert await database.read(lambda c: rows.find(c, project, wire, "one", now_ms)) is None
    assert await line(database, "one", project=project, wire=wire, now_ms=now_ms) == ([], None)


async def test_a_line_begins_behind_the_one_that_is_missing(database):
    await add(
        database,
        row("a"),
        row("b", "a"),
        row("c", "b"),
        row("d", "c"),
        row("elsewhere", "b", project="q"),
        row("early", "a", expires_ms=NOW_MS),
        row("late", "early"),
        row("other", "a", wire="v"),
        row("mixed", "other"),
    )
    assert await line(database, "d") == (["a", "b", "c", "d"], "")
    assert await line(database, "d", depth_max=2) == (["c", "d"], "b")
    assert await line(database, "late") == (["late"], "early")
    assert await line(database, "mixed") == (["mixed"], "other")
    assert await line(database, "nobody") == ([], None)
    assert await line(database, "elsewhere", project="q") == (["elsewhere"], "b")
    await database.write(lambda c: rows.remove(c, [("p", "b")]))
    assert await line(database, "d") == (["c", "d"], "b")


trees = st.lists(st.integers(-1, 30), min_size=1, max_size=30)


@given(parents=trees, removed=st.sets(st.integers(0, 29), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_of_any_tree_the_line_to_each_is_its_ancestors(parents, removed):
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    tree = {number: parent if parent < number else number - 1 for number, parent in enumerate(parents)}
    with engine.begin() as c:
        for number, parent in tree.items():
            rows.add(c, row(f"i{number}", f"i{parent}" if parent >= 0 else ""), said(number))
        rows.remove(c, [("p", f"i{number}") for number in removed])
        for number in tree:
            expected, at = [], number
            while at >= 0 and at not in removed:
                expected.append(f"i{at}")
                at = tree[at]
            found = rows.line(c, "p", "w", f"i{number}", NOW_MS, 100)
            assert [link.id for link in found] == expected[::-1]
            assert [link.turns for link in found] == [said(each[1:]).turns for each in expected[::-1]]
            if found:
                assert found[0].previous == (f"i{at}" if at >= 0 else "")
    engine.dispose()


async def test_only_what_would_expire_early_is_prolonged(database):
    await add(database, row("a"), row("b", expires_ms=NOW_MS + 900), row("c", project="q"))
    names = [f"n{number}" for number in range(1_200)] + ["a", "b", "c"]
    await database.write(lambda c: rows.prolong(c, "p", names, NOW_MS + 500, NOW_MS + 700))
    found = {}
    for project, name in (("p", "a"), ("p", "b"), ("q", "c")):
        known, _ = await database.read(
            lambda c, project=project, name=name: rows.find(c, project, "w", name, 0)
        )
        found[name] = known.expires_ms - NOW_MS
    assert found == {"a": 700, "b": 900, "c": 100}


async def test_what_has_expired_or_is_a_deleted_projects_is_told_so_many_at_a_time(database):
    gone = Project(id="gone", mode="prepaid", tier="unlimited", created_ms=1, updated_ms=1, deleted_ms=2)
    await database.write(lambda c: projects.add(c, gone))
    await add(
        database,
        row("a", expires_ms=NOW_MS),
        row("b"),
        row("c", project="gone"),
        row("running", expires_ms=NOW_MS, owner="me"),
    )
    assert len(await database.read(lambda c: rows.expired(c, NOW_MS, 1))) == 1
    found = await database.read(lambda c: rows.expired(c, NOW_MS, 10))
    assert set(found) == {("p", "a"), ("gone", "c")}
    assert await database.write(lambda c: rows.remove(c, found)) == 2
    left = await database.read(lambda c: c.execute(select(interaction_contents.c.id)).scalars().all())
    assert set(left) == {"b", "running"}


async def test_of_those_who_claim_what_was_left_one_has_it(database):
    await live(database, "living")
    await add(
        database,
        row("left", status="queued", owner="dead", background=True),
        row("free", status="in_progress", created_ms=2, background=True),
        row("mine", status="queued", owner="me"),
        row("theirs", status="queued", owner="living"),
        row("over", owner="dead"),
    )
    found = await database.read(lambda c: rows.left(c, "me"))
    assert [each.id for each in found] == ["left", "free"]
    taken = found[0]
    assert await database.write(lambda c: rows.claim(c, taken, "living")) == said("left")
    assert await database.write(lambda c: rows.claim(c, taken, "me")) is None
    known, _ = await database.read(lambda c: rows.find(c, "p", "w", "left", NOW_MS))
    assert (known.owner, known.tries) == ("living", 1)
    await database.write(lambda c: rows.release(c, "p", "left"))
    assert "left" in [each.id for each in await database.read(lambda c: rows.left(c, "me"))]


async def test_what_was_told_is_never_begun_again(database):
    one = row("one", status="queued", owner="me")
    waiting = msgspec.structs.replace(said("one"), waiting=b"request")
    await database.write(lambda c: rows.add(c, one, waiting))
    await database.write(lambda c: rows.produced(c, "p", "one", 77))
    known, _ = await database.read(lambda c: rows.find(c, "p", "w", "one", NOW_MS))
    assert (known.status, known.updated_ms) == ("in_progress", 77)
    assert (await database.write(lambda c: rows.claim(c, known, "other"))).waiting is None


async def test_who_is_to_stop_what_is_told_to_him(database):
    await add(
        database,
        row("one", status="queued", owner="me"),
        row("two", status="queued", owner="me"),
        row("over", owner="me", cancelling=True),
    )
    await database.write(lambda c: rows.ask_to_cancel(c, "p", "one"))
    assert await database.read(lambda c: rows.cancelling(c, "me")) == (("p", "one"),)
    assert await database.read(lambda c: rows.cancelling(c, "you")) == ()


async def test_sums_are_by_project(database):
    await add(
        database,
        row("one", size_bytes=5, status="queued"),
        row("two", size_bytes=7, status="in_progress"),
        row("three", size_bytes=11),
        row("four", size_bytes=13, project="q"),
    )
    assert await database.read(lambda c: rows.size_bytes(c, "p")) == 23
    assert await database.read(lambda c: rows.size_bytes(c, "nobody")) == 0
    assert await database.read(lambda c: rows.running(c, "p")) == 2
