"""The ledger's rows: what was entered is found again, by number, by id, by request."""

import asyncio

import pytest

from geminid.billing import ledger
from geminid.billing.audit import verify
from geminid.billing.balance import Balance
from geminid.billing.orders import Credit, Declined, Hold, Post, Void
from geminid.store import ledger as rows
from geminid.store.database import Database
from geminid.store.ledger import ATTEMPTS_AT_ONCE


@pytest.fixture
async def database(database_url):
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


def keep(connection, project, act):
    """Do what ``act`` decides on a locked balance."""
    outcome = act(rows.lock(connection, project))
    assert not isinstance(outcome, Declined), outcome
    rows.enter(connection, outcome.balance, outcome.rows)
    return outcome.transfer


def top_up(connection, amount, key="a", project="p", **said):
    order = Credit(kind="grant" if said else "top_up", key=key, amount_nano=amount, **said)
    return keep(connection, project, lambda balance: ledger.credit(balance, order, None, 1))


def hold(connection, request="r", amount=5):
    past = rows.past(connection, "p", request)
    order = Hold(request=request, amount_nano=amount, owner="me", expires_ms=9)
    return keep(connection, "p", lambda balance: ledger.hold(balance, order, past, 1))


def void(connection, held):
    past = rows.past(connection, "p", held.subject)
    order = Void(request=held.subject, attempt=held.attempt)
    return keep(connection, "p", lambda balance: ledger.void(balance, order, past, 2))


async def test_a_balance_comes_back_as_it_was_with_its_grants(database):
    def act(connection):
        assert rows.find(connection, "p") == Balance(project="p")
        top_up(connection, 2**62)
        top_up(connection, 7, "b", expires_ms=50)
        top_up(connection, 8, "c", expires_ms=40)
        return rows.lock(connection, "p")

    balance = await database.write(act)
    assert balance.posted_nano == 2**62 + 15
    assert [grant.left_nano for grant in balance.grants] == [8, 7]
    assert await database.read(lambda c: rows.find(c, "p")) == balance
    assert await database.read(lambda c: tuple(rows.all_balances(c))) == (balance,)


async def test_a_request_is_known_by_its_last_attempt_however_many_there_were(database):
    def act(connection):
        top_up(connection, 100)
        for number in range(1, 2 * ATTEMPTS_AT_ONCE + 2):
            held = hold(connection)
            assert held.attempt == number
            assert rows.past(connection, "p", "r").hold == held
            ended = void(connection, held)
            assert rows.past(connection, "p", "r").ending == ended
        assert rows.past(connection, "p", "other").hold is None
        assert rows.past(connection, "q", "r").hold is None

    await database.write(act)


async def test_the_ledger_is_read_in_pages_and_proves_itself(database, monkeypatch):
    monkeypatch.setattr(rows, "_PAGE_ROWS", 3)

    def act(connection):
        for project in ("p", "q", "r"):
            for number in range(4):
                top_up(connection, number + 1, f"k{number}", project)
        whole = list(rows.all_transfers(connection))
        assert [(each.project, each.seq) for each in whole] == [
            (project, seq) for project in ("p", "q", "r") for seq in (1, 2, 3, 4)
        ]
        assert verify(whole, rows.all_balances(connection)).sound
        assert list(rows.all_transfers(connection, "q")) == whole[4:8]
        assert rows.page(connection, "q", 1, 2) == tuple(whole[5:7])
        assert rows.transfer(connection, "q", "top_up:k2") == whole[6]
        assert rows.transfer(connection, "q", "top_up:k9") is None

    await database.write(act)


async def test_what_is_paid_is_no_longer_open(database):
    def act(connection):
        top_up(connection, 100)
        one, two = hold(connection, "one"), hold(connection, "two")
        assert rows.open_holds(connection, "p") == (one, two)
        past = rows.past(connection, "p", "one")
        order = Post(request="one", amount_nano=3)
        keep(connection, "p", lambda balance: ledger.post(balance, order, past, 2))
        assert rows.open_holds(connection, "p") == (two,)
        assert rows.find(connection, "p").posted_nano == 97

    await database.write(act)


async def test_two_who_lock_one_balance_come_one_after_the_other(database_url):
    databases = [await Database.open(database_url) for _ in range(3)]

    def act(number):
        return lambda connection: top_up(connection, 1, f"k{number}")

    await asyncio.gather(*(each.write(act(n)) for n, each in enumerate(databases * 5)))
    assert (await databases[0].read(lambda c: rows.find(c, "p"))).posted_nano == 15
    for each in databases:
        await each.close()
