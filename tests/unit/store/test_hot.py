"""Acts that share commits, over both databases: all or nothing, one after the other, whatever breaks."""

import asyncio
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geminid.billing import ledger
from geminid.billing.orders import Credit, Hold
from geminid.core.errors import Internal, InvalidArgument, Unavailable
from geminid.core.usage import Usage
from geminid.store import ledger as rows
from geminid.store import usage
from geminid.store.database import Database
from geminid.store.hot import ACTS_MAX, Hot, Needs
from geminid.store.usage import UsageRow


class Act:
    """Whatever a test wants done."""

    def __init__(self, decide, **needs):
        self.needs = Needs(**needs)
        self.decide = decide

    def undone(self):
        pass


@pytest.fixture
async def database(database_url):
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def hot(database):
    opened = Hot(database.engine, lambda: 1_000)
    yield opened
    await opened.close()


def top_up(key, amount=5, project="p"):
    def decide(room):
        balance = room.balances[project]
        outcome = ledger.credit(balance, Credit(kind="top_up", key=key, amount_nano=amount), None, 1)
        room.enter(outcome.balance, outcome.rows)
        return outcome.balance.posted_nano

    return Act(decide, project=project)


def row(receipt="r", **said):
    plain = {"project": "p", "request": "r", "model": "m", "asked": "m", "tier": "standard"}
    return UsageRow(id=receipt, **{**plain, "usage": Usage(), "outcome": "finished", "created_ms": 5, **said})


async def test_acts_that_come_together_share_a_commit_and_see_each_other(hot, database):
    sums = await asyncio.gather(*(hot.do(top_up(f"k{n}")) for n in range(50)))
    assert sums == [5 * n for n in range(1, 51)]
    assert hot.commits < 10
    assert (await database.read(lambda c: rows.find(c, "p"))).posted_nano == 250
    assert len(await database.read(lambda c: list(rows.all_transfers(c)))) == 50


async def test_more_acts_than_share_a_commit_are_all_done(hot):
    sums = await asyncio.gather(*(hot.do(top_up(f"k{n}")) for n in range(ACTS_MAX + 10)))
    assert max(sums) == 5 * (ACTS_MAX + 10)


async def test_an_act_that_raises_changes_nothing_and_the_others_are_done(hot, database):
    def refuse(room):
        raise InvalidArgument("no")

    def fail(room):
        raise ZeroDivisionError

    acts = [top_up("a"), Act(refuse, project="p"), Act(fail, project="p"), top_up("b")]
    one, refused, failed, two = await asyncio.gather(*map(hot.do, acts), return_exceptions=True)
    assert (one, two) == (5, 10)
    assert isinstance(refused, InvalidArgument)
    assert isinstance(failed, Internal)
    assert isinstance(failed.__cause__, ZeroDivisionError)
    assert (await database.read(lambda c: rows.find(c, "p"))).posted_nano == 10


async def test_an_act_that_cannot_be_written_fails_alone(hot, database):
    await hot.do(top_up("same"))
    acts = [top_up("x"), top_up("same"), top_up("y")]
    came = await asyncio.gather(*map(hot.do, acts), return_exceptions=True)
    assert [type(each) for each in came] == [int, Internal, int]
    assert (await database.read(lambda c: rows.find(c, "p"))).posted_nano == 15
    assert await hot.do(top_up("z")) == 20


async def test_what_an_act_does_is_done_although_nobody_waits_for_it(hot, database):
    hot.do(top_up("a")).cancel()
    assert await hot.do(top_up("b")) == 10


async def test_whoever_comes_after_the_end_is_told(database):
    hot = Hot(database.engine, lambda: 1)
    first = hot.do(top_up("a"))
    await hot.close()
    assert await first == 5
    with pytest.raises(Unavailable, match="shutting down"):
        await hot.do(top_up("b"))


async def test_a_hold_is_open_until_it_ends_and_its_past_is_known(hot, database):
    await hot.do(top_up("money", 100))

    def hold(room):
        assert room.past("p", "r").hold is None
        order = Hold(request="r", amount_nano=60, owner="me", expires_ms=9)
        outcome = ledger.hold(room.balances["p"], order, room.past("p", "r"), 1)
        room.enter(outcome.balance, outcome.rows)
        return outcome.transfer

    held = await hot.do(Act(hold, project="p", request="r"))
    assert await hot.do(Act(lambda room: room.open, project="p", hold="r")) == {("p", "r", held.seq)}
    assert await hot.do(Act(lambda room: room.past("p", "r"), project="p", request="r")) == (
        await database.read(lambda c: rows.past(c, "p", "r"))
    )
    assert await database.read(lambda c: rows.open_holds(c, "p")) == (held,)
    assert await database.read(lambda c: rows.projects_with_lapsed(c, 5, ["me"])) == ()
    assert await database.read(lambda c: rows.projects_with_lapsed(c, 9, ["me"])) == ("p",)
    assert await database.read(lambda c: rows.projects_with_lapsed(c, 5, ["you"])) == ("p",)


async def test_many_processes_never_lose_what_another_one_did(database_url):
    databases = [await Database.open(database_url) for _ in range(4)]
    hots = [Hot(each.engine, lambda: 1) for each in databases]
    acts = [(hot, top_up(f"{n}-{m}", 1, f"p{m % 3}")) for n in range(25) for m, hot in enumerate(hots)]
    await asyncio.gather(*(hot.do(act) for hot, act in acts))
    found = await databases[0].read(lambda c: list(rows.all_balances(c)))
    assert [each.posted_nano for each in found] == [50, 25, 25]
    for each in (*hots, *databases):
        await each.close()


async def test_a_lost_connection_is_made_again_and_nothing_is_done_twice(
    hot, database, database_url, request
):
    if database.engine.dialect.name == "sqlite":
        pytest.skip("a file is never lost")
    await hot.do(top_up("a"))
    server = request.getfixturevalue("postgresql")
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    assert int(server.sql(f"{cut} AND datname = '{database.engine.url.database}'")) > 0
    assert await hot.do(top_up("b")) == 10
    assert (await database.read(lambda c: rows.find(c, "p"))).posted_nano == 10


async def test_a_file_that_somebody_else_writes_to_is_waited_for(tmp_path):
    database = await Database.open(f"sqlite:///{tmp_path / 'geminid.db'}")
    hot = Hot(database.engine, lambda: 1)
    other = sqlite3.connect(tmp_path / "geminid.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = hot.do(top_up("a"))
    await asyncio.sleep(0.05)
    other.execute("ROLLBACK")
    assert await waiting == 5
    other.close()
    await hot.close()
    await database.close()


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(0, 2**63 - 1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(texts, texts, st.dictionaries(texts, texts, max_size=3), numbers, st.none() | numbers),
        min_size=1,
        max_size=4,
    )
)
async def test_whatever_is_written_comes_back_as_it_was(database, hot, many):
    made = [
        row(
            f"r{number}",
            project="p",
            asked=asked,
            key_name=name,
            labels=labels,
            cost_nano=cost,
            bound_nano=bound,
            usage=Usage(prompt=7, cached=1, candidates=2, thoughts=3, media={"audio": 2, "image": 4}),
        )
        for number, (asked, name, labels, cost, bound) in enumerate(many)
    ]
    await database.write(lambda c: c.exec_driver_sql("DELETE FROM usage"))
    await hot.do(Act(lambda room: [room.add_usage(each) for each in made]))
    assert await database.read(lambda c: usage.page(c, "p", 0, 10, None, 10)) == tuple(made)
    assert await database.read(lambda c: usage.find(c, "p", "r0")) == made[0]
    assert await database.read(lambda c: usage.find(c, "other", "r0")) is None


async def test_connections_may_have_any_number(database, hot):
    """A busy server has thousands of open files, more than ``select`` can wait for."""
    import os
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        assert await hot.do(top_up("a")) == 5
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
