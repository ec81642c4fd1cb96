"""Money of what is cached: by modality, by the second, and what it saved."""

from hypothesis import given
from hypothesis import strategies as st

from geminid.billing import quota
from geminid.billing.quota import State
from geminid.billing.rating import counts_of, rate, saved_by_caching, storage_cost, storage_cost_at
from geminid.core.usage import Usage
from unit.billing.sheets import sheet

DOLLAR = 10**9
NOW_MS = 1_790_000_000_000


def test_cached_sound_costs_the_price_of_cached_sound():
    usage = Usage(prompt=3_000, cached=2_000, media={"audio": 1_500}, cached_media={"audio": 1_200})
    assert counts_of(usage) == {
        ("prompt", "text"): 700,
        ("prompt", "audio"): 300,
        ("cached", "text"): 800,
        ("cached", "audio"): 1_200,
    }


def test_pictures_from_a_cache_are_text_to_a_price_list():
    usage = Usage(prompt=3_000, cached=2_000, media={"image": 1_500}, cached_media={"image": 1_200})
    assert counts_of(usage) == {("prompt", "text"): 1_000, ("cached", "text"): 2_000}


def test_a_cache_saves_nine_tenths_on_what_came_from_it():
    usage = Usage(prompt=1_000_000, cached=900_000, candidates=5)
    assert saved_by_caching(usage, sheet()) == 900_000 * 225_000_000 // 1_000_000
    assert saved_by_caching(Usage(prompt=1_000_000), sheet()) == 0


@given(
    st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["standard", "batch", "flex", "priority"])
)
def test_bill_and_saving_are_together_what_it_would_cost_without_a_cache(cached, fresh, tier):
    usage, prices = Usage(prompt=cached + fresh, cached=cached), sheet(tier=tier)
    whole = rate(Usage(prompt=cached + fresh), prices).total_nano
    assert rate(usage, prices).total_nano + saved_by_caching(usage, prices) == whole


@given(st.integers(0, 10**6), st.integers(0, 10**7))
def test_keeping_costs_the_same_at_a_price_that_was_agreed_on(tokens, seconds):
    agreed = storage_cost_at(tokens, seconds, DOLLAR)
    assert agreed == storage_cost(tokens, seconds, sheet())
    assert agreed.total_nano == -(-tokens * seconds * DOLLAR // (3600 * 10**6))


def test_money_outside_of_requests_counts_to_the_day_in_which_it_is_spent():
    state = quota.spent(quota.spent(State(), 5, NOW_MS), 7, NOW_MS)
    assert (state.spend_day.used, state.spend_month.used, state.day.used) == (12, 12, 0)
    tomorrow = state.spend_day.end_ms
    assert quota.spent(state, 1, tomorrow).spend_day.used == 1
