"""The loop of the engine process, with a pipeline of our own making: random arrivals and cancellations."""

import io
import random
import socket
from collections import Counter

import msgspec
import pytest
from PIL import Image

from fake_pipeline import FakePipeline
from geminid.core.content import Picture, Text
from geminid.core.request import Sampling
from geminid.engines.openvino.eyes import place
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
)
from geminid.engines.openvino.pipeline import BadPicture
from geminid.engines.openvino.worker import Worker
from geminid.process.frames import frame
from geminid.process.inbox import HungUp, Inbox, Outbox

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

    def __init__(self, load=LOAD, pipeline=None):
        self.server, theirs = socket.socketpair()
        self.server.setblocking(False)
        self.pipeline = pipeline or FakePipeline()
        self.worker = Worker(load, self.pipeline, Inbox(theirs, decode_to_worker), Outbox(theirs))
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


# -- media ---------------------------------------------------------------------------------------------


class SeeingPipeline(FakePipeline):
    """A picture is a token for each 10 pixels of its width; what it is shown is what it echoes."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def weigh(self, text, sizes):
        if any(width > 900 for width, _ in sizes):
            raise BadPicture("The model does not take such a picture.")
        return len(text) - len(place(0)) * len(sizes) + sum(width // 10 for width, _ in sizes)

    def then(self, prompt, token_ids, words):
        return prompt._replace(text=prompt.text + self.decode(token_ids) + words)

    def add(self, prompt, draw):
        self.shown.append(prompt)
        return super().add(self.encode(prompt.text.replace("<", "(")), draw)


@pytest.fixture
def seeing():
    load = msgspec.structs.replace(LOAD, context_tokens_max=300, sees=True, picture_tokens_max=100)
    made = Bench(load, SeeingPipeline())
    yield made
    made.close()


def png(width, modality="image"):
    body = io.BytesIO()
    Image.new("RGB", (width, 40)).save(body, "PNG")
    return Picture(body.getvalue(), modality)


def looked(number, *pieces, **fields):
    return msgspec.structs.replace(
        submit(number, "", **fields), conversation=Conversation((Message("user", pieces),))
    )


def test_tokens_are_told_by_what_they_came_from(bench):
    conversation = Conversation((Message("user", (Text("a"), Text("bcd", "document"), Text("e", "audio"))),))
    assert settle(bench, Count(7, conversation), turns=2) == [Counted(7, 5, {"document": 3, "audio": 1})]


def test_pictures_are_counted_and_shown_in_their_order(seeing):
    one, other = png(200), png(330, "video")
    messages = settle(seeing, looked(1, Text("a"), one, Text("b", "audio"), other))
    assert messages[0] == Accepted(1, 2 + 20 + 33, {"audio": 1, "image": 20, "video": 33})
    (shown,) = seeing.pipeline.shown
    assert shown == ("a<ov_genai_image_0>b<ov_genai_image_1>", (one.data, other.data))
    assert deltas(messages)[-1].finish == "stop"


def test_pictures_are_shown_again_after_a_thought(seeing):
    think = Think(3, "(t)", "", "(/t)", "")
    messages = settle(seeing, looked(1, png(200), think=think, tokens_max=10))
    first, second = seeing.pipeline.shown
    assert (first.text, second.text) == (place(0) + "(t)", place(0) + "(t)(ov(/t)")
    assert first.pictures == second.pictures
    assert deltas(messages)[0].kind == "thought"


def test_a_picture_that_cannot_be_shown_costs_its_request(seeing):
    messages = settle(
        seeing,
        looked(1, Picture(b"no")),
        looked(2, png(1000)),
        looked(3, *[png(200)] * 6),
        looked(4, png(40)),
        turns=80,
    )
    refused = {message.id: message for message in messages if isinstance(message, Refused)}
    assert {number: each.kind for number, each in refused.items()} == dict.fromkeys((1, 2, 3), "invalid")
    assert "120 tokens" in refused[3].message
    assert deltas(messages, 4)[-1].finish == "stop"


def test_words_beyond_the_window_are_refused_before_the_library_sees_them(seeing):
    weighed = []
    seeing.worker._scales._weigh = lambda text, sizes: weighed.append(text) or 1
    (refused,) = settle(seeing, looked(1, Text("x" * 400)), turns=3)
    assert not any("xx" in text for text in weighed)
    assert (refused.kind, refused.tokens, refused.tokens_max) == ("too_long", 400, 299)


def test_looking_at_pictures_does_not_stop_the_other_answers(seeing, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("geminid.engines.openvino.worker.time.monotonic", lambda: next(clock))
    seeing.send(*[looked(number, png(40)) for number in range(1, 4)])
    begun = []
    for _ in range(6):
        seeing.turn()
        begun.append(len(seeing.pipeline.shown))
    assert begun[-1] == 3
    assert begun[:3] == [1, 2, 3]


def test_a_step_tells_which_requests_were_begun_and_how_long_they_waited(bench, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("geminid.engines.openvino.worker.time.monotonic", lambda: now[0])
    bench.worker._sequences_max = 1
    bench.send(submit(1, "a", tokens_max=1), submit(2, "b", tokens_max=1))
    begun = {}
    for _ in range(20):
        for message in bench.turn():
            if isinstance(message, Stepped):
                assert not begun.keys() & message.begun.keys()
                begun |= message.begun
        now[0] += 0.5
    assert begun[1] == 0
    assert begun[2] >= 500
