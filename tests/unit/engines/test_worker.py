"""The loop of the engine process, with a pipeline of our own making: random arrivals and cancellations."""

import random
import socket
from collections import Counter

import pytest

from fake_pipeline import FakePipeline
from geminid.core.request import Sampling
from geminid.engines.openvino.inbox import HungUp, Inbox, Outbox
from geminid.engines.openvino.messages import (
    Accepted,
    Cancel,
    Conversation,
    Count,
    Counted,
    Load,
    Message,
    Refused,
    Stepped,
    Submit,
    Think,
    decode_from_worker,
    decode_to_worker,
    frame,
)
from geminid.engines.openvino.worker import Worker

LOAD = Load(
    weights="",
    chat_template="{{ messages[-1].content }}",
    template_options={},
    context_tokens_max=50,
    kv_cache_gib=1,
    batch_tokens_max=1,
    sequences_max=64,
    properties={},
)


class Bench:
    """Both ends of a link; ``turn`` lets the worker take, prepare and step once."""

    def __init__(self):
        self.server, theirs = socket.socketpair()
        self.server.setblocking(False)
        self.pipeline = FakePipeline()
        self.worker = Worker(LOAD, self.pipeline, Inbox(theirs, decode_to_worker), Outbox(theirs))
        self._theirs = theirs
        self._buffer = b""

    def send(self, *messages):
        self.server.sendall(b"".join(map(frame, messages)))

    def turn(self):
        self.send(Count(0, asked("x")))  # so that the worker never waits
        self.worker._drain()
        self.worker._prepare_some()
        self.worker._begin_some()
        if self.pipeline.busy():
            self.worker._step()
        return [message for message in self.received() if getattr(message, "id", None) != 0]

    def received(self):
        while True:
            try:
                self._buffer += self.server.recv(1 << 20)
            except BlockingIOError:
                break
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], "big")
            yield decode_from_worker(self._buffer[4 : 4 + size])
            self._buffer = self._buffer[4 + size :]

    def close(self):
        self.server.close()
        self._theirs.close()


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.close()


def asked(text):
    return Conversation((Message("user", text),))


def submit(number, text, **fields):
    defaults = {
        "sampling": Sampling(seed=1),
        "candidates": 1,
        "tokens_max": 40,
        "stop": (),
        "logprobs": False,
    }
    return Submit(id=number, conversation=asked(text), **{**defaults, **fields})


def settle(bench, *messages, turns=60):
    bench.send(*messages)
    return [message for _ in range(turns) for message in bench.turn()]


def deltas(messages, number=1):
    return [
        delta
        for message in messages
        if isinstance(message, Stepped)
        for delta in message.deltas
        if delta.id == number
    ]


def test_an_answer_is_accepted_spelled_and_ended(bench):
    messages = settle(bench, submit(1, "é!", logprobs=True))
    assert messages[0] == Accepted(1, 3)
    got = deltas(messages)
    assert [(delta.text, delta.tokens, delta.finish) for delta in got] == [
        ("", 1, ""),
        ("é", 1, ""),
        ("!", 1, ""),
        ("", 0, "stop"),
    ]
    assert [len(delta.logprobs) for delta in got] == [1, 1, 1, 0]


def test_a_stop_string_ends_the_answer_and_frees_its_cells(bench):
    got = deltas(settle(bench, submit(1, "one END two", stop=("END",))))
    assert "".join(delta.text for delta in got) == "one "
    assert got[-1].finish == "stop"
    assert not bench.pipeline.busy()


def test_the_bound_on_tokens_is_cut_to_the_room_that_the_window_has(bench):
    got = deltas(settle(bench, submit(1, "x" * 45)))
    assert (sum(delta.tokens for delta in got), got[-1].finish) == (5, "max_tokens")


def test_what_cannot_be_answered_is_refused_and_costs_nobody_else_anything(bench):
    messages = settle(bench, submit(1, "x" * 50), submit(2, ""), submit(3, "explode"), submit(4, "ok"))
    refused = {message.id: message for message in messages if isinstance(message, Refused)}
    assert (refused[1].kind, refused[1].tokens, refused[1].tokens_max) == ("too_long", 50, 49)
    assert refused[2].kind == "invalid"
    assert refused[3].kind == "failed"
    assert deltas(messages, 4)[-1].finish == "stop"


def test_candidates_are_separate_answers_of_one_request(bench):
    got = deltas(settle(bench, submit(1, "ab", candidates=2)))
    assert Counter(delta.candidate for delta in got) == {0: 3, 1: 3}


def test_a_prompt_whose_caller_has_left_is_never_prepared(bench):
    settle(bench, submit(1, "abc"), Cancel(1), turns=3)
    assert bench.pipeline.added == 0


def test_counting_produces_nothing(bench):
    assert settle(bench, Count(5, asked("abc")), turns=2) == [Counted(5, 3)]


def test_the_loop_ends_when_the_server_hangs_up(bench):
    bench.server.close()
    with pytest.raises(HungUp):
        bench.worker.run()


@pytest.mark.parametrize("seed", range(20))
def test_whatever_arrives_each_request_ends_once_and_nothing_is_left(bench, seed):
    chance = random.Random(seed)
    cancelled, ends, submitted = set(), Counter(), 0
    for _ in range(300):
        for _ in range(chance.choice([0, 0, 1, 3])):
            submitted += 1
            bench.send(
                submit(
                    submitted, chance.choice(["a", "é" * 9, "x" * 60, "explode", "stop here"]), stop=("here",)
                )
            )
        if submitted and chance.random() < 0.3:
            cancelled.add(left := chance.randint(1, submitted))
            bench.send(Cancel(left))
        for message in settle(bench, turns=1):
            ends.update([message.id] if isinstance(message, Refused) else [])
            if isinstance(message, Stepped):
                ends.update(delta.id for delta in message.deltas if delta.finish)
    for message in settle(bench, turns=100):
        if isinstance(message, Stepped):
            ends.update(delta.id for delta in message.deltas if delta.finish)
    assert set(ends.values()) <= {1}, seed
    assert set(range(1, submitted + 1)) - cancelled <= ends.keys(), seed
    assert not bench.worker._running
    assert not bench.worker._waiting
    assert not bench.worker._prepared
    assert not bench.pipeline.busy()


def test_priority_overtakes_and_flex_waits_for_everybody(bench):
    begun = []
    bench.worker._sequences_max = 2
    bench.pipeline.respond = lambda prompt, draw: begun.append(prompt) or "ab"
    settle(bench, submit(1, "busy"), submit(2, "busy"), turns=1)
    settle(
        bench,
        submit(3, "flex", urgency=2),
        submit(4, "standard"),
        submit(5, "priority", urgency=0),
    )
    assert begun[2:] == ["priority", "standard", "flex"]


def test_what_fails_between_two_stretches_costs_one_answer(bench):
    draw = bench.pipeline.draw

    def fails_after_a_thought(*args, tokens_min=0, **fields):
        if tokens_min:
            raise RuntimeError("no such draw")
        return draw(*args, **fields)

    bench.pipeline.draw = fails_after_a_thought
    got = deltas(settle(bench, submit(1, "abc", think=Think(10, "", "", "|", ""))))
    assert got[-1].finish == "failed"
    assert deltas(settle(bench, submit(2, "ok")), 2)[-1].finish == "stop"


def test_the_markers_around_a_thought_are_room_that_the_answer_does_not_have(bench):
    bench.pipeline.respond = lambda prompt, draw: "a" * 100
    asked_for = submit(1, "x" * 30, think=Think(4, "<<<<", "", ">>>>", ""))
    got = deltas(settle(bench, asked_for, turns=90))
    assert sum(delta.tokens for delta in got) == 50 - 30 - 8
