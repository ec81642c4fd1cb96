"""A threshold is told when spending reaches it, once in its period."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.billing.budgets import Budget, Told, crossed, mistakes

BUDGET = Budget(name="team", period="month", amount_nano=1_000, thresholds_permille=(500, 900, 1000, 1200))


def test_each_threshold_is_told_once_and_in_order():
    told, spoken = Told(), []
    for spent in (0, 499, 500, 501, 950, 600, 960, 5_000, 9_000):
        told, new = crossed(BUDGET, told, 100, spent)
        spoken.append(new)
    assert spoken == [(), (), (500,), (), (900,), (), (), (1000, 1200), ()]


def test_a_new_period_begins_again_and_an_old_one_says_nothing_more():
    told, _ = crossed(BUDGET, Told(), 100, 1_000)
    later, new = crossed(BUDGET, told, 200, 500)
    assert new == (500,)
    assert crossed(BUDGET, later, 100, 9_000) == (later, ())


@given(st.lists(st.integers(0, 3_000), max_size=20))
def test_what_was_told_is_what_the_highest_spending_reached(spendings):
    told, spoken = Told(), []
    for spent in spendings:
        told, new = crossed(BUDGET, told, 1, spent)
        spoken.extend(new)
    assert spoken == [each for each in BUDGET.thresholds_permille if max(spendings, default=0) >= each]


@pytest.mark.parametrize(
    ("budget", "fields"),
    [
        (BUDGET, set()),
        (Budget(name="", period="day", amount_nano=0, thresholds_permille=()), {"name", "amount_nano", "thresholds_permille"}),
        (Budget(name="a", period="day", amount_nano=1, thresholds_permille=(900, 500)), {"thresholds_permille"}),
        (Budget(name="a", period="day", amount_nano=1, thresholds_permille=(500, 500)), {"thresholds_permille"}),
        (Budget(name="a", period="day", amount_nano=1, thresholds_permille=(0, 500)), {"thresholds_permille"}),
    ],
)  # fmt: skip
def test_mistakes_of_a_budget_are_all_told(budget, fields):
    assert {mistake.field for mistake in mistakes(budget)} == fields
