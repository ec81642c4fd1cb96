import sqlite3

import pytest

from administering import DAY_MS, START_MS, administering
from geminid.billing import ledger
from geminid.billing.orders import Credit, Hold, Post
from geminid.core.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from geminid.service.credits import UnknownCharge
from geminid.service.projects import UnknownProject
from geminid.store import ledger as rows


@pytest.fixture
async def room(tmp_path):
    async with administering(tmp_path) as opened:
        await opened.acts.projects.create("test", "team", mode="prepaid")
        yield opened


def top_up(nano=1000, key="invoice-1", **options):
    return Credit(kind="top_up", key=key, amount_nano=nano, **options)


async def charge(room, request, nano):
    def act(connection):
        balance = rows.lock(connection, "team")
        hold = Hold(request=request, amount_nano=nano, owner="me", expires_ms=START_MS + DAY_MS)
        orders = [hold, Post(request=request, amount_nano=nano)]
        decided = ledger.decide(balance, orders, {}, room.clock())
        rows.enter(connection, decided.balance, decided.rows)

    await room.database.write(act)


async def test_credits_are_there_once_for_each_key(room):
    first = await room.acts.credits.enter("ada", "team", top_up())
    again = await room.acts.credits.enter("bob", "team", top_up())
    assert (first.repeated, again.repeated) == (False, True)
    assert first.transfer == again.transfer
    assert (await room.acts.credits.balance("team")).available_nano == 1000
    actions = [(each.actor, each.action) for each in (await room.acts.trail.page(10)).items]
    assert actions.count(("ada", "credits.top_up")) == 1
    assert ("bob", "credits.top_up") not in actions


async def test_a_key_that_was_used_for_something_else_is_taken(room):
    await room.acts.credits.enter("ada", "team", top_up())
    with pytest.raises(AlreadyExists):
        await room.acts.credits.enter("ada", "team", top_up(nano=2000))
    assert (await room.acts.credits.balance("team")).posted_nano == 1000


async def test_a_grant_expires(room):
    grant = Credit(kind="grant", key="welcome", amount_nano=500, expires_ms=START_MS + DAY_MS)
    done = await room.acts.credits.enter("ada", "team", grant)
    assert [each.left_nano for each in done.balance.grants] == [500]
    room.clock.ms += DAY_MS
    await room.acts.credits.enter("ada", "team", top_up(10))
    assert (await room.acts.credits.balance("team")).posted_nano == 10
    with pytest.raises(InvalidArgument):
        late = Credit(kind="grant", key="late", amount_nano=5, expires_ms=START_MS)
        await room.acts.credits.enter("ada", "team", late)


async def test_an_adjustment_takes_no_more_than_is_there(room):
    await room.acts.credits.enter("ada", "team", top_up(100))
    with pytest.raises(FailedPrecondition, match="is available"):
        await room.acts.credits.enter("ada", "team", Credit(kind="adjust", key="a", amount_nano=-101))
    await room.acts.credits.enter("ada", "team", Credit(kind="adjust", key="a", amount_nano=-100))
    assert (await room.acts.credits.balance("team")).posted_nano == 0


async def test_a_charge_is_refunded_once_and_never_for_more(room):
    await room.acts.credits.enter("ada", "team", top_up(100))
    await charge(room, "r1", 60)
    with pytest.raises(InvalidArgument):
        await room.acts.credits.refund("ada", "team", "r1", 61)
    assert (await room.acts.credits.refund("ada", "team", "r1")).balance.posted_nano == 100
    assert (await room.acts.credits.refund("ada", "team", "r1")).repeated
    with pytest.raises(AlreadyExists):
        await room.acts.credits.refund("ada", "team", "r1", 10)
    with pytest.raises(UnknownCharge):
        await room.acts.credits.refund("ada", "team", "r2")


async def test_a_project_that_is_not_there_has_no_credits(room):
    for act in (
        room.acts.credits.balance("nobody"),
        room.acts.credits.enter("ada", "nobody", top_up()),
        room.acts.credits.refund("ada", "nobody", "r1"),
        room.acts.credits.page("nobody", 10),
        room.acts.credits.verify("nobody"),
    ):
        with pytest.raises(UnknownProject):
            await act


@pytest.mark.parametrize("key", ["", "x" * 101, "a\nb"])
async def test_senseless_keys_are_refused(room, key):
    with pytest.raises(InvalidArgument, match="key must"):
        await room.acts.credits.enter("ada", "team", top_up(key=key))


@pytest.mark.parametrize("nano", [0, -5, 2**63])
async def test_senseless_amounts_are_refused(room, nano):
    with pytest.raises(InvalidArgument):
        await room.acts.credits.enter("ada", "team", top_up(nano))


async def test_entries_are_listed_in_pages(room):
    for n in range(5):
        await room.acts.credits.enter("ada", "team", top_up(key=f"k{n}"))
    first = await room.acts.credits.page("team", 3)
    second = await room.acts.credits.page("team", 3, first.next)
    assert [each.seq for each in (*first.items, *second.items)] == [1, 2, 3, 4, 5]
    assert second.next == ""


async def test_the_ledger_proves_itself_and_names_what_was_changed_behind_its_back(room):
    for n in range(3):
        await room.acts.credits.enter("ada", "team", top_up(key=f"k{n}"))
    report = await room.acts.credits.verify()
    assert report.sound
    assert report.transfers == 3
    with sqlite3.connect(room.path) as connection:
        connection.execute("UPDATE transfers SET amount_nano = 999 WHERE seq = 2")
    connection.close()
    for project in ("", "team"):
        report = await room.acts.credits.verify(project)
        assert not report.sound
        assert (report.misfit.seq, report.misfit.id) == (2, "top_up:k1")


async def test_the_books_of_a_deleted_project_stay_open_but_nothing_is_entered_any_more(room):
    await room.acts.credits.enter("ada", "team", top_up())
    await room.acts.projects.delete("ada", "team")
    assert len((await room.acts.credits.page("team", 10)).items) == 1
    assert (await room.acts.credits.verify("team")).sound
    with pytest.raises(UnknownProject):
        await room.acts.credits.enter("ada", "team", top_up(key="another"))
