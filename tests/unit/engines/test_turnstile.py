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


def test_projects_take_turns_however_much_one_of_them_asks():
    turnstile = Turnstile[str]()
    for number in range(4):
        turnstile.enter(number, f"many-{number}", 1, "many")
    turnstile.enter(10, "few-0", 1, "few")
    assert turnstile.next() == "many-0"
    turnstile.enter(11, "late-0", 1, "late")
    turnstile.enter(12, "few-1", 1, "few")
    assert [turnstile.next() for _ in range(6)] == [
        "few-0",
        "many-1",
        "late-0",
        "few-1",
        "many-2",
        "many-3",
    ]


def test_urgency_goes_before_turns_and_a_project_that_left_has_none():
    turnstile = Turnstile[str]()
    turnstile.enter(1, "a", 1, "one")
    turnstile.enter(2, "b", 1, "one")
    turnstile.enter(3, "c", 0, "one")
    turnstile.enter(4, "d", 1, "two")
    turnstile.leave(4)
    assert [turnstile.next() for _ in range(3)] == ["c", "a", "b"]
    assert len(turnstile) == 0
