"""Lines of batches in the engine process: read in pieces, set aside, gone on with, told once."""

import random
from itertools import pairwise

import pytest

from fake_pipeline import FakePipeline
from geminid.core.events import TokenLogprob
from geminid.core.request import Sampling
from geminid.engines.openvino.background import STARTS_MAX, THROUGH_MAX, Background, merged
from geminid.engines.openvino.messages import CallForm, Conversation, Delta, Message, Submit, Think
from geminid.engines.openvino.writing import Opened, Opening, Spelling, Writing

GREEDY = Sampling(temperature=0.0)


class Bench:
    """Lines over a pipeline that writes ``answer`` behind every prompt, however much of it is prompt already.

    The tokens that a step computes are counted as the library would: found are whole blocks of what was computed.
    """

    def __init__(self, answer="", step_max=256):
        self.answer = answer
        self.pipeline = FakePipeline(self.respond)
        self.spelling = Spelling(self.pipeline)
        self.lines = Background(self.pipeline, self.prepare, self.begin, step_max)
        self.asked, self.refused, self.told = {}, [], []

    def respond(self, prompt, draw):
        base = max((p for p in self.asked.values() if prompt.startswith(p)), key=len, default=None)
        return "" if base is None else (self.answer or base)[len(prompt) - len(base) :]

    def prepare(self, submit):
        (message,) = submit.conversation.messages
        if message.content == "refuse me":
            self.refused.append(submit.id)
            return None
        opened = Opened(message.content, self.pipeline.encode(message.content), "")
        return Opening(submit, opened, submit.tokens_max, 0.0)

    def begin(self, opening, candidate):
        if opening.opened.text == "fail":
            self.refused.append(opening.submit.id)
            self.lines.cancel(opening.submit.id)
            return None
        submit, opened, tokens_max, _ = opening
        return Writing(submit, candidate, opened, tokens_max, self.pipeline, self.spelling)

    def take(self, number, text, **fields):
        self.asked[number] = text
        given = {"sampling": GREEDY, "candidates": 1, "tokens_max": 500, "urgency": 3, **fields}
        self.lines.take(Submit(id=number, conversation=Conversation((Message("user", text),)), **given))

    def turn(self, allowance):
        spent = self.lines.turn(allowance)
        if self.pipeline.busy():
            self.pipeline.step()
        self.told += self.lines.deltas()
        return spent

    def run(self, allowances):
        for allowance in allowances:
            if not self.lines.waits:
                return
            self.turn(allowance)
        assert not self.lines.waits

    def said(self, number, candidate=0):
        return "".join(d.text for d in self.told if (d.id, d.candidate) == (number, candidate))


def test_lines_are_told_of_once_and_whole_when_they_have_ended():
    bench = Bench()
    bench.take(1, "abc")
    bench.take(2, "defgh", logprobs=True)
    bench.run([50] * 20)
    assert [(d.id, d.text, d.tokens, d.finish) for d in bench.told] == [
        (1, "abc", 3, "stop"),
        (2, "defgh", 5, "stop"),
    ]
    assert len(bench.told[1].logprobs) == 5


def test_a_line_that_is_set_aside_goes_on_where_it_was():
    bench = Bench("a long answer that takes some steps")
    bench.take(1, "Q")
    for _ in range(6):
        bench.turn(50)
    bench.turn(0)
    assert not bench.pipeline.busy()
    assert len(bench.lines) == 0
    bench.run([50] * 60)
    assert bench.said(1) == bench.answer
    assert bench.told[0].tokens == len(bench.answer)
    assert bench.pipeline.prompts == ["Q", "Qa long"[: 1 + 6]]


@pytest.mark.parametrize(
    "fields",
    [
        {"grammar": "g"},
        {"sampling": Sampling(temperature=1.0, seed=7)},
        {"sampling": Sampling(temperature=0.0, frequency_penalty=0.5)},
    ],
)
def test_a_line_that_cannot_be_continued_begins_again_and_says_nothing_twice(fields):
    bench = Bench("a long answer that takes some steps")
    bench.take(1, "Q", **fields)
    for _ in range(6):
        bench.turn(50)
    bench.turn(0)
    bench.run([50] * 60)
    assert (bench.said(1), len(bench.told)) == (bench.answer, 1)
    assert bench.pipeline.prompts == ["Q", "Q"]


def test_lines_that_had_to_begin_again_too_often_run_through_but_only_a_few_of_them():
    bench = Bench("x" * 100)
    for number in range(4):
        bench.take(number, "Q" + "abcd"[number], grammar="g")
    for _ in range(STARTS_MAX):
        bench.turn(50)
        bench.turn(50)
        bench.turn(0)
    assert len(bench.lines) == THROUGH_MAX
    bench.run([0, 0, 0, 50] * 200)
    assert [bench.said(number) for number in range(4)] == ["x" * 100] * 4


def test_a_prompt_is_read_in_pieces_that_end_with_blocks_and_is_in_no_step_longer_than_allowed():
    bench = Bench("yes")
    bench.take(1, "p" * 300)
    spent = [bench.turn(64) for _ in range(8)]
    lengths = [len(prompt) for prompt in bench.pipeline.prompts]
    assert lengths == [64, 128, 192, 256, 300]
    assert all(each <= 64 for each in spent)
    bench.run([64] * 5)
    assert bench.said(1) == "yes"


def test_others_wait_for_a_piece_at_most_and_the_reading_goes_on_behind_it():
    bench = Bench("yes")
    bench.take(1, "p" * 300)
    bench.turn(128)
    for _ in range(3):
        bench.turn(0)
    assert [len(prompt) for prompt in bench.pipeline.prompts] == [128]
    bench.run([128] * 9)
    assert [len(prompt) for prompt in bench.pipeline.prompts] == [128, 256, 300]


def test_a_block_is_read_even_where_short_lines_leave_less_room():
    bench = Bench("y" * 90)
    for number in range(5):
        bench.take(number, f"{number}")
    bench.turn(20)
    bench.take(9, "p" * 100)
    bench.run([20] * 300)
    assert len(bench.told) == 6


def test_lines_that_begin_like_one_that_is_being_read_wait_until_they_find_it():
    bench = Bench("yes")
    for number in range(3):
        bench.take(number, "i" * 200 + str(number))
    bench.turn(1000)
    assert len(bench.pipeline.prompts) == 1
    bench.turn(30)
    assert [len(prompt) for prompt in bench.pipeline.prompts] == [201, 201, 201]
    bench.run([30] * 20)
    assert len(bench.told) == 3


def test_candidates_are_begun_when_all_but_little_of_their_prompt_is_read():
    bench = Bench("yes")
    bench.take(1, "p" * 100, candidates=3)
    bench.run([120] * 20)
    assert [len(prompt) for prompt in bench.pipeline.prompts] == [96, 100, 100, 100]
    assert [bench.said(1, each) for each in range(3)] == ["yes"] * 3


@pytest.mark.parametrize("step_max", [64, 256])
def test_no_step_computes_more_than_it_can_in_one_go(step_max):
    bench = Bench("yes", step_max=step_max)
    for number in range(200):
        bench.take(number, "i" * 64 + f"{number} " * 8)
    spent = []
    while bench.lines.waits:
        spent.append(bench.turn(step_max))
    assert max(spent) <= step_max
    assert len(bench.told) == 200


def test_whole_steps_are_filled_to_the_last_token_and_the_rest_is_counted_in_the_next():
    bench = Bench("y", step_max=256)
    for number in range(300):
        bench.take(number, f"{number:03d}" + "x" * 38)  # 41 tokens, of which none is found
    spent = [bench.turn(256) for _ in range(30)]
    assert set(spent) == {256}
    # A line takes 41 tokens to read and one step more to end in; nothing is begun that would not fit into two.
    begun = len(bench.pipeline.prompts)
    assert abs(begun * 43 - 30 * 256) <= 256


def test_projects_take_turns():
    bench = Bench("yes")
    for number in range(6):
        bench.take(number, f"{number}", project="many")
    bench.take(9, "few", project="few")
    bench.turn(3)
    bench.turn(10)
    assert "few" in bench.pipeline.prompts[:3]


def test_what_is_refused_or_fails_costs_nobody_else_anything():
    bench = Bench("yes")
    for number, text in enumerate(["refuse me", "fail", "ok"]):
        bench.take(number, text)
    bench.run([50] * 10)
    assert (bench.refused, bench.said(2)) == ([0, 1], "yes")


def test_no_more_lines_are_begun_when_that_is_said():
    bench = Bench("yes")
    bench.take(1, "a")
    assert bench.lines.turn(50, lambda: True) == 0
    assert not bench.pipeline.busy()
    bench.run([50] * 9)
    assert bench.said(1) == "yes"


def test_stretches_of_different_kinds_are_told_apart():
    bench = Bench()
    bench.pipeline.respond = lambda prompt, draw: "why" if prompt.endswith("<t>") else "so"
    bench.take(1, "Q", think=Think(9, "<t>", "", "</t>", ""))
    bench.run([50] * 20)
    assert [(d.kind, d.text, d.tokens, d.finish) for d in bench.told] == [
        ("thought", "why", 3, ""),
        ("text", "so", 2, "stop"),
    ]


def test_an_answer_is_the_same_however_often_it_is_set_aside_between_its_stretches():
    calls = CallForm("<call>", "{", at_start=False, forced=False, grammar="g", between=";<call>{")
    for seed in range(30):
        chance = random.Random(seed)
        bench = Bench()

        def respond(prompt, draw):
            whole = "a}" if draw.grammar else "I see <call>"
            return whole if draw.grammar else whole[len(prompt) - 1 :]

        bench.pipeline.respond = respond
        bench.take(1, "Q", calling=calls)
        bench.run([chance.choice([0, 40]) for _ in range(30)] + [40] * 30)
        assert [(d.kind, d.text) for d in bench.told] == [("text", "I see "), ("call", "a}")], seed


@pytest.mark.parametrize("seed", range(25))
def test_random_days_every_line_is_told_of_once_and_nothing_is_left(seed):
    chance = random.Random(seed)
    bench = Bench(step_max=chance.choice([1, 20, 64, 256]))
    cancelled, taken = set(), 0
    allowances = [chance.choice([0, 0, 1, 32, 40, 256]) for _ in range(300)]
    for allowance in allowances:
        while chance.random() < 0.3:
            taken += 1
            text = chance.choice(["s" * 40, "t" * 7, "u" * 150, "fail", "refuse me"]) + ""
            text = text if text in ("fail", "refuse me") else text + str(taken)
            bench.take(
                taken,
                text,
                candidates=chance.choice([1, 1, 2]),
                grammar=chance.choice(["", "g"]),
                project=chance.choice("ab"),
            )
        if taken and chance.random() < 0.1:
            cancelled.add(left := chance.randint(1, taken))
            bench.lines.cancel(left)
        assert bench.turn(allowance) <= max(allowance, 0) + 32 * 2
    bench.run([256] * 40_000)
    assert not bench.pipeline.busy()
    for number in range(1, taken + 1):
        ends = [d.candidate for d in bench.told if d.id == number and d.finish]
        assert len(set(ends)) == len(ends)
        if number not in cancelled and number not in bench.refused:
            assert ends
            assert {bench.said(number, each) for each in ends} == {bench.asked[number]}


def test_deltas_are_joined_by_their_kind():
    probabilities = [TokenLogprob(each, 1, -1.0) for each in "abc"]
    parts = [
        Delta(1, 0, "a", 1, "", (probabilities[0],), "thought"),
        Delta(1, 0, "b", 2, "", (probabilities[1],), "thought"),
        Delta(1, 0, "c", 3, "max_tokens", (probabilities[2],), "text"),
    ]
    joined = list(merged(parts))
    assert joined == [Delta(1, 0, "ab", 3, "", tuple(probabilities[:2]), "thought"), parts[2]]
    assert all(one.kind != other.kind for one, other in pairwise(joined))
