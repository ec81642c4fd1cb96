"""How much of a step the lines of batches may take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.idle import (
    BATCH_SHARE,
    CHANGE_MAX,
    PAUSE_MAX,
    PIECE_TOKENS,
    POLITE_S,
    WAIT_SHARE,
    Idle,
)


def served(idle, seconds, *, step_s=0.05, waits=True, now_s=0.0):
    """Serve others for a while, and lines as far as they may; return what share of the time lines had."""
    had_s = 0.0
    for number in range(round(seconds / step_s)):
        allowed = idle.allowance(now_s + number * step_s, others=True)
        had_s += step_s if allowed and waits else 0.0
        idle.stepped(now_s, step_s, others=True, waits=waits, tokens=allowed if waits else 0)
    return had_s / seconds


def settled(idle, step_s, *, now_s=1.0, turns=60):
    """Let lines step politely, where a step takes what ``step_s`` says of its tokens; return the allowance."""
    for _ in range(turns):
        tokens = idle.allowance(now_s, others=False)
        idle.stepped(now_s, step_s(tokens), others=False, waits=True, tokens=tokens)
    return idle.allowance(now_s, others=False)


def test_where_nobody_else_was_lines_have_everything():
    assert Idle(256).allowance(5.0, others=False) == 256


def test_beside_others_lines_have_nothing():
    assert Idle(256).allowance(0.0, others=True) == 0


def test_after_others_steps_are_short_for_a_while_and_then_whole_again():
    idle = Idle(256)
    idle.allowance(0.0, others=True)
    assert idle.allowance(POLITE_S, others=False) == PIECE_TOKENS
    assert idle.allowance(POLITE_S + 0.1, others=False) == 256


@pytest.mark.parametrize("first_token_s", [0.02, 0.2, 2.0])
def test_a_short_step_takes_its_share_of_a_first_token_as_far_as_that_is_possible(first_token_s):
    idle = Idle(256)
    idle.first_token(first_token_s)
    idle.allowance(0.0, others=True)

    def took_s(tokens):
        return 0.010 + 0.0004 * tokens

    allowed = settled(idle, took_s)
    least_s, most_s = took_s(PIECE_TOKENS), took_s(256)
    wanted_s = min(max(2 * WAIT_SHARE * first_token_s, least_s), most_s)
    assert took_s(allowed) == pytest.approx(wanted_s, rel=0.05)


@given(st.floats(0.001, 1.0), st.floats(0.001, 1.0))
def test_who_comes_between_short_steps_waits_for_no_more_than_a_share_of_a_first_token(took_s, first_s):
    idle = Idle(256)
    idle.first_token(first_s)
    idle.allowance(0.0, others=True)
    idle.allowance(1.0, others=False)
    idle.stepped(1.0, took_s, others=False, waits=True, tokens=PIECE_TOKENS)
    pause_s = idle.pause_s(1.0)
    assert 0 <= pause_s <= PAUSE_MAX * took_s * 1.001
    if pause_s < PAUSE_MAX * took_s * 0.999:
        assert took_s**2 / (2 * (took_s + pause_s)) <= WAIT_SHARE * first_s * 1.001
    assert idle.pause_s(1.0 + pause_s) <= 1e-9
    idle.allowance(POLITE_S + 1, others=False)
    assert idle.pause_s(1.0) == 0


def test_it_is_the_quick_first_tokens_that_are_protected():
    idle = Idle(256)
    for took_s in (9.0, 9.0, 0.02, 9.0, 9.0, 0.02, 9.0, 0.02):
        idle.first_token(took_s)
    idle.allowance(0.0, others=True)
    assert settled(idle, lambda tokens: 0.001 * tokens) == PIECE_TOKENS


def test_a_step_of_few_tokens_does_not_say_that_many_would_fit():
    idle = Idle(256)
    idle.first_token(1.0)
    idle.allowance(0.0, others=True)
    before = settled(idle, lambda tokens: 0.001 * tokens)
    for _ in range(50):
        idle.stepped(1.0, 0.001, others=False, waits=True, tokens=3)
    assert idle.allowance(1.0, others=False) == before


def test_beside_others_who_never_pause_lines_have_a_share_and_no_more():
    assert served(Idle(256), 200) == pytest.approx(BATCH_SHARE, rel=0.2)


def test_nothing_is_owed_to_lines_that_do_not_wait():
    idle = Idle(256)
    served(idle, 200, waits=False)
    assert idle.allowance(200.0, others=True) == 0


def test_where_there_are_pauses_lines_have_no_share_beside_others():
    idle = Idle(256)
    for number in range(100):
        served(idle, 0.5, now_s=number)
        assert idle.allowance(number + 0.6, others=False) > 0
        idle.stepped(number, 0.02, others=False, waits=True, tokens=32)
        assert idle.allowance(number + 0.9, others=True) == 0


@given(
    tokens_max=st.integers(1, 4096),
    steps=st.lists(
        st.tuples(
            st.floats(0, 60), st.booleans(), st.booleans(), st.floats(0, 10), st.none() | st.floats(0, 100)
        ),
        max_size=60,
    ),
)
def test_the_allowance_keeps_its_bounds_whatever_is_observed(tokens_max, steps):
    idle, now_s = Idle(tokens_max), 0.0
    for passed_s, others, waits, took_s, first_s in steps:
        now_s += passed_s
        before = idle.allowance(now_s, others)
        assert 0 <= before <= tokens_max
        assert before > 0 or others
        if first_s is not None:
            idle.first_token(first_s)
        idle.stepped(now_s, took_s, others=others, waits=waits, tokens=before if waits else 0)
        after = idle.allowance(now_s, others=False)
        if not others and before:
            assert before / CHANGE_MAX - 1 <= after <= before * CHANGE_MAX + 1
