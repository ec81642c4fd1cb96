"""Invoices against our usage: exact, nothing left out, and every difference told."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.errors import InvalidArgument
from geminid.core.usage import Usage
from geminid.service.reconcile import Mapped, Reconciler, compared, read_invoice, summed
from geminid.service.spans import days, month_of, zone_of
from geminid.service.usage import UsageBook
from geminid.store.database import sqlite_url
from money import Clock, house

UTC = zone_of("UTC")
NOVEMBER = month_of("2026-11", UTC)
COLUMNS = {"day": "date", "model": "sku", "input": "in", "output": "out", "amount": "usd"}
HEADER = "date,sku,in,out,usd\n"


@pytest.fixture
async def home(tmp_path):
    clock = Clock()
    clock.ms = NOVEMBER.from_ms + 60_000
    async with house(sqlite_url(tmp_path / "geminid.db"), clock=clock) as made:
        caller = await made.project("team", mode="postpaid")
        for _ in range(3):
            charge = await made.admitted(caller, 1_000, 200)
            await made.settled(charge, Usage(prompt=1_000, candidates=100, thoughts=20))
            clock.ms += 86_400_000
        made.reconciler = Reconciler(UsageBook(made.database, clock))
        yield made


def reconciled(home, lines, mapped=None, **fields):
    mapped = mapped or Mapped(columns=COLUMNS)
    span = (NOVEMBER.from_ms, NOVEMBER.until_ms)
    return home.reconciler.reconcile(lines, mapped, *span, zone=UTC, **fields)


def lines(*rows):
    return [HEADER, *(f"{row}\n" for row in rows)]


GOOD = (
    "2026-11-01,tiny,1000,120,0.00124",
    "2026-11-02,tiny,1000,120,$0.001240000",
    "2026-11-03,tiny,1000,120,0.00124",
)


async def test_an_invoice_that_agrees(home):
    found = await reconciled(home, lines(*GOOD))
    assert found.sound
    assert found.compared == 3
    assert found.totals["amount"] == (Decimal("0.00372"), Decimal("0.00372"))


async def test_lines_of_one_day_are_added_up_and_names_translated(home):
    halves = ("2026-11-01T01:00:00+00:00,theirs,500,100,0.001", "2026-11-01T23:00:00Z,theirs,500,20,0.00024")
    rows = (*halves, *(row.replace("tiny", "theirs") for row in GOOD[1:]))
    mapped = Mapped(columns=COLUMNS, models={"theirs": "tiny"})
    assert (await reconciled(home, ["\ufeff" + HEADER, *lines(*rows)[1:]], mapped)).sound


async def test_every_difference_is_told_on_whichever_side_it_stands(home):
    rows = ("2026-11-01,tiny,1001,120,0.00124", "2026-11-02,tiny,1000,120,0.002", "2026-11-09,other,5,0,0")
    found = await reconciled(home, lines(*rows))
    assert [(each.day, each.model, each.figure, each.by) for each in found.differences] == [
        ("2026-11-01", "tiny", "input", 1),
        ("2026-11-02", "tiny", "amount", Decimal("0.00076")),
        ("2026-11-03", "tiny", "input", -1000),
        ("2026-11-03", "tiny", "output", -120),
        ("2026-11-03", "tiny", "amount", Decimal("-0.00124")),
        ("2026-11-09", "other", "input", 5),
    ]


async def test_what_is_tolerated_is_a_share_of_the_larger_figure(home):
    rows = ("2026-11-01,tiny,1010,120,0.00124", *GOOD[1:])
    assert not (await reconciled(home, lines(*rows), tolerance_ppm=9_900)).sound
    assert (await reconciled(home, lines(*rows), tolerance_ppm=9_901)).sound


async def test_a_day_beyond_the_span_stops_everything(home):
    with pytest.raises(InvalidArgument, match="2026-12-01"):
        await reconciled(home, lines("2026-12-01,tiny,1,1,1"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lines("2026-11-01,tiny,many,1,1"), "Line 2 of the invoice: in is no number"),
        (lines("2026-11-01,tiny,1,1,NaN"), "usd is no number"),
        (lines("2026-11-01,tiny,1,1,1e999"), "usd is no number"),
        (lines("yesterday,tiny,1,1,1"), "no day"),
        (lines("2026-11-01,tiny"), "too short"),
        (["day,model\n"], "no column 'date'; it has: day, model"),
        ([], "it has: none"),
        ([HEADER, '2026-11-01,"tiny\n'], "is no CSV"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text, words):
    with pytest.raises(InvalidArgument, match=words):
        list(read_invoice(text, Mapped(columns=COLUMNS), UTC))


@pytest.mark.parametrize(
    "mapped",
    [
        Mapped(columns={"day": "date", "model": "sku"}),
        Mapped(columns={"model": "sku", "input": "in"}),
        Mapped(columns={"day": "date", "input": "in"}),
        Mapped(columns={**COLUMNS, "colour": "red"}),
        Mapped(columns=COLUMNS, model="tiny"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(mapped):
    with pytest.raises(InvalidArgument):
        list(read_invoice(lines(), mapped, UTC))


def test_days_in_their_own_spelling_and_one_model_for_all():
    mapped = Mapped(columns={"day": "date", "input": "in"}, day_format="%d.%m.%Y", model="tiny")
    assert summed(read_invoice(lines("01.11.2026,x,7,,"), mapped, UTC)) == {
        ("2026-11-01", "tiny"): {"input": 7}
    }


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["1", "2", "3"]), st.sampled_from("ab")),
        st.integers(0, 10**18).map(lambda nano: Decimal(nano).scaleb(-9)),
    )
)
def test_sides_that_are_the_same_never_differ_and_others_always_do(amounts):
    side = {key: {"amount": value} for key, value in amounts.items()}
    assert compared(side, side, ("amount",), 0, 1).sound
    other = {key: {"amount": value + Decimal("1e-9")} for key, value in amounts.items()}
    assert len(compared(side, other, ("amount",), 0, 1).differences) == len(amounts)


def test_days_of_a_month_are_all_there():
    assert len(list(days(NOVEMBER.from_ms, NOVEMBER.until_ms, UTC))) == 30
