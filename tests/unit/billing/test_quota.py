"""Limits hold in every window, nearly all of them can be used, and a refusal says when it clears."""

import random
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.billing.limits import FREE_NAMES, PAID_NAMES, TIERS, UNLIMITED, Limits
from geminid.billing.quota import (
    RETRY_MS,
    SKEW_MS_MAX,
    Admitted,
    Ask,
    Refused,
    State,
    admit,
    decode,
    encode,
    forget,
    settle,
)
from geminid.billing.window import BUCKET_MS, BUCKETS

T0 = int(datetime(2026, 11, 30, 20, tzinfo=UTC).timestamp()) * 1000
MINUTE = 60_000
ASK = Ask(owner="one")


def admitted(state, limits, ask=ASK, now_ms=T0):
    decision = admit(state, limits, ask, now_ms)
    assert isinstance(decision, Admitted), decision
    return decision


def refused(state, limits, ask=ASK, now_ms=T0):
    decision = admit(state, limits, ask, now_ms)
    assert isinstance(decision, Refused)
    return decision


def filled(limits, times, ask=ASK):
    state = State()
    for time in times:
        state = admitted(state, limits, ask, time).state
    return state


def most_in_any_minute(events):
    """The most that happened in any 60 seconds, both ends counted."""
    return max(
        (sum(count for at, count in events if start <= at <= start + MINUTE) for start, _ in events),
        default=0,
    )


steps = st.lists(
    st.tuples(st.one_of(st.integers(0, 3_000), st.sampled_from([0, 499, 500, 501, 59_999, 60_000, 60_500])), st.integers(1, 9)),
    max_size=120,
)  # fmt: skip


@given(steps, st.integers(1, 12), st.integers(9, 60), st.integers(0, 999))
def test_no_window_of_a_minute_ever_holds_more_than_the_limit(steps, rpm, tpm, phase):
    limits, state, now, requests, tokens = Limits(rpm=rpm, tpm=tpm), State(), T0 + phase, [], []
    for pause, wanted in steps:
        now += pause
        decision = admit(state, limits, Ask(owner="a", tokens=wanted), now)
        if isinstance(decision, Admitted):
            state = decode(encode(decision.state))
            requests.append((now, 1))
            tokens.append((now, wanted))
    assert most_in_any_minute(requests) <= rpm
    assert most_in_any_minute(tokens) <= tpm


@given(
    st.lists(
        st.one_of(st.integers(-3_000, 9_000), st.sampled_from([-(10**9), -SKEW_MS_MAX - 700, -61_000, 61_000, 10**9])),
        max_size=120,
    ),
    st.integers(1, 8),
)  # fmt: skip
@settings(max_examples=200)
def test_a_clock_that_jumps_lets_nothing_through_that_time_did_not_bring(steps, rpm):
    """Time passes when the clock is later than ever, and again from where it was put right."""
    limits, now, passed, events = Limits(rpm=rpm), T0, 0, [(0, 1)]
    state = admitted(State(), limits).state
    for step in steps:
        now = max(now + step, 10**12)
        went_by = max(now - state.latest_ms, 0)
        decision = admit(state, limits, ASK, now)
        if isinstance(decision, Refused) and not decision.moved:
            continue  # nothing was written down
        assert (decision.state.latest_ms < state.latest_ms) == (now < state.latest_ms - SKEW_MS_MAX)
        state, passed = decision.state, passed + went_by
        if isinstance(decision, Admitted):
            events.append((passed, 1))
    assert most_in_any_minute(events) <= rpm


def test_a_clock_that_once_was_years_ahead_blocks_nobody_for_years():
    limits, ahead = Limits(rpm=2, rpd=5), T0 + 12 * 365 * 24 * 60 * MINUTE
    state = filled(limits, [T0, T0, ahead, ahead])
    put_right = refused(state, limits, now_ms=T0 + 1_000)
    assert put_right.moved
    assert put_right.clears_at_ms <= T0 + 1_000 + MINUTE + 2 * BUCKET_MS
    state = put_right.state
    assert not refused(state, limits, now_ms=T0 + 2_000).moved
    later = T0 + 2 * MINUTE
    state = admitted(state, limits, now_ms=later).state
    assert state.day.used == 5  # two before, two ahead, one now
    assert [each.limit for each in refused(state, limits, now_ms=later + 2 * MINUTE).refusals] == ["rpd"]


@pytest.mark.parametrize(("rpm", "pause_ms"), [(15, 100), (120, 100), (1_000, 20), (4_000, 10)])
def test_a_client_that_asks_all_the_time_gets_nearly_all_of_it(rpm, pause_ms):
    rng, limits, state, now, events = random.Random(rpm), Limits(rpm=rpm), State(), T0 + 333, []
    while now < T0 + 333 + 10 * MINUTE:
        decision = admit(state, limits, ASK, now)
        while isinstance(decision, Admitted):
            state = decision.state
            events.append(now)
            decision = admit(state, limits, ASK, now)
        now += rng.randint(1, 2 * pause_ms)
    assert len(events) >= rpm * 10 * 98 // 100
    assert all(later - first > MINUTE for first, later in zip(events, events[rpm:], strict=False))


def test_a_steady_client_just_below_the_limit_is_hardly_ever_refused():
    limits, state, refusals = Limits(tpm=1_000_000), State(), 0
    for number in range(6_000):
        decision = admit(state, limits, Ask(owner="a", tokens=9_900), T0 + number * 600)
        refusals += isinstance(decision, Refused)
        state = decision.state if isinstance(decision, Admitted) else state
    assert refusals == 0


@given(steps, st.integers(1, 6), st.integers(9, 40))
def test_a_refusal_tells_the_very_moment_at_which_it_clears(steps, rpm, tpm):
    limits, state, now = Limits(rpm=rpm, tpm=tpm), State(), T0
    for pause, wanted in steps:
        now += pause
        ask = Ask(owner="a", tokens=wanted)
        decision = admit(state, limits, ask, now)
        if isinstance(decision, Admitted):
            state = decision.state
            continue
        clears = decision.clears_at_ms
        assert now < clears <= now + MINUTE + 2 * BUCKET_MS
        assert isinstance(admit(state, limits, ask, clears - 1), Refused)
        assert isinstance(admit(state, limits, ask, clears), Admitted)


@pytest.mark.parametrize(
    ("limits", "ask", "name"),
    [
        (Limits(rpm=1), ASK, "rpm"),
        (Limits(tpm=15), Ask(owner="one", tokens=10), "tpm"),
        (Limits(rpd=1), ASK, "rpd"),
        (Limits(concurrent=1), ASK, "concurrent"),
        (Limits(spend_day=15), Ask(owner="one", spend_nano=10), "spend_day"),
        (Limits(spend_month=15), Ask(owner="one", spend_nano=10), "spend_month"),
    ],
)
@pytest.mark.parametrize("free", [True, False])
def test_each_limit_refuses_under_googles_name(limits, ask, name, free):
    limits = msgspec.structs.replace(limits, free=free)
    state = admitted(State(), limits, ask).state
    (refusal,) = refused(state, limits, ask, T0 + 1).refusals
    google = (FREE_NAMES if free else PAID_NAMES)[name]
    assert (refusal.limit, refusal.quota_id, refusal.metric) == (name, google.quota_id, google.metric)
    assert refusal.value == getattr(limits, name)
    assert refusal.clears_at_ms > T0


def test_names_are_those_that_clients_look_for():
    assert FREE_NAMES["rpm"].quota_id == "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
    assert FREE_NAMES["rpm"].metric.endswith("/generate_content_free_tier_requests")
    assert PAID_NAMES["tpm"].quota_id == "GenerateContentPaidTierInputTokensPerModelPerMinute"
    assert all(
        "PerDay" in names[name].quota_id
        for names in (FREE_NAMES, PAID_NAMES)
        for name in ("rpd", "spend_day")
    )


def test_every_limit_in_the_way_is_told_and_the_last_to_clear_counts():
    limits = Limits(rpm=1, rpd=1)
    decision = refused(admitted(State(), limits).state, limits)
    assert [each.limit for each in decision.refusals] == ["rpm", "rpd"]
    assert decision.clears_at_ms == max(each.clears_at_ms for each in decision.refusals)
    assert decision.clears_at_ms == int(datetime(2026, 12, 1, 8, tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("limits", "ask"),
    [
        (Limits(rpm=0), ASK),
        (Limits(rpd=0), ASK),
        (Limits(concurrent=0), ASK),
        (Limits(tpm=9), Ask(owner="one", tokens=10)),
        (Limits(spend_day=9), Ask(owner="one", spend_nano=10)),
    ],
)
def test_what_can_never_pass_is_told_no_time(limits, ask):
    assert refused(State(), limits, ask).clears_at_ms is None


def test_without_limits_everything_passes_and_is_counted():
    state = filled(UNLIMITED, [T0] * 500, Ask(owner="one", tokens=10**9, spend_nano=10**15))
    assert (state.day.used, sum(state.window.requests), state.running[0].requests) == (500, 500, 500)


def test_a_refused_request_counts_nowhere():
    limits = Limits(rpm=5, concurrent=1)
    state = admitted(State(), limits).state
    before = encode(state)
    refused(state, limits)
    assert encode(state) == before


def test_settling_puts_the_truth_in_place_of_the_reservation():
    limits = Limits(tpm=100)
    first = admitted(State(), limits, Ask(owner="one", tokens=90))
    assert refused(first.state, limits, Ask(owner="one", tokens=20)).refusals[0].limit == "tpm"
    state = settle(first.state, first.ticket, tokens=40, spent_nano=0)
    assert admitted(state, limits, Ask(owner="one", tokens=60), T0 + 700)
    more = settle(first.state, first.ticket, tokens=130, spent_nano=0)  # the truth, even above the limit
    assert refused(more, limits, Ask(owner="one", tokens=1), T0 + 700).clears_at_ms is not None


def test_a_late_settlement_changes_its_own_bucket_or_none():
    limits = Limits(tpm=100)
    first = admitted(State(), limits, Ask(owner="one", tokens=60))
    second = admitted(first.state, limits, Ask(owner="one", tokens=40), T0 + 30_000)
    state = settle(second.state, first.ticket, tokens=10, spent_nano=0)
    assert state.window.tokens == (10, 40)
    much_later = admitted(second.state, limits, Ask(owner="one", tokens=5), T0 + 3 * MINUTE).state
    state = settle(much_later, first.ticket, tokens=0, spent_nano=0)
    assert state.window == much_later.window
    assert sum(each.requests for each in state.running) == 2


def test_a_ticket_from_before_the_clock_was_put_right_frees_no_tokens():
    limits, ahead = Limits(tpm=100), T0 + 10 * SKEW_MS_MAX
    first = admitted(State(), limits, Ask(owner="one", tokens=60), ahead)
    moved = admitted(first.state, limits, Ask(owner="one", tokens=1), T0)
    state = settle(moved.state, first.ticket, tokens=0, spent_nano=0)
    assert sum(state.window.tokens) == 61
    again = admitted(state, limits, Ask(owner="one", tokens=70), ahead).state  # the same bucket, for others
    assert settle(again, first.ticket, tokens=0, spent_nano=0).window.tokens == (70,)


def test_places_are_given_back_once_and_those_of_a_dead_process_at_once():
    limits = Limits(concurrent=2)
    first = admitted(State(), limits)
    second = admitted(first.state, limits, Ask(owner="two"))
    assert refused(second.state, limits).clears_at_ms == T0 + RETRY_MS
    state = settle(second.state, first.ticket, tokens=0, spent_nano=0)
    assert settle(state, first.ticket, tokens=0, spent_nano=0).running == state.running
    again = admitted(state, limits).state
    assert [each.owner for each in forget(again, "two").running] == ["one"]
    assert admitted(forget(again, "two"), limits)
    late = settle(forget(again, "two"), second.ticket, tokens=0, spent_nano=0)
    assert [(each.owner, each.requests) for each in late.running] == [("one", 1)]


def test_spending_counts_what_runs_at_its_bound_and_what_ended_at_its_price():
    limits, ask = Limits(spend_day=100, spend_month=1_000), Ask(owner="one", spend_nano=60)
    first = admitted(State(), limits, ask)
    assert refused(first.state, limits, ask).clears_at_ms == T0 + RETRY_MS  # as soon as the first has ended
    state = settle(first.state, first.ticket, tokens=0, spent_nano=30)
    second = admitted(state, limits, ask)
    state = settle(second.state, second.ticket, tokens=0, spent_nano=50)
    assert (state.spend_day.used, state.spend_month.used, state.running) == (80, 80, ())
    assert refused(state, limits, ask).clears_at_ms == state.spend_day.end_ms
    assert admitted(forget(first.state, "one"), limits, ask)  # died, and was never charged


@given(st.lists(st.tuples(st.integers(0, 40_000_000), st.integers(0, 60), st.integers(0, 60)), max_size=40))
def test_no_day_is_charged_more_than_its_limit(requests):
    limits, state, now, spent, open_tickets = Limits(spend_day=100), State(), T0, {}, []
    for pause, bound, share in requests:
        now += pause
        decision = admit(state, limits, Ask(owner="a", spend_nano=bound), now)
        if isinstance(decision, Admitted):
            state = decision.state
            open_tickets.append((decision.ticket, state.day.start_ms))
        if len(open_tickets) > 2:
            ticket, day = open_tickets.pop(0)
            cost = min(share, ticket.spend_nano)
            spent[day] = spent.get(day, 0) + cost
            state = settle(state, ticket, tokens=0, spent_nano=cost)
    assert all(amount <= 100 for amount in spent.values())


def test_a_day_has_its_requests_and_no_more_through_daylight_saving():
    limits = Limits(rpd=24)
    start = int(datetime(2026, 3, 7, 8, tzinfo=UTC).timestamp()) * 1000  # midnight; the next day has 23 hours
    state, passed = State(), []
    for half_hour in range(4 * 48 - 2):
        decision = admit(state, limits, ASK, start + half_hour * 1_800_000)
        if isinstance(decision, Admitted):
            state = decision.state
            passed.append(half_hour)
    turns = [later for first, later in pairwise(passed) if later - first > 1]
    assert turns == [48, 48 + 46, 48 + 46 + 48]  # in half hours
    assert len(passed) == 4 * 24


def test_a_state_is_one_small_value():
    state = State()
    for number in range(2_000):
        state = admitted(
            state, UNLIMITED, Ask(owner=f"{number % 4}", tokens=30_000, spend_nano=10**9), T0 + number * 60
        ).state
    assert len(state.window.buckets) == BUCKETS + 1
    assert len(encode(state)) < 1_500
    assert decode(encode(state)) == state
    assert encode(decode(encode(state))) == encode(state)


def test_a_row_of_an_earlier_version_is_read():
    assert decode(msgspec.msgpack.encode([T0, 0])) == State(T0)
    with pytest.raises(msgspec.DecodeError):
        decode(b"\x93")


def test_tiers_give_more_from_one_to_the_next():
    assert list(TIERS) == ["free", "1", "2", "3"]
    for lower, upper in pairwise(TIERS.values()):
        assert lower.rpm < upper.rpm
        assert lower.tpm < upper.tpm
    assert [each.free for each in TIERS.values()] == [True, False, False, False]
    assert [TIERS[tier].spend_month for tier in "123"] == [250 * 10**9, 2_000 * 10**9, 20_000 * 10**9]
