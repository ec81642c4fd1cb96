"""Buckets count whatever happened in the last minute, and never forget any of it too early."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.billing.window import (
    BUCKET_MS,
    BUCKETS,
    Window,
    clears_at_ms,
    corrected,
    counted,
    pruned,
    shifted,
)

times = st.lists(st.integers(10**12, 10**12 + 200_000), min_size=1, max_size=40).map(sorted)


def filled(times):
    window = Window()
    for time in times:
        window, _ = counted(pruned(window, time), time, 3)
    return window


@given(times, st.integers(0, 70_000))
def test_everything_of_the_last_minute_counts_and_little_else(times, later):
    now = times[-1] + later
    counts = sum(pruned(filled(times), now).requests)
    assert sum(now - 60_000 <= time for time in times) <= counts
    assert counts <= sum(now - 60_000 - BUCKET_MS < time for time in times)


@given(times, st.integers(0, 10**11))
def test_what_is_moved_in_time_is_not_older_afterwards(times, back_ms):
    for time in times:
        (bucket,) = shifted(filled([time]), back_ms).buckets
        assert (time - back_ms) // BUCKET_MS <= bucket <= (time - back_ms) // BUCKET_MS + 1


@given(times, st.integers(0, 10**6), times)
def test_buckets_ascend_and_are_few_whatever_the_clock_does(times, back_ms, more):
    window = shifted(filled(times), back_ms)
    for time in more:
        window, bucket = counted(pruned(window, time), time, 1)
        assert bucket == window.buckets[-1]
    assert list(window.buckets) == sorted(set(window.buckets))
    assert len(window.buckets) == len(window.requests) == len(window.tokens)


@given(times, st.integers(-5, 5))
def test_a_correction_changes_one_bucket_and_never_below_zero(times, difference):
    window = filled(times)
    changed = corrected(window, window.buckets[0], difference)
    assert changed.tokens == (max(window.tokens[0] + difference, 0), *window.tokens[1:])
    assert corrected(window, window.buckets[-1] + 1, difference) == window
    assert corrected(window, window.buckets[0] - 1, difference) == window


def test_more_than_there_is_cannot_leave():
    assert clears_at_ms([10, 12], [1, 5], 2) == (12 + BUCKETS + 1) * BUCKET_MS
    with pytest.raises(ValueError, match="more is to leave"):
        clears_at_ms([10, 12], [1, 5], 7)
