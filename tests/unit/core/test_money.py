"""Money is read and written exactly, and what is not exact is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.errors import InvalidArgument
from geminid.core.money import NANO_MAX, decimal_dollars, format_dollars, parse_dollars, rounded_up

amounts = st.integers(-NANO_MAX, NANO_MAX)


@pytest.mark.parametrize(
    ("written", "nano"),
    [
        ("1.25", 1_250_000_000),
        ("$0.33", 330_000_000),
        ("12.5 USD", 12_500_000_000),
        ("12.5usd", 12_500_000_000),
        (" 0.000000001 ", 1),
        (".5", 500_000_000),
        ("5.", 5_000_000_000),
        ("-$2", -2_000_000_000),
        ("+3", 3_000_000_000),
        ("2.5e-7", 250),
        ("1E3", 10**12),
        ("1.2500000000000", 1_250_000_000),  # more than nine decimals, but all of them say nothing
        ("0", 0),
        ("-0", 0),
        (7, 7_000_000_000),
        (Decimal("0.025"), 25_000_000),
        ("9223372036.854775807", NANO_MAX),
    ],
)
def test_amounts_are_read_exactly(written, nano):
    assert parse_dollars(written) == nano


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " ",
            "$",
            "abc",
            "1,25",
            "1.000,00",
            "1,000.00",
            "1_000",
            "1.2.3",
            "--1",
            "1 EUR",
            "€1",
            "0x10",
        ),
        *("NaN", "inf", "-Infinity", "1e400", "1e-999999999", "1e99", "1e+", "١٢", "1" * 65),
        *("0.0000000001", "1e-10", "9223372036.854775808", "9223372036854775808"),
        *(0.25, 1.0, float("nan"), True, None, b"1", Decimal("NaN"), Decimal("Infinity")),
        *(Decimal("1e-10"), 10**5000, -(10**5000), NANO_MAX),
    ],
    ids=lambda each: repr(each)[:20] if not isinstance(each, int) or abs(each) < 10**30 else "huge",
)
def test_what_is_no_exact_amount_is_refused(written):
    with pytest.raises(InvalidArgument):
        parse_dollars(written)


@given(amounts)
def test_what_is_written_is_read_again(nano):
    assert parse_dollars(decimal_dollars(nano)) == nano
    assert parse_dollars(format_dollars(nano)) == nano


@given(
    st.text(max_size=12) | st.from_regex(r"-?\$?[0-9]{0,12}\.?[0-9]{0,12}(e-?[0-9]{1,3})?", fullmatch=True)
)
def test_any_text_is_an_exact_amount_or_refused(text):
    try:
        nano = parse_dollars(text)
    except InvalidArgument:
        return
    assert parse_dollars(decimal_dollars(nano)) == nano
    assert Decimal(text.strip().replace("$", "").upper().removesuffix("USD").strip()) * 10**9 == nano


@pytest.mark.parametrize(
    ("nano", "people", "json"),
    [
        (1_284_500_000, "$1.284500", "1.2845"),
        (25, "$0.000000025", "0.000000025"),
        (-1, "-$0.000000001", "-0.000000001"),
        (0, "$0.000000", "0"),
        (7_000_000_000, "$7.000000", "7"),
    ],
)
def test_amounts_are_written_for_people_and_for_json(nano, people, json):
    assert (format_dollars(nano), decimal_dollars(nano)) == (people, json)


@given(st.integers(0, 10**30), st.integers(1, 10**12))
def test_rounding_is_up_and_by_less_than_one(numerator, denominator):
    up = rounded_up(numerator, denominator)
    assert 0 <= up * denominator - numerator < denominator
