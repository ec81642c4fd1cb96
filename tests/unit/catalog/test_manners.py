"""How Gemini's names behave."""

import pytest

from geminid.catalog.manners import manner_of
from geminid.catalog.served import Served
from geminid.core.manner import Manner
from unit.catalog.stand_in import card


@pytest.mark.parametrize(
    "name", ["gemini-3.1-flash-lite", "gemini-flash-lite-latest", "smollm2-135m-instruct"]
)
def test_names_behave_like_flash_lite_of_3_1_unless_a_row_says_otherwise(name):
    assert manner_of(name) == Manner()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("gemini-2.5-flash-lite", 512, 24_576),
        ("gemini-2.5-flash", 1, 24_576),
        ("gemini-2.5-pro", 128, 32_768),
    ],
)
def test_2_5_takes_budgets_within_its_bounds_and_no_levels(name, low, high):
    manner = manner_of(name)
    assert (manner.budget_tokens_min, manner.budget_tokens_max) == (low, high)
    assert not manner.levels
    assert not manner.signatures_checked


def test_names_that_end_in_thinking_think_much_and_mean_the_same_model():
    assert manner_of("gemini-3.1-flash-lite-thinking").level_default == "high"
    assert manner_of("anything-thinking").level_default == "high"
    served = Served((card(name="first"),), ("gemini-3.1-flash-lite",))
    assert served.resolve("models/first-thinking") is served.default
    assert served.resolve("gemini-3.1-flash-lite-thinking") is served.default
