"""A request that failed and is tried again, both within one transaction."""

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
