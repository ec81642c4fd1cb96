"""Statements agree with the ledger and the usage, whatever happened, and say so when they do not."""

import random
from contextlib import asynccontextmanager

import pytest
import sqlalchemy

from geminid.billing import ledger
from geminid.billing.orders import Credit
from geminid.core.errors import NotFound
from geminid.core.usage import Usage
from geminid.service.credits import Credits
from geminid.service.retention import DAY_MS, Retention
from geminid.service.spans import days, month_of, name_of_month, zone_of
from geminid.service.statements import Statements
from geminid.service.usage import UsageBook
from geminid.store import ledger as ledger_rows
from geminid.store.database import sqlite_url
from money import Clock, house

PACIFIC = zone_of("")
OCTOBER = month_of("2026-10", PACIFIC)
NOVEMBER = month_of("2026-11", PACIFIC)


@asynccontextmanager
async def opened(tmp_path, start_ms=OCTOBER.until_ms - 20_000):
    clock = Clock()
    clock.ms = start_ms
    async with house(sqlite_url(tmp_path / "geminid.db"), clock=clock) as made:
        made.statements = Statements(made.database, clock)
        made.usage = UsageBook(made.database, clock)
        yield made


async def sql(made, text, **values):
    await made.database.write(lambda c: c.execute(sqlalchemy.text(text), values))


async def ask(made, caller, usage, outcome="finished", **said):
    charge = await made.admitted(caller, usage.prompt, usage.candidates + 55, **said)
    made.clock.ms += 3_000
    return await made.settled(charge, usage, outcome)


async def test_a_statement_tells_what_was_there_paid_in_used_and_left(tmp_path):
    async with opened(tmp_path) as made:
        caller = await made.project("team", credit_nano=10**9)
        await ask(made, caller, Usage(prompt=1_000, candidates=100))
        await ask(made, caller, Usage(prompt=500, candidates=0), "UNAVAILABLE")
        made.clock.ms = OCTOBER.until_ms + 5
        credits_ = Credits(made.database, made.clock)
        await credits_.enter("test", "team", Credit(kind="grant", key="g", amount_nano=5 * 10**8))
        await ask(made, caller, Usage(prompt=2_000, cached=500, candidates=100, thoughts=50))
        october = await made.statements.statement("team", "2026-10")
        november = await made.statements.statement("team", "2026-11")
    assert october.sound, october.checks
    assert november.sound, november.checks
    assert october.opening_nano == 0
    assert [(each.kind, each.entries, each.amount_nano) for each in october.entries] == [
        ("top_up", 1, 10**9),
        ("post", 1, -1_200_000),
    ]
    assert october.closing_nano == november.opening_nano == 10**9 - 1_200_000
    assert november.closing_nano == 15 * 10**8 - 1_200_000 - 2_300_000
    assert [(line.item, line.quantity, line.cost_nano) for line in november.lines] == [
        ("cached", 500, 500_000),
        ("candidates", 100, 200_000),
        ("prompt", 1_500, 1_500_000),
        ("thoughts", 50, 100_000),
    ]
    assert (october.closed, november.closed) == (True, False)
    assert (october.models[0].total.requests, october.used_nano, october.due_nano) == (2, 1_200_000, 0)
    assert len(october.head) == 32


async def test_who_pays_afterwards_is_told_what_is_due(tmp_path):
    async with opened(tmp_path, NOVEMBER.from_ms) as made:
        caller = await made.project("team", mode="postpaid")
        await ask(made, caller, Usage(prompt=1_000, candidates=100))
        found = await made.statements.statement("team")
    assert found.sound
    assert (found.month, found.used_nano, found.due_nano) == ("2026-11", 1_200_000, 1_200_000)
    assert (found.opening_nano, found.closing_nano, found.entries) == (0, 0, ())


async def test_a_month_is_booked_by_the_time_of_its_charge(tmp_path):
    async with opened(tmp_path, OCTOBER.until_ms - 1_000) as made:
        caller = await made.project("team", credit_nano=10**9)
        await ask(made, caller, Usage(prompt=1_000, candidates=100))  # came in October, ended in November
        october = await made.statements.statement("team", "2026-10")
        november = await made.statements.statement("team", "2026-11")
    assert (october.sound, november.sound) == (True, True)
    assert (october.used_nano, november.used_nano) == (0, 1_200_000)


TAMPERED = {
    "a charge that the ledger does not know": (
        "UPDATE usage SET cost_nano = cost_nano + 1",
        {"charges", "receipts", "lines"},
    ),
    "a receipt that names another entry": ("UPDATE usage SET entry = 1", {"receipts"}),
    "usage that is gone": ("DELETE FROM usage", {"charges"}),
    "an entry that was changed": (
        "UPDATE transfers SET amount_nano = 1 WHERE kind = 'post'",
        {"ledger", "charges", "receipts"},
    ),
    "a balance that was changed": ("UPDATE balances SET posted_nano = posted_nano + 1", {"ledger"}),
    "lines that were changed": ("UPDATE usage SET lines = '[]'", {"lines"}),
}


@pytest.mark.parametrize("text", TAMPERED.values(), ids=TAMPERED)
async def test_a_statement_that_does_not_fit_says_so(tmp_path, text):
    async with opened(tmp_path, NOVEMBER.from_ms) as made:
        caller = await made.project("team", credit_nano=10**9)
        await ask(made, caller, Usage(prompt=1_000, candidates=100))
        assert (await made.statements.statement("team")).sound
        await sql(made, text[0])
        found = await made.statements.statement("team")
    assert not found.sound
    assert {check.name for check in found.checks if not check.sound} == text[1]


async def test_months_that_are_none_and_projects_that_never_were(tmp_path):
    async with opened(tmp_path) as made:
        await made.project("team")
        for month in ("2026-13", "november", "2026-1", "9999-11"):
            with pytest.raises(NotFound):
                await made.statements.statement("team", month)
        with pytest.raises(NotFound):
            await made.statements.statement("nobody", "2026-11")


def plain(statement):
    """What a statement says, without how it was proved."""
    return {
        name: getattr(statement, name)
        for name in statement.__struct_fields__
        if name not in ("checks", "made_ms", "closed")
    }


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_statements_follow_on_each_other_and_survive_retention(tmp_path, seed):
    draw = random.Random(seed)
    async with opened(tmp_path, OCTOBER.from_ms) as made:
        caller = await made.project("team", credit_nano=10**9)
        other = await made.project("other", mode="postpaid")
        acts = Credits(made.database, made.clock)
        for number in range(40):
            made.clock.ms += draw.randrange(2 * DAY_MS)
            usage = Usage(
                prompt=draw.randrange(1, 900), candidates=draw.randrange(90), thoughts=draw.randrange(90)
            )
            outcome = draw.choice(("finished", "finished", "cancelled", "UNAVAILABLE"))
            await ask(made, draw.choice((caller, other)), usage, outcome, labels={"n": str(number)})
            if draw.random() < 0.2:
                kind, amount = draw.choice((("top_up", 10**7), ("adjust", -(10**5)), ("grant", 10**6)))
                expires = made.clock.ms + DAY_MS if kind == "grant" else None
                order = Credit(kind=kind, key=str(number), amount_nano=amount, expires_ms=expires)
                await acts.enter("test", "team", order)
            if draw.random() < 0.1:
                await expire(made)
        months = ("2026-10", "2026-11", "2026-12")
        for project in ("team", "other"):
            before = [await made.statements.statement(project, month) for month in months]
            assert all(each.sound for each in before), [each.checks for each in before]
            assert [each.closing_nano for each in before[:-1]] == [each.opening_nano for each in before[1:]]
        balance = await made.balance("team")
        last = await made.statements.statement("team", name_of_month(made.clock.ms, PACIFIC))
        assert last.closing_nano == balance.posted_nano
        told = [
            await made.statements.statement(project, month)
            for project in ("team", "other")
            for month in months
        ]
        sums = await made.usage.summary(by=("project", "model", "key"))
        removed = await Retention(made.database, draw.randrange(1, 20), made.clock).sweep()
        assert removed > 0
        again = [
            await made.statements.statement(project, month)
            for project in ("team", "other")
            for month in months
        ]
        assert all(each.sound for each in again), [each.checks for each in again]
        assert list(map(plain, again)) == list(map(plain, told))
        assert (await made.usage.summary(by=("project", "model", "key"))).sums == sums.sums


async def expire(made):
    def act(connection):
        balance = ledger_rows.lock(connection, "team")
        decided = ledger.expire(balance, made.clock())
        ledger_rows.enter(connection, decided.balance, decided.rows)

    await made.database.write(act)


def test_days_have_23_and_25_hours_where_daylight_saving_begins_and_ends():
    november = month_of("2026-11", PACIFIC)
    lengths = {
        span.name: span.until_ms - span.from_ms for span in days(november.from_ms, november.until_ms, PACIFIC)
    }
    assert len(lengths) == 30
    assert lengths["2026-11-01"] == 25 * 3_600_000
    assert sum(lengths.values()) == november.until_ms - november.from_ms
