"""The loop of the engine process and lines that ask for labels: beside others, beside other lines, told as all are."""

import threading

import msgspec
import numpy as np
import pytest

from engine_bench import LOAD, Bench, submit
from geminid.core.request import Sampling
from geminid.engines.openvino import worker as module
from geminid.engines.openvino.labelling import WORTH_LINES
from geminid.engines.openvino.messages import Accepted, Cancel, Stepped

LABELS = ("delivery", "praise")
SHARED = "You sort messages that come from customers, one label for each of them. " * 2


class Scorer:
    """Says «praise» of everything."""

    def __init__(self):
        self.passes = 0

    def read(self, beginning, tokens_max):
        beginning.done = len(beginning.tokens)
        return beginning.done

    def score(self, beginning, texts):
        self.passes += 1
        logits = np.zeros((len(texts), 300), np.float32)
        logits[:, ord("p")] = 1.0
        return logits


@pytest.fixture
def scorer(monkeypatch):
    made = Scorer()
    monkeypatch.setattr(module, "_label_scorer", lambda load: made)
    return made


@pytest.fixture
def bench(scorer):
    load = msgspec.structs.replace(LOAD, label_graph=True, context_tokens_max=500, batch_tokens_max=64)
    made = Bench(load)
    yield made
    made.close()


def line(number, **fields):
    given = {"urgency": 3, "labels": LABELS, "sampling": Sampling(temperature=0.0), **fields}
    return submit(number, f"{SHARED}{number}", **given)


def warm(bench):
    bench.send(*(line(10_000 + number) for number in range(WORTH_LINES)))
    for _ in range(400):
        bench.turn()
        if not bench.worker._lines.waits:
            break
    for thread in threading.enumerate():
        if thread.name == "labels":
            thread.join(30)
    for _ in range(40):
        bench.turn()


def told(bench, turns=200):
    messages = [message for _ in range(turns) for message in bench.turn()]
    steps = [message for message in messages if isinstance(message, Stepped)]
    return messages, steps, [delta for step in steps for delta in step.deltas]


def test_lines_are_accepted_chosen_and_told_with_what_they_found(bench, scorer):
    warm(bench)
    bench.send(*map(line, range(1, 20)))
    messages, steps, deltas = told(bench)
    assert {message.id for message in messages if isinstance(message, Accepted)} == set(range(1, 20))
    assert {(delta.id, delta.text, delta.finish) for delta in deltas} == {
        (number, "praise", "stop") for number in range(1, 20)
    }
    found = {number: each.tokens for step in steps for number, each in step.found.items()}
    assert len(found) == 18
    assert set(found.values()) == {len(SHARED)}
    assert {number for step in steps for number in step.begun} >= set(range(1, 20))
    assert scorer.passes


def test_somebody_who_asks_is_answered_before_labels_are_chosen(bench, scorer):
    warm(bench)
    before = scorer.passes
    bench.send(*map(line, range(1, 20)), submit(100, "hello there, how are you?"))
    seen = []
    for _ in range(400):
        for message in bench.turn():
            if isinstance(message, Stepped):
                seen += [delta.id for delta in message.deltas if delta.finish]
    assert seen[0] == 100
    assert sorted(seen[1:]) == list(range(1, 20))
    assert scorer.passes > before


def test_lines_with_and_without_labels_take_turns(bench):
    warm(bench)
    bench.send(*map(line, range(1, 60)), *(line(number, labels=()) for number in range(100, 110)))
    _, _, deltas = told(bench, 800)
    ended = [delta.id for delta in deltas if delta.finish]
    assert sorted(ended) == [*range(1, 60), *range(100, 110)]


def test_a_cancelled_line_is_forgotten(bench):
    warm(bench)
    bench.send(*map(line, range(1, 10)), Cancel(5))
    _, _, deltas = told(bench)
    assert {delta.id for delta in deltas} == {1, 2, 3, 4, 6, 7, 8, 9}


def test_without_the_setting_nothing_is_compiled(scorer):
    made = Bench()
    made.send(*(line(number) for number in range(WORTH_LINES + 5)))
    for _ in range(60):
        made.turn()
    assert made.worker._labels._scorer is None
    made.close()
