"""Days and months turn at midnight in California, and no clock gives anybody a second day."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.billing.periods import Tally, day_at, month_at, turned, used

HOUR = 3_600_000
times = st.integers(0, 4_000_000_000_000)


def ms(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("moment", "start", "hours"),
    [
        (ms(2026, 11, 30, 12), ms(2026, 11, 30, 8), 24),
        (ms(2026, 7, 1, 7), ms(2026, 7, 1, 7), 24),
        (ms(2026, 7, 1, 6, 59), ms(2026, 6, 30, 7), 24),
        (ms(2026, 3, 8, 20), ms(2026, 3, 8, 8), 23),  # daylight saving begins
        (ms(2026, 11, 1, 20), ms(2026, 11, 1, 7), 25),  # and ends
        (ms(2027, 1, 1, 7, 59), ms(2026, 12, 31, 8), 24),
    ],
)
def test_a_day_begins_at_midnight_pacific(moment, start, hours):
    assert day_at(moment) == (start, start + hours * HOUR)


@pytest.mark.parametrize(
    ("moment", "span"),
    [
        (ms(2026, 12, 15), (ms(2026, 12, 1, 8), ms(2027, 1, 1, 8))),
        (ms(2026, 11, 1, 7), (ms(2026, 11, 1, 7), ms(2026, 12, 1, 8))),
        (ms(2026, 3, 1, 7, 59), (ms(2026, 2, 1, 8), ms(2026, 3, 1, 8))),
    ],
)
def test_a_month_begins_at_midnight_pacific(moment, span):
    assert month_at(moment) == span


@given(times)
def test_spans_follow_each_other_without_a_gap(moment):
    for span_at in (day_at, month_at):
        start, end = span_at(moment)
        assert start <= moment < end
        assert span_at(start) == span_at(end - 1) == (start, end)
        assert span_at(end)[0] == end


def test_a_later_day_begins_with_nothing():
    today = used(turned(Tally(), ms(2026, 5, 5, 12), day_at), 7, ms(2026, 5, 5, 12))
    assert turned(today, ms(2026, 5, 6, 6), day_at) == today
    assert turned(today, ms(2026, 5, 6, 7), day_at).used == 0


def test_a_clock_that_was_ahead_gives_nobody_a_second_day():
    today, ahead = ms(2026, 5, 5, 12), ms(2038, 1, 19, 12)
    tally = used(turned(Tally(), today, day_at), 7, today)
    tally = used(turned(tally, ahead, day_at), 2, ahead)
    assert tally.used == 2
    assert turned(tally, today + 1, day_at).used == 9


@given(st.integers(0, 100), st.integers(0, 100), times, times)
def test_going_back_never_makes_a_count_smaller(first, second, one, other):
    earlier, later = sorted((one, other))
    tally = used(turned(Tally(), earlier, day_at), first, earlier)
    tally = used(turned(tally, later, day_at), second, later)
    assert turned(tally, earlier, day_at).used == first + second


def test_what_comes_late_counts_in_its_own_day():
    yesterday, today = ms(2026, 5, 5, 12), ms(2026, 5, 6, 12)
    tally = turned(turned(Tally(), yesterday, day_at), today, day_at)
    assert (used(tally, 5, yesterday).used, used(tally, 5, yesterday).before_used) == (0, 5)
    assert used(tally, 5, ms(2026, 5, 1)) == tally
