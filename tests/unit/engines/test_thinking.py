"""What a request may think and say, in tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import make
from geminid.core.card import ThinkingCard
from geminid.core.request import LEVELS, Thinking
from geminid.engines.thinking import Allowance, allowance, budget_tokens

CARD = make.card(context_tokens_max=1000, thinking=ThinkingCard(low=10, medium=20, high=40))


@pytest.mark.parametrize(
    ("thinking", "tokens"),
    [
        (Thinking(), 0),
        (Thinking(level="minimal"), 0),
        (Thinking(level="low"), 10),
        (Thinking(level="medium"), 20),
        (Thinking(level="high"), 40),
        (Thinking(budget_tokens=0), 0),
        (Thinking(budget_tokens=-1), 40),
        (Thinking(budget_tokens=15), 15),
        (Thinking(budget_tokens=9999), 40),
    ],
)
def test_levels_and_budgets_are_what_the_card_makes_of_them(thinking, tokens):
    assert budget_tokens(CARD, thinking) == tokens


def test_a_default_bound_is_the_answers_own():
    card = make.card(context_tokens_max=1000, output_tokens_default=100, thinking=CARD.thinking)
    request = make.request(thinking=Thinking(level="high"))
    assert allowance(card, request) == Allowance(40, 140)


def test_a_callers_bound_holds_for_thoughts_and_answer_together():
    request = make.request(thinking=Thinking(level="high"), tokens_max=64)
    assert allowance(CARD, request) == Allowance(32, 64)


@given(
    thinking=st.builds(Thinking, level=st.sampled_from(LEVELS))
    | st.builds(Thinking, budget_tokens=st.integers(-1, 10**6)),
    tokens_max=st.integers(1, 10**6) | st.none(),
)
def test_half_of_what_is_allowed_is_left_to_the_answer(thinking, tokens_max):
    allowed = allowance(CARD, make.request(thinking=thinking, tokens_max=tokens_max))
    assert 0 <= allowed.thoughts <= min(40, allowed.total // 2)
    assert 1 <= allowed.total <= CARD.output_tokens_max
