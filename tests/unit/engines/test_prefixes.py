"""Prefixes that are kept: read, computed, refreshed in time, refused; with cells of our own making."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.eyes import Shown
from geminid.engines.openvino.messages import Conversation, Delta, Keep, Kept, Message, Refused
from geminid.engines.openvino.prefixes import LAST_URGENCY, Prefixes, common, measure


class Rendered(NamedTuple):
    text: str
    prompt: object
    tokens: int
    media: dict


class Cells:
    kv_tokens_max = 6_400

    def __init__(self):
        self.claims, self.used = 0, {}

    def encode(self, prompt):
        return list(prompt.encode())

    def used_since(self, token_ids):
        return self.used.get(bytes(token_ids)[:1], 0.0)


class Room:
    """Prefixes, and everything that they ask for."""

    def __init__(self, tokens_max=1_000, prompt_tokens_max=500):
        self.cells, self.submitted, self.cancelled, self.said = Cells(), [], [], []
        self.prefixes = Prefixes(
            self.cells,
            self.render,
            self.submitted.append,
            self.cancelled.append,
            self.said.append,
            tokens_max=tokens_max,
            prompt_tokens_max=prompt_tokens_max,
            foreign=(ord("?"), ord("!")),
        )
        self.rendered = []

    def render(self, conversation):
        text = conversation.messages[0].content
        self.rendered.append(text)
        if text.startswith("bad"):
            raise ValueError("no such role")
        if text.startswith("explode"):
            raise ZeroDivisionError
        return Rendered(text, list(text.encode()), len(text), {"image": 2})

    def keep(self, keep_id, words, prefix="p", urgency=1, idle=True):
        texts = (Conversation((Message("user", f"{words}{end}"),)) for end in "AB")
        self.prefixes.take(Keep(keep_id, prefix, tuple(texts), urgency))
        return self.prefixes.read_one(idle)

    def compute(self, finish="max_tokens"):
        """Answer everything that was submitted."""
        submitted, self.submitted[:] = list(self.submitted), []
        for submit in submitted:
            if self.prefixes.opening(submit.id, 0.0) is not None:
                assert self.prefixes.takes(Delta(submit.id, 0, "x", 1))
                assert self.prefixes.takes(Delta(submit.id, 0, "", 0, finish))
        return submitted

    def told(self):
        said, self.said[:] = list(self.said), []
        return said


def test_a_prefix_is_computed_in_whole_blocks_and_told_of_when_it_is():
    room = Room()
    assert room.keep(5, "x" * 70, urgency=1) is None
    (submit,) = room.submitted
    assert submit.id < 0
    assert submit.tokens_max == 1
    assert submit.urgency == 1
    opening = room.prefixes.opening(submit.id, 3.0)
    assert bytes(opening.opened.prompt) == b"x" * 64 + b"?"
    assert opening.since_s == 3.0
    assert not room.told()
    room.compute()
    assert room.told() == [Kept(5, 70, {"image": 2})]


def test_the_token_behind_the_blocks_is_none_that_the_prefix_goes_on_with():
    room = Room()
    room.keep(5, "x" * 64 + "?" * 6)
    (submit,) = room.submitted
    assert bytes(room.prefixes.opening(submit.id, 3.0).opened.prompt) == b"x" * 64 + b"!"


def test_what_is_kept_already_is_told_at_once_and_not_computed_again():
    room = Room()
    room.keep(5, "x" * 70)
    room.compute()
    room.keep(6, "x" * 70)
    assert room.told() == [Kept(5, 70, {"image": 2}), Kept(6, 70, {"image": 2})]
    assert not room.submitted
    assert len(room.rendered) == 2


def test_who_asks_while_it_is_computed_waits_for_the_same_and_may_hurry_it():
    room = Room()
    room.keep(5, "x" * 70, urgency=LAST_URGENCY)
    room.keep(6, "x" * 70, urgency=LAST_URGENCY)
    assert len(room.submitted) == 1
    room.keep(7, "x" * 70, urgency=0)
    slow, fast = room.submitted
    assert room.cancelled == [slow.id]
    assert fast.urgency == 0
    room.compute()
    assert [each.id for each in room.told()] == [5, 6, 7]


def test_what_nobody_waits_for_is_read_when_nothing_else_is_to_be_done_or_when_it_is_named():
    room = Room()
    room.keep(5, "x" * 70, urgency=LAST_URGENCY, idle=False)
    assert room.prefixes.waits
    assert not room.rendered
    prompt = list(b"x" * 70 + b"C")
    assert room.prefixes.cached("p", Rendered("", prompt, 71, {})) == (70, {"image": 2})
    assert not room.prefixes.waits
    assert len(room.submitted) == 1


def test_the_most_urgent_is_read_first():
    room = Room()
    room.keep(5, "x" * 70, "slow", LAST_URGENCY, idle=False)
    room.keep(6, "y" * 70, "fast", 1, idle=False)
    assert room.rendered[0].startswith("y")


def test_less_than_a_block_needs_no_computing():
    room = Room()
    room.keep(5, "short")
    assert room.told() == [Kept(5, 5, {"image": 2})]
    assert not room.submitted


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("bad", Refused(id=5, kind="invalid", message="no such role")),
        ("explode", Refused(id=5, kind="failed", message="ZeroDivisionError()")),
        ("x" * 501, Refused(id=5, kind="too_long", tokens=501, tokens_max=500)),
    ],
)
def test_what_cannot_be_kept_is_refused(words, refused):
    room = Room()
    error = room.keep(5, words)
    assert room.told() == [refused]
    assert not room.submitted
    assert isinstance(error, ZeroDivisionError) == (words == "explode")
    room.keep(6, "x" * 70)
    room.compute()
    assert isinstance(room.told()[0], Kept)


def test_what_does_not_fit_beside_the_others_is_refused_until_one_is_dropped():
    room = Room()
    for number in range(2):
        room.keep(number, "x" * 400, f"p{number}")
    room.keep(8, "y" * 300, "q")
    room.compute()
    full = Refused(id=8, kind="full", tokens=300, tokens_max=1_000, kept=800)
    assert full in room.told()
    room.prefixes.drop("p0")
    room.keep(9, "y" * 300, "q")
    room.compute()
    assert room.told() == [Kept(9, 300, {"image": 2})]


def test_what_is_dropped_is_not_computed_and_makes_up_nothing():
    room = Room()
    room.keep(5, "x" * 70)
    (submit,) = room.submitted
    room.prefixes.drop("p")
    room.prefixes.drop("p")
    assert room.cancelled == [submit.id]
    assert room.prefixes.opening(submit.id, 0.0) is None
    assert room.prefixes.cached("p", Rendered("", list(b"x" * 90), 90, {})) == (0, {})


def test_what_fails_to_be_computed_is_refused_and_forgotten():
    room = Room(tokens_max=100)
    room.keep(5, "x" * 70)
    room.compute(finish="failed")
    assert [each.kind for each in room.told()] == ["failed"]
    room.keep(6, "y" * 70)
    room.compute()
    assert isinstance(room.told()[0], Kept)


def test_a_prompt_counts_what_it_has_in_common_with_its_prefix():
    room = Room()
    room.keep(5, "x" * 70)
    whole = Rendered("", list(b"x" * 70 + b"and more"), 78, {})
    assert room.prefixes.cached("p", whole) == (70, {"image": 2})
    other = Rendered("", list(b"x" * 40 + b"and more"), 48, {})
    assert room.prefixes.cached("p", other) == (40, None)
    assert room.prefixes.cached("unknown", whole) == (0, {})


def test_deltas_of_others_are_left_alone():
    room = Room()
    assert not room.prefixes.takes(Delta(1, 0, "x", 1, "stop"))
    assert not room.prefixes.fail(1)


def test_what_others_come_close_to_overwriting_is_refreshed_in_time():
    room = Room()
    for number, letter in enumerate("xy"):
        room.keep(number, letter * 64, letter)
    room.compute()
    assert refreshed_letters(room) == []
    room.cells.used = {b"x": 0.6}
    assert refreshed_letters(room) == [(b"x", LAST_URGENCY)]
    room.cells.used = {b"y": 0.9}  # x was refreshed later: it is not the one to look at first
    assert refreshed_letters(room) == [(b"y", 0)]
    room.cells.used = {b"x": 1.0, b"y": 1.0}  # lost: that is computed again when there is time
    assert refreshed_letters(room) == [(b"x", LAST_URGENCY), (b"y", LAST_URGENCY)]


def refreshed_letters(room):
    room.cells.claims += 100
    room.prefixes.tend()
    prompts = [room.prefixes.opening(each.id, 0).opened.prompt for each in room.submitted]
    urgencies = [each.urgency for each in room.compute()]
    return [(bytes(prompt[:1]), urgency) for prompt, urgency in zip(prompts, urgencies, strict=True)]


def test_it_is_not_looked_at_after_every_step():
    room = Room()
    room.keep(1, "x" * 64)
    room.compute()
    room.cells.used = {b"x": 1.0}
    room.cells.claims = 5
    room.prefixes.tend()
    assert not room.submitted
    room.cells.claims = 6_400 // 32 // 32
    room.prefixes.tend()
    assert len(room.submitted) == 1
    room.cells.claims += 100
    room.prefixes.tend()
    assert len(room.submitted) == 1  # it is being refreshed


def test_a_prefix_with_pictures_is_measured_by_its_text():
    one, other = (
        Rendered(f"<see 0> then {end}", Shown(f"<see 0> then {end}", (b"png",)), 40, {"image": 20})
        for end in ("A", "1.")
    )
    measured = measure([one, other], lambda text: list(text))
    assert measured.text == "<see 0> then "
    assert measured.tokens == 39
    assert measured.media == {"image": 20}
    assert measured.whole == Shown("<see 0> then ", (b"png",))


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_what_is_common_is_common_and_no_more_is(one, other):
    length = common(one, other)
    assert one[:length] == other[:length]
    assert one[length : length + 1] != other[length : length + 1] or length == len(one) == len(other)
