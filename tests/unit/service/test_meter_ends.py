"""Requests end whoever gives up waiting for it, and recovery leaves those alone that have just begun."""

import asyncio
from functools import partial

import pytest

from geminid.core.usage import Usage
from geminid.service.meter import Times
from geminid.service.recovery import Recovery
from geminid.store import ledger as ledger_rows
from geminid.store import owners, quotas
from geminid.store.owners import Owner
from money import house


@pytest.fixture
async def home(database_url):
    async with house(database_url) as opened:
        yield opened


async def test_a_request_ends_although_waiting_for_its_end_is_given_up_too(home):
    caller = await home.project(credit_nano=1_000_000)
    charge = home.open(caller)
    admitting = asyncio.create_task(home.meter.admit(charge, Usage(prompt=10), 10, 1))
    await asyncio.sleep(0)
    admitting.cancel()
    ending = asyncio.create_task(home.meter.end(charge, Usage(prompt=10), "cancelled", Times()))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.gather(admitting, ending, return_exceptions=True)
    await home.meter.close()
    (row,) = await home.rows()
    assert (row.outcome, row.cost_nano, (await home.balance()).holds) == ("cancelled", 10_000, 0)


def owner(name, pid):
    return Owner(id=name, host="here", pid=pid, born_ms=0, heartbeat_ms=0)


async def test_a_process_that_begins_while_another_clears_up_keeps_its_holds(home, monkeypatch):
    """It is not among those that were there when clearing up began."""
    caller = await home.project(credit_nano=1_000_000)
    recovery = Recovery(home.database, owner("other", 1), lambda pid, born: True, now_ms=home.clock)
    await recovery.beat()
    read = home.database.read
    begun = []

    async def begin_after(act):
        found = await read(act)
        if not begun:
            begun.append(await home.database.write(partial(owners.beat, owner=owner("one", 2))))
            await home.admitted(caller)
        return found

    monkeypatch.setattr(home.database, "read", begin_after)
    assert await recovery.sweep() == 0
    await recovery.close()
    assert (await home.balance()).holds == 1


async def test_what_a_process_ran_is_forgotten_although_it_was_taken_for_dead_before(home):
    caller = await home.project(credit_nano=1_000_000)
    await home.database.write(partial(owners.beat, owner=owner("one", 2)))
    await home.database.write(partial(owners.remove, owner_id="one"))
    await home.admitted(caller)  # it lives, and has not told it yet
    recovery = Recovery(home.database, owner("other", 1), lambda pid, born: True, now_ms=home.clock)
    assert await recovery.sweep() == 1
    states = await home.database.read(lambda c: quotas.of_project(c, "p"))
    assert [state.running for state in states.values()] == [(), ()]
    assert not await home.database.read(lambda c: ledger_rows.open_holds(c, "p"))


async def test_a_chore_that_takes_long_delays_neither_the_start_nor_a_heartbeat(home):
    beats, begun = [], asyncio.Event()

    async def endless():
        begun.set()
        await asyncio.Event().wait()

    def now_ms():
        beats.append(1)
        return home.clock()

    recovery = Recovery(
        home.database, owner("one", 1), lambda pid, born: True, chores=(endless,), now_ms=now_ms, beat_s=0.01
    )
    async with asyncio.timeout(20):
        await recovery.start()
        await begun.wait()
        so_far = len(beats)
        while len(beats) < so_far + 6:
            await asyncio.sleep(0.01)
        await recovery.close()
