"""Requests that are tried again, and transactions whose connection is lost: everything happens once."""

import asyncio

import pytest

from geminid.billing import ledger
from geminid.billing.orders import Credit, Hold, Past, Void
from geminid.store import ledger as rows
from geminid.store.database import Database
from geminid.store.hot import Hot, Needs


class Act:
    """Whatever a test wants done to project ``p``, about request ``r``."""

    def __init__(self, decide):
        self.needs = Needs(project="p", request="r")
        self.decide = decide

    def undone(self):
        pass


@pytest.fixture
async def database(database_url):
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


def ledger_act(order, of):
    """An act that enters what one function of the ledger returns."""

    def decide(room):
        outcome = of(room.balances["p"], order, room.past("p", "r"), 1)
        room.enter(outcome.balance, outcome.rows)
        return outcome.transfer

    return Act(decide)


def credited(balance, order, past, now_ms):
    return ledger.credit(balance, order, None, now_ms)


async def test_what_is_tried_again_in_the_transaction_in_which_it_failed_is_open(database):
    hot = Hot(database.engine, lambda: 1_000)
    held = Hold(request="r", amount_nano=3, owner="one", expires_ms=9_000)
    await hot.do(ledger_act(Credit(kind="top_up", key="k", amount_nano=5), credited))
    first = await hot.do(ledger_act(held, ledger.hold))
    again = [ledger_act(Void(request="r"), ledger.void), ledger_act(held, ledger.hold)]
    _, second = await asyncio.gather(*map(hot.do, again))
    await hot.close()
    assert (first.attempt, second.attempt) == (1, 2)
    assert await database.read(lambda c: rows.open_holds(c, "p")) == (second,)
    assert await database.read(lambda c: rows.past(c, "p", "r")) == Past(second)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_that_is_lost_around_a_commit_does_everything_once(database, when, monkeypatch):
    if database.engine.dialect.name == "sqlite":
        pytest.skip("a file is never lost")
    from geminid.store.postgres_lane import PostgresLane

    write, cuts = PostgresLane.write, []

    def cut(self, work):
        if cuts:
            return write(self, work)
        cuts.append(work)
        if when == "after":
            write(self, work)
            self.in_doubt = True  # its answer did not arrive
        self._link.finish()
        raise self.faults("cut")

    hot = Hot(database.engine, lambda: 1_000)
    credit = ledger_act(Credit(kind="top_up", key="k", amount_nano=5), credited)
    await hot.do(credit)
    monkeypatch.setattr(PostgresLane, "write", cut)
    held = Hold(request="r", amount_nano=3, owner="one", expires_ms=9_000)
    hold = await hot.do(ledger_act(held, ledger.hold))
    await hot.close()
    assert cuts
    assert await database.read(lambda c: rows.open_holds(c, "p")) == (hold,)
    assert (await database.read(lambda c: rows.find(c, "p"))).held_nano == 3
    assert await database.read(lambda c: rows.past(c, "p", "r")) == Past(hold)


async def test_a_database_that_is_gone_at_a_commit_is_waited_for(database, monkeypatch):
    if database.engine.dialect.name == "sqlite":
        pytest.skip("a file is never lost")
    from geminid.store.postgres_lane import PostgresLane

    write, connect, refused = PostgresLane.write, PostgresLane._connect, []

    def cut(self, work):
        write(self, work)
        if not refused:
            self.in_doubt = True
            self._link.finish()
            raise self.faults("cut")

    def refuse(self):
        if len(refused) < 3:
            refused.append(1)
            raise self.faults("starting up")
        connect(self)

    hot = Hot(database.engine, lambda: 1_000)
    await hot.do(ledger_act(Credit(kind="top_up", key="k", amount_nano=5), credited))
    monkeypatch.setattr(PostgresLane, "write", cut)
    monkeypatch.setattr(PostgresLane, "_connect", refuse)
    await hot.do(ledger_act(Credit(kind="top_up", key="l", amount_nano=5), credited))
    await hot.close()
    assert len(refused) == 3
    assert (await database.read(lambda c: rows.find(c, "p"))).posted_nano == 10
