"""Lines that ask for a label: read side by side behind what they share, told once, or handed on."""

import random
import threading

import numpy as np
import pytest

from geminid.core.request import Sampling
from geminid.engines.openvino import labelling
from geminid.engines.openvino.labelling import WORTH_LINES, Labelling
from geminid.engines.openvino.messages import CallForm, Conversation, Message, Submit, Think
from geminid.engines.openvino.writing import Opened, Opening

LABELS = ("delivery", "defect", "praise")
SHARED = "You sort messages. " * 8
VOCABULARY = {bytes([each]): each for each in range(256)}


class FakeScorer:
    """Bytes are tokens. A text that says «=x» is followed by x, as far as it is not there yet."""

    def __init__(self):
        self.reads, self.passes = [], []
        self.broken = False

    def read(self, beginning, tokens_max):
        count = min(tokens_max, len(beginning.tokens) - beginning.done)
        beginning.done += count
        self.reads.append(count)
        return count

    def score(self, beginning, texts):
        assert beginning.read
        if self.broken:
            raise RuntimeError("native")
        self.passes.append(len(texts))
        logits = np.zeros((len(texts), 256), np.float32)
        for row, text in zip(logits, texts, strict=True):
            _, _, wish = bytes([*beginning.tokens, *text]).decode().partition("=")
            label, _, said = wish.partition(">")
            row[label.encode()[len(said)]] = 1.0
        return logits


class Bench:
    def __init__(self, scorer=None, step_max=10_000):
        self.scorer = scorer or FakeScorer()
        self.begun, self.handed_on, self.told, self.refused = {}, [], [], []
        self.lines = Labelling(
            self.prepare,
            lambda opening: np.array(opening.opened.prompt, np.int64),
            lambda opening, found: self.begun.__setitem__(opening.submit.id, found),
            lambda opening: self.handed_on.append(opening.submit.id),
            lambda: self.scorer,
            VOCABULARY,
            step_max,
        )

    def warm(self):
        for number in range(WORTH_LINES):
            self.lines.takes(line(10_000 + number, "x"))
        for thread in threading.enumerate():
            if thread.name == "labels":
                thread.join(30)
        return self

    def prepare(self, submit):
        text = submit.conversation.messages[0].content
        if text == "refuse me":
            self.refused.append(submit.id)
            return None
        return Opening(submit, Opened(text, list(text.encode()), ""), submit.tokens_max, 0.0)

    def take(self, number, wish, shared=SHARED, **fields):
        submit = line(number, f"{shared}{number}={wish}>", **fields)
        assert self.lines.takes(submit)
        self.lines.take(submit)

    def run(self, allowance=10_000):
        for _ in range(200):
            if not self.lines.waits:
                break
            assert self.lines.turn(allowance) >= 0
            self.told += self.lines.deltas()
        assert not self.lines.waits

    def said(self):
        return {delta.id: (delta.text, delta.tokens, delta.finish) for delta in self.told}


def line(number, text, **fields):
    given = {"sampling": Sampling(temperature=0.0), "candidates": 1, "tokens_max": 50, "labels": LABELS}
    conversation = Conversation((Message("user", text),))
    return Submit(id=number, conversation=conversation, urgency=3, **{**given, **fields})


@pytest.fixture
def bench():
    return Bench().warm()


def test_each_line_gets_its_label_and_pays_for_the_tokens_that_it_took(bench):
    for number in range(40):
        bench.take(number, LABELS[number % 3])
    bench.run()
    wanted = [("delivery", 3, "stop"), ("defect", 3, "stop"), ("praise", 1, "stop")]
    assert bench.said() == {number: wanted[number % 3] for number in range(40)}
    assert len(bench.told) == 40


def test_what_lines_share_is_read_once_and_only_the_first_line_computed_it(bench):
    for number in range(10, 40):
        bench.take(number, "praise")
    bench.run()
    assert sum(bench.scorer.reads) == len(SHARED.encode())
    assert sorted(set(bench.begun.values())) == [0, len(SHARED.encode())]
    assert list(bench.begun.values()).count(0) == 1


def test_two_lines_that_are_alike_by_chance_do_not_spoil_what_all_share(bench):
    bench.take(100, "praise")
    bench.take(101, "praise")
    for number in range(20, 50):
        bench.take(number, "defect", shared=SHARED)
    bench.run()
    assert sum(bench.scorer.reads) == len(SHARED.encode())


def test_lines_of_two_instructions_are_read_behind_their_own(bench):
    other = "Sort these differently, please. " * 8
    for number in range(10, 30):
        bench.take(number, "praise", shared=SHARED if number % 2 else other)
    bench.run()
    assert {text for text, _, _ in bench.said().values()} == {"praise"}
    assert sum(bench.scorer.reads) == len(SHARED.encode()) + len(other.encode())


def test_a_pass_has_as_many_tokens_as_are_allowed_and_the_oldest_line_is_in_it(bench):
    for number in range(10, 30):
        bench.take(number, "praise")
    while not bench.scorer.reads or not bench.scorer.passes:
        bench.lines.turn(40)
        bench.told += bench.lines.deltas()
    assert bench.scorer.passes[0] <= 5
    assert 10 in bench.said()


def test_whole_steps_make_passes_of_several(bench):
    small = Bench(step_max=16).warm()
    for number in range(10, 30):
        small.take(number, "praise")
    small.run(allowance=16)
    assert max(small.scorer.passes) > 16 // 10


def test_lines_that_share_nothing_or_are_long_go_the_common_way(bench):
    bench.take(1, "praise", shared="Something else that is on its own: " * 3)
    bench.take(2, "praise", shared=SHARED + "long " * 100)
    bench.take(3, "praise")
    bench.take(4, "praise")
    bench.run()
    assert bench.handed_on == [1, 2]
    assert set(bench.said()) == {3, 4}


def test_what_asks_for_more_than_the_likeliest_label_is_not_taken(bench):
    more = [
        {"labels": ()},
        {"labels": ("card", "cardboard")},
        {"logprobs": True},
        {"stop": ("x",)},
        {"candidates": 2},
        {"sampling": Sampling(temperature=1.0)},
        {"sampling": Sampling(temperature=0.0, presence_penalty=0.5)},
        {"calling": CallForm("<c>", "", False, False, "", "")},
        {"think": Think(5, "<t>", "</t>", "</t>", "")},
    ]
    assert not any(bench.lines.takes(line(1, "x", **fields)) for fields in more)
    assert bench.lines.takes(line(1, "x"))


def test_nothing_is_compiled_before_it_is_worth_it():
    cold = Bench()
    assert not any(cold.lines.takes(line(number, "x")) for number in range(WORTH_LINES - 1))
    assert not any(thread.name == "labels" for thread in threading.enumerate())


def test_a_graph_that_cannot_be_made_costs_nobody_anything():
    def broken():
        raise RuntimeError("unknown graph")

    bench = Bench()
    bench.lines = Labelling(bench.prepare, None, None, None, broken, VOCABULARY, 100)
    bench.warm()
    assert not bench.lines.takes(line(1, "x"))


def test_lines_go_the_common_way_once_the_scorer_has_failed(bench):
    for number in range(5):
        bench.take(number, "praise")
    bench.scorer.broken = True
    bench.run()
    assert sorted(bench.handed_on) == list(range(5))
    assert not bench.told
    assert not bench.lines.takes(line(9, "x"))


def test_a_cancelled_line_is_told_of_no_more_and_a_refused_one_costs_itself(bench):
    for number in range(6):
        bench.take(number, "defect")
    refused = line(50, "refuse me")
    bench.lines.take(refused)
    bench.lines.turn(10_000)
    bench.lines.cancel(3)
    bench.lines.cancel(99)
    bench.run()
    assert set(bench.said()) == {0, 1, 2, 4, 5}
    assert bench.refused == [50]


def test_a_line_that_may_not_write_enough_says_what_it_could(bench):
    bench.take(1, "defect", tokens_max=2)
    bench.take(2, "praise", tokens_max=1)
    bench.run()
    assert bench.said() == {1: ("de", 2, "max_tokens"), 2: ("praise", 1, "stop")}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_and_goes_every_line_ends_once(seed):
    chance, bench = random.Random(seed), Bench(step_max=200).warm()
    shares = [SHARED, "Another one for others. " * 6, "short"]
    cancelled, sent = set(), 0
    for _ in range(60):
        for _ in range(chance.randrange(4)):
            bench.take(sent, chance.choice(LABELS), shared=chance.choice(shares))
            sent += 1
        if sent and chance.random() < 0.2:
            number = chance.randrange(sent)
            cancelled.add(number)
            bench.lines.cancel(number)
        bench.lines.turn(chance.choice([32, 100, 200]))
        bench.told += bench.lines.deltas()
    bench.run(200)
    told = [delta.id for delta in bench.told]
    assert len(told) == len(set(told))
    assert not set(told) & set(bench.handed_on)
    assert set(range(sent)) - cancelled <= set(told) | set(bench.handed_on)


def test_no_more_lines_are_ready_than_are_read_soon(bench):
    for number in range(200):
        bench.take(number, "praise")
    bench.lines.turn(10)
    assert len(bench.lines) == labelling.TEXTS_MAX
