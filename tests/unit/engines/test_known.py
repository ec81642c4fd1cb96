"""What a prompt shares with those that were read before it."""

from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.eyes import Shown
from geminid.engines.openvino.known import PROMPTS_MAX, Known, shared, tokens_of

token_ids = st.lists(st.integers(0, 2), max_size=120)


@given(token_ids, token_ids)
def test_what_is_shared_is_whole_blocks_of_the_common_beginning_without_the_last_token(one, other):
    same = shared(tokens_of(one), tokens_of(other))
    common = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    assert same % 32 == 0
    assert same <= max(0, min(common, len(one) - 1))
    assert same + 32 > min(common, len(one) - 1)


def test_the_last_prompts_are_known_and_older_ones_are_not():
    known = Known()
    first = tokens_of([1] * 100)
    known.add(first)
    assert known.found(tokens_of([1] * 80 + [2])) == 64
    for number in range(PROMPTS_MAX):
        known.add(tokens_of([number + 5] * 10))
    assert known.found(first) == 0


def test_prompts_with_pictures_share_nothing():
    known = Known()
    known.add(tokens_of(Shown("a" * 99)))
    assert known.found(tokens_of(Shown("a" * 99))) == 0
