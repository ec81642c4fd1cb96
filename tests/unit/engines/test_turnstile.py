"""Who is begun next."""

import pytest

from geminid.engines.openvino.turnstile import Turnstile


def test_the_most_urgent_comes_out_first_and_equals_in_the_order_of_their_arrival():
    turnstile = Turnstile[str]()
    for number, (name, urgency) in enumerate([("a", 1), ("b", 2), ("c", 0), ("d", 1)]):
        turnstile.enter(number, name, urgency)
    assert [turnstile.next() for _ in range(len(turnstile))] == ["c", "a", "d", "b"]
    with pytest.raises(LookupError):
        turnstile.next()


def test_who_leaves_does_not_come_out():
    turnstile = Turnstile[str]()
    turnstile.enter(1, "a", 1)
    turnstile.enter(2, "b", 1)
    turnstile.leave(1)
    turnstile.leave(99)
    assert (turnstile.next(), len(turnstile)) == ("b", 0)
