"""At every moment one price is in force, and what has none is never free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.billing.prices import FACTORS, PriceBook, UnitPrice
from geminid.core.price import PRICE_TIERS
from unit.billing.sheets import FLASH_LITE, price, sheet


def nano(book, kind="input", *, time_ms, tier="standard", modality="text"):
    found = book.sheet("m", tier, time_ms)
    unit = found and found.unit(kind, modality)
    return unit and unit.nano_per_million


@pytest.mark.parametrize(
    ("tier", "kind", "modality", "expected"),
    [
        ("standard", "input", "text", 250_000_000),
        ("batch", "input", "text", 125_000_000),
        ("flex", "output", "text", 750_000_000),
        ("priority", "input", "text", 450_000_000),
        ("priority", "input", "audio", 900_000_000),
        ("priority", "output", "text", 2_700_000_000),
        ("priority", "cached", "audio", 90_000_000),
        ("batch", "cached", "text", 12_500_000),
        ("batch", "storage", "text", 1_000_000_000),
        ("priority", "storage", "text", 1_000_000_000),
    ],
)
def test_tiers_cost_their_share_and_storage_costs_the_same(tier, kind, modality, expected):
    assert sheet(tier=tier).unit(kind, modality).nano_per_million == expected


def test_a_tiers_own_price_wins_over_its_factor():
    own = sheet(price("input", "1"), price("input", "0.9", tier="batch"), tier="batch")
    assert own.unit("input").nano_per_million == 900_000_000
    assert own.unit("input", "audio").nano_per_million == 900_000_000


@given(st.integers(0, 10**15))
def test_a_tiers_price_is_rounded_up(nano):
    for tier in PRICE_TIERS:
        numerator, denominator = FACTORS[tier]
        assert 0 <= FACTORS[tier].of(nano) * denominator - nano * numerator < denominator


@pytest.mark.parametrize(
    ("prices", "kind", "modality", "expected"),
    [
        ([price("input", "1")], "input", "audio", 10**9),
        ([price("input", "1")], "cached", "text", 10**9),
        ([price("input", "1"), price("input", "2", modality="audio")], "cached", "audio", 2 * 10**9),
        ([price("input", "1"), price("cached", "0.1")], "cached", "audio", 10**8),
        ([price("input", "1")], "output", "text", None),
        ([price("input", "1")], "storage", "text", None),
        ([price("cached", "1")], "input", "text", None),
        ([price("input", "0"), price("output", "1")], "input", "text", 0),
    ],
)
def test_what_stands_in_for_a_missing_price_is_never_nothing(prices, kind, modality, expected):
    unit = sheet(*prices).unit(kind, modality)
    assert (unit and unit.nano_per_million) == expected


def test_a_key_without_any_price_has_no_sheet():
    book = PriceBook.of(FLASH_LITE)
    assert book.sheet("other", "standard", 0) is None
    assert PriceBook.of([price("input", "1", start=10)]).sheet("m", "standard", 9) is None


def test_prices_change_at_their_moment_and_may_end():
    book = PriceBook.of([price("input", None, start=30), price("input", "1"), price("input", "2", start=20)])
    assert [nano(book, time_ms=time) for time in (0, 19, 20, 29)] == [10**9, 10**9, 2 * 10**9, 2 * 10**9]
    assert book.sheet("m", "standard", 30) is None
    assert [each.nano_per_million for each in book.history("m")] == [10**9, 2 * 10**9, None]


def test_operators_price_holds_from_its_date_whatever_the_preset_says_later():
    preset = [price("input", "1"), price("input", "5", start=50), price("output", "7")]
    book = PriceBook.of([price("input", "2", start=20)], preset)
    assert [nano(book, time_ms=time) for time in (0, 19, 20, 50, 10**15)] == [
        *(10**9, 10**9, 2 * 10**9, 2 * 10**9, 2 * 10**9)
    ]
    assert nano(book, "output", time_ms=60) == 7 * 10**9
    assert book.keys == ("m",)


def test_a_sheet_says_how_long_it_is_in_force():
    book = PriceBook.of(
        [price("input", "1"), price("input", "2", start=20)], (), [price("input", "3", start=10)]
    )
    first, second, third = (book.sheet("m", "standard", time) for time in (5, 15, 25))
    assert [(each.from_ms, each.until_ms) for each in (first, second, third)] == [
        (0, 10),
        (10, 20),
        (20, None),
    ]
    assert first.holds_at(9)
    assert not first.holds_at(10)
    assert third.holds_at(10**15)
    assert first.unit("input").list_nano_per_million is None
    assert second.unit("input").discount_permille == 666


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=6),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=6),
    st.integers(0, 60),
)
def test_a_sheet_is_the_same_at_every_moment_that_it_says_it_holds_at(own, preset, time_ms):
    book = PriceBook.of(
        [price("input", amount or None, start=start) for start, amount in own],
        [price("input", amount or None, start=start) for start, amount in preset],
    )
    found = book.sheet("m", "standard", time_ms)
    if found is not None:
        until = 70 if found.until_ms is None else found.until_ms
        assert all(book.sheet("m", "standard", each) == found for each in (found.from_ms, time_ms, until - 1))


@pytest.mark.parametrize(
    ("own", "listed", "permille"),
    [
        (200, 250, 200),
        (1200, 1500, 200),
        (330, 250, -320),
        (2, 3, 333),
        (4, 3, -334),  # never shown cheaper than it is
        (250, 250, 0),
        (0, 250, 1000),
        (5, None, None),
        (5, 0, None),
    ],
)
def test_discount_is_told_in_tenths_of_a_percent(own, listed, permille):
    assert UnitPrice(own, listed).discount_permille == permille
