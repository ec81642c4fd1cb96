"""The loop of the engine process, with a pipeline of our own making: random arrivals and cancellations."""

import io
import random
from collections import Counter

import msgspec
import pytest
from PIL import Image

from engine_bench import LOAD, Bench, asked, submit
from fake_pipeline import FakePipeline
from geminid.core.content import Picture, Text
from geminid.engines.openvino.eyes import place
from geminid.engines.openvino.messages import (
    Accepted,
    Cancel,
    Conversation,
    Count,
    Counted,
    Drop,
    Found,
    Keep,
    Kept,
    Message,
    Refused,
    Stepped,
    Think,
)
from geminid.engines.openvino.pipeline import BadPicture
from geminid.process.inbox import HungUp


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.close()


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


# -- lines of batches ----------------------------------------------------------------------------------


def test_lines_of_batches_run_where_nobody_else_is_and_are_told_at_their_end(bench):
    messages = settle(bench, submit(1, "line", urgency=3))
    assert messages[0] == Accepted(1, 4)
    assert [(delta.text, delta.tokens, delta.finish) for delta in deltas(messages)] == [("line", 4, "stop")]


def test_a_line_gives_way_at_once_and_goes_on_when_nobody_is_left(bench):
    wide = msgspec.structs.replace(LOAD, batch_tokens_max=64)
    bench = Bench(wide)
    line = submit(1, "a rather long line", urgency=3)
    settle(bench, line, turns=5)
    got = settle(bench, submit(2, "hello"), turns=1)
    assert [(delta.id, delta.text) for delta in deltas(got, 2)] == [(2, "h")]
    assert len(bench.pipeline.answers) == 1
    messages = settle(bench, turns=80)
    assert "".join(delta.text for delta in deltas(messages, 2)) == "ello"
    (told,) = deltas(messages, 1)
    assert (told.finish, told.text[:5]) == ("stop", "a rat")
    bench.close()


def test_whoever_comes_is_prepared_before_every_line_that_waits(bench):
    begun = []
    bench.pipeline.respond = lambda prompt, draw: begun.append(prompt) or "ab"
    settle(
        bench, *[submit(number, "line", urgency=3) for number in range(1, 30)], submit(30, "person"), turns=1
    )
    assert begun == ["person"]


def test_a_line_whose_batch_was_cancelled_is_forgotten_wherever_it_is(bench):
    load = msgspec.structs.replace(LOAD, batch_tokens_max=2)  # one line at a time
    bench = Bench(load)
    settle(bench, *[submit(number, "line" * 5, urgency=3) for number in (1, 2, 3)], turns=4)
    messages = settle(bench, Cancel(1), Cancel(3), turns=80)
    assert [delta.id for message in messages for delta in getattr(message, "deltas", [])] == [2]
    assert not bench.worker._lines.waits
    bench.close()


@pytest.mark.parametrize("seed", range(10))
def test_people_and_lines_in_any_order_all_end(seed):
    chance = random.Random(seed)
    bench = Bench(msgspec.structs.replace(LOAD, batch_tokens_max=48))
    ends = Counter()

    def turn(count):
        for message in settle(bench, turns=count):
            if isinstance(message, Stepped):
                ends.update(delta.id for delta in message.deltas if delta.finish)

    for number in range(1, 80):
        urgency, text = chance.choice([1, 3, 3]), chance.choice(["a", "b" * 20, "c" * 39])
        bench.send(submit(number, text, urgency=urgency, grammar=chance.choice(["", "g"])))
        turn(chance.randint(0, 4))
    turn(600)
    assert ends == Counter(range(1, 80)), seed
    assert not bench.worker._lines.waits
    bench.close()


def keep(keep_id, words, prefix="p", urgency=1):
    return Keep(keep_id, prefix, (asked(words + "A"), asked(words + "1")), urgency)


def test_a_prefix_is_kept_and_requests_that_name_it_are_told_what_it_makes_up():
    bench = Bench(msgspec.structs.replace(LOAD, context_tokens_max=100, cached_tokens_max=60))
    said = settle(bench, keep(1, "x" * 40), turns=10)
    assert [each for each in said if isinstance(each, Kept)] == [Kept(1, 40)]
    assert bench.pipeline.prompts == ["x" * 32 + "<mark>"]
    said = settle(bench, submit(2, "x" * 40 + "more", prefix="p"), Count(3, asked("x" * 36), "p"), turns=60)
    assert [each.cached_tokens for each in said if isinstance(each, Accepted)] == [40]
    assert [each.cached_tokens for each in said if isinstance(each, Counted)] == [36]
    said = settle(bench, keep(4, "y" * 40, "q"), turns=5)
    said += settle(bench, Drop("p"), keep(5, "z" * 40, "r"), turns=10)
    refused = Refused(id=4, kind="full", tokens=40, tokens_max=60, kept=40)
    assert [each for each in said if isinstance(each, Refused | Kept)] == [refused, Kept(5, 40)]
    bench.close()


def test_prefixes_that_nobody_waits_for_are_computed_when_nobody_wants_anything():
    bench = Bench(msgspec.structs.replace(LOAD, context_tokens_max=100, batch_tokens_max=64))
    said = settle(bench, keep(1, "x" * 40, urgency=3), submit(2, "person"), turns=60)
    assert bench.pipeline.prompts[0] == "person"
    assert bench.pipeline.prompts[-1] == "x" * 32 + "<mark>"
    assert Kept(1, 40) in said
    assert not bench.worker._lines.waits
    bench.close()


def test_a_prefix_that_cannot_be_computed_is_refused_and_nobody_else_is_harmed():
    bench = Bench(msgspec.structs.replace(LOAD, context_tokens_max=100))

    def respond(prompt, draw):
        if prompt.startswith("x"):
            raise RuntimeError
        return "ok"

    bench.pipeline.respond = respond
    said = settle(bench, keep(1, "x" * 40), submit(2, "person"), turns=20)
    assert [each.id for each in said if isinstance(each, Refused)] == [1]
    assert ended(said) == [2]
    bench.close()


def test_what_a_request_found_is_told_beyond_its_prefix_and_only_if_it_is_enough():
    bench = Bench(msgspec.structs.replace(LOAD, context_tokens_max=100, implicit_tokens_min=20))
    bench.pipeline.held = 32
    settle(bench, keep(1, "x" * 24), turns=10)
    requests = [
        submit(2, "y" * 40),
        submit(3, "x" * 24 + "z" * 20, prefix="p"),
        submit(4, "short"),
        submit(5, "y" * 40, candidates=2),
    ]
    said = settle(bench, *requests, turns=60)
    found = [each.found for each in said if isinstance(each, Stepped) and each.found]
    assert {key: value for each in found for key, value in each.items()} == {
        2: Found(32),
        3: Found(8),
        5: Found(32),
    }
    assert sum(map(len, found)) == 3
    bench.close()


def test_what_would_find_more_once_another_prompt_is_read_waits_for_that_and_is_forgotten_when_it_leaves():
    bench = Bench()
    reading = True
    bench.pipeline.awaited = lambda prompt: reading and bool(bench.pipeline.prompts)
    settle(bench, submit(1, "first" * 4), submit(2, "second"), submit(3, "third"), turns=3)
    assert bench.pipeline.prompts == ["first" * 4]
    reading = False
    said = settle(bench, Cancel(3), turns=40)
    assert bench.pipeline.prompts == ["first" * 4, "second"]
    assert sorted(ended(said)) == [1, 2]
    bench.close()


def test_nobody_waits_for_a_prompt_that_is_not_being_read():
    bench = Bench()
    bench.pipeline.awaited = lambda prompt: True
    assert sorted(ended(settle(bench, submit(1, "a"), submit(2, "b", candidates=3), turns=40))) == [
        1,
        2,
        2,
        2,
    ]
    bench.close()


def test_a_request_that_waited_for_another_prompt_is_begun_without_anything_having_to_arrive(bench):
    bench.pipeline.awaited = lambda prompt: bench.pipeline.busy()
    bench.send(submit(1, "a"), submit(2, "b"))
    for _ in range(12):
        bench.worker.turn()
        if len(said := list(bench.received())) and 2 in ended(said):
            return
    raise AssertionError(bench.pipeline.prompts)


def ended(said):
    return [delta.id for each in said if isinstance(each, Stepped) for delta in each.deltas if delta.finish]
