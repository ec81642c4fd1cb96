"""Usage in rows and in sums, on both databases: a sum is the same however its requests are kept."""

import asyncio

import pytest

from geminid.billing.rating import CostLine
from geminid.core.usage import Usage
from geminid.service.retention import DAY_MS, Retention
from geminid.service.statements import Statements
from geminid.service.usage import UsageBook
from geminid.store import usage as rows
from geminid.store import usage_sums as sums
from geminid.store.database import Database
from geminid.store.tables import usage
from geminid.store.usage import UsageRow
from geminid.store.usage_sums import HOUR_MS
from money import FAR_MS, house

SPAN = (0, FAR_MS)
LINE = CostLine(item="prompt", modality="audio", quantity=7, nano_per_million=10**9, cost_nano=7_000)


def row(number, project="p", **fields):
    said = {
        "usage": Usage(prompt=10, cached=2, candidates=3, thoughts=1, media={"audio": 7}),
        "lines": (LINE,),
        "cost_nano": 7_000,
        "outcome": "finished",
        "settled_ms": number * HOUR_MS // 2,
        "key_name": f"k{number % 2}",
    }
    made = {
        "id": f"{project}{number}",
        "request": f"r{number}",
        "project": project,
        "model": "m",
        "asked": "m",
    }
    return UsageRow(**made, tier="standard", created_ms=1, **said | fields)


@pytest.fixture
async def database(database_url):
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


async def used(database, *made):
    names = [column.name for column in usage.columns]
    values = [dict(zip(names, rows.columns(each), strict=True)) for each in made]
    await database.write(lambda c: c.execute(usage.insert(), values))


async def test_a_row_comes_back_as_it_was(database):
    made = row(1, labels={"a": 'b"\\ é', "\u0000": "\u0000"}, read_ms=1, begun_ms=4, entry=9, bound_nano=None)
    await used(database, made)
    assert await database.read(lambda c: rows.find(c, "p", "p1")) == made
    assert await database.read(lambda c: rows.find(c, "q", "p1")) is None
    assert await database.read(lambda c: rows.find_anywhere(c, "p1")) == made


@pytest.mark.parametrize("by", [(), ("model",), ("key_id", "key_name"), ("project", "tier", "outcome")])
async def test_sums_do_not_change_when_rows_become_hours(database, by):
    made = [row(number) for number in range(20)]
    await used(database, *made, row(3, "q", cost_nano=None, lines=(), outcome="INTERNAL"), row(40, entry=5))
    before = await database.read(lambda c: sums.totals(c, "", *SPAN, by))
    lines = await database.read(lambda c: sums.lines(c, "p", *SPAN))
    for day in (1, 3, 9):  # some at a time
        await database.write(
            lambda c, day=day: sums.add_to_hours(c, rows.take_before(c, "p", day * HOUR_MS, 3))
        )
        assert await database.read(lambda c: sums.totals(c, "", *SPAN, by)) == before
        assert await database.read(lambda c: sums.lines(c, "p", *SPAN)) == lines
    assert await database.read(lambda c: sums.kept_from(c, "p")) > 0
    assert await database.read(lambda c: sums.kept_from(c, "q")) == 0
    assert sum(total.requests for total in before.values()) == 22
    assert sum(total.credits_nano for total in before.values()) == 7_000
    assert await database.read(lambda c: sums.first_ms(c, "", 5)) == 0


async def test_sums_of_a_span_have_its_beginning_and_not_its_end(database):
    await used(database, *(row(number) for number in range(6)))
    ask = (2 * HOUR_MS // 2, 4 * HOUR_MS // 2)
    (total,) = (await database.read(lambda c: sums.totals(c, "p", *ask))).values()
    assert (total.requests, total.tokens["audio"], total.tokens["text"]) == (2, 14, 6)


async def test_labels_are_values_whatever_they_are_called(database):
    odd = "it's a 100% label:x $.é"
    await used(
        database, row(1, labels={odd: "one"}), row(2, labels={odd: "\u0000"}), row(3, labels={"other": "two"})
    )
    found = await database.read(lambda c: sums.totals(c, "p", *SPAN, (f"label:{odd}", "model")))
    values = {key[0]: total.requests for key, total in found.items()}
    assert values == {"one": 1, "?": 1, "": 1}
    await database.write(lambda c: sums.add_to_hours(c, rows.take_before(c, "p", FAR_MS, 9)))
    found = await database.read(lambda c: sums.totals(c, "p", *SPAN, (f"label:{odd}",)))
    assert {key: total.requests for key, total in found.items()} == {("?",): 3}


async def test_two_that_sweep_at_once_take_each_row_once(database_url):
    one, other = await Database.open(database_url), await Database.open(database_url)
    try:
        await used(one, *(row(number) for number in range(60)))

        async def sweep(database):
            taken = 0
            for _ in range(10):

                def act(connection):
                    found = rows.take_before(connection, "p", FAR_MS, 10)
                    sums.add_to_hours(connection, found)
                    return len(found)

                taken += await database.write(act)
            return taken

        assert sum(await asyncio.gather(sweep(one), sweep(other))) == 60
        (total,) = (await one.read(lambda c: sums.totals(c, "p", *SPAN))).values()
        assert (total.requests, total.cost_nano) == (60, 420_000)
        assert (await one.read(lambda c: sums.lines(c, "p", *SPAN))).popitem()[1] == (420, 420_000)
    finally:
        await one.close()
        await other.close()


async def test_statements_and_exports_of_either_database(database_url):
    async with house(database_url) as home:
        caller = await home.project("team", credit_nano=10**9)
        for _ in range(5):
            await home.settled(await home.admitted(caller, 100, 20), Usage(prompt=100, candidates=9))
            home.clock.ms += DAY_MS // 2
        statements, book = Statements(home.database, home.clock), UsageBook(home.database, home.clock)
        before = await statements.statement("team")
        assert before.sound, before.checks
        assert before.used_nano == 5 * (100_000 + 18_000)
        exported = [each async for page in book.export() for each in page]
        assert exported == list(await home.rows("team"))
        assert await Retention(home.database, 1, home.clock).sweep() == 3
        after = await statements.statement("team")
        assert after.sound, after.checks
        assert (after.lines, after.models, after.closing_nano) == (
            before.lines,
            before.models,
            before.closing_nano,
        )
        await home.database.write(lambda c: c.execute(usage.update().values(cost_nano=1)))
        assert {check.name for check in (await statements.statement("team")).checks if not check.sound} == {
            "charges", "receipts", "lines",
        }  # fmt: skip
