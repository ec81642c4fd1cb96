"""Texts of about one length are computed together: every one of them once, the oldest and most urgent first."""

from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.embed_queue import LENGTH_STEP, PADDING_SHARE, TextQueue, padded

LENGTHS = st.lists(st.integers(1, 300), max_size=12)
REQUESTS = st.lists(st.tuples(LENGTHS, st.integers(0, 3)), max_size=12)


def filled(requests, tokens_max=512):
    queue = TextQueue(tokens_max)
    for number, (lengths, urgency) in enumerate(requests):
        queue.put(number, [(length, (number, place)) for place, length in enumerate(lengths)], urgency)
    return queue


def calls_of(queue):
    while call := queue.take():
        yield call


@given(REQUESTS)
def test_every_text_comes_out_once(requests):
    queue = filled(requests)
    out = [item.content for call in calls_of(queue) for item in call]
    assert sorted(out) == [
        (number, place) for number, (lengths, _) in enumerate(requests) for place in range(len(lengths))
    ]
    assert not queue


@given(REQUESTS, st.integers(16, 1024))
def test_calls_are_bounded_and_little_of_them_is_padding(requests, tokens_max):
    for call in calls_of(filled(requests, tokens_max)):
        longest = max(padded(item.length) for item in call)
        assert len(call) == 1 or len(call) * longest <= tokens_max
        wasted = sum(longest - padded(item.length) for item in call)
        assert wasted <= PADDING_SHARE * max(tokens_max, longest)


@given(REQUESTS)
def test_a_call_is_of_one_urgency_the_most_urgent_first(requests):
    calls = [{requests[item.request][1] for item in call} for call in calls_of(filled(requests))]
    assert all(len(urgencies) == 1 for urgencies in calls)
    order = [urgency for urgencies in calls for urgency in urgencies]
    assert order == sorted(order)


@given(REQUESTS)
def test_the_oldest_text_of_an_urgency_is_in_the_next_call(requests):
    queue = filled(requests)
    waiting = {
        (number, place) for number, (lengths, _) in enumerate(requests) for place in range(len(lengths))
    }
    for call in calls_of(queue):
        mine = {each for each in waiting if requests[each[0]][1] == requests[call[0].request][1]}
        assert min(mine) in {item.content for item in call}
        waiting -= {item.content for item in call}


@given(REQUESTS, st.sets(st.integers(0, 11)))
def test_what_nobody_waits_for_any_more_does_not_come_out(requests, left):
    queue = filled(requests)
    for number in left:
        queue.drop(number)
    out = {item.content for call in calls_of(queue) for item in call}
    assert out == {
        (number, place)
        for number, (lengths, _) in enumerate(requests)
        for place in range(len(lengths))
        if number not in left
    }
    assert not queue


def test_a_text_longer_than_a_call_may_be_goes_alone():
    queue = filled([([300, 300], 1)], tokens_max=64)
    assert [len(call) for call in calls_of(queue)] == [1, 1]


def test_lengths_are_padded_to_few_shapes():
    assert {padded(length) for length in range(1, LENGTH_STEP + 1)} == {LENGTH_STEP}
    assert padded(LENGTH_STEP + 1) == 2 * LENGTH_STEP
