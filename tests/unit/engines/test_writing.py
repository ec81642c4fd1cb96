"""One answer through its stretches: thinking, speaking, calling, choosing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_pipeline import FakePipeline
from geminid.core.request import Sampling
from geminid.engines.openvino.messages import CallForm, Conversation, Submit, Think
from geminid.engines.openvino.writing import Opened, Spelling, Terms, Writing

CALLS = CallForm("<call>", "{", at_start=False, forced=False, grammar="calls", between=";<call>{")


def submit(**fields):
    defaults = {"sampling": Sampling(temperature=0.0, seed=1), "candidates": 1, "tokens_max": 60}
    return Submit(id=1, conversation=Conversation(()), **{**defaults, **fields})


def write(pipeline, asked, prompt="Q", behind=""):
    """Return the deltas of one answer."""
    opened = Opened(prompt, pipeline.encode(prompt), behind)
    writing = Writing(asked, 0, opened, asked.tokens_max, pipeline, Spelling(pipeline))
    deltas = []
    while not deltas or not deltas[-1].finish:
        assert pipeline.busy(), deltas
        pipeline.step()
        if delta := writing.read():
            deltas.append(delta)
    return deltas


def said(deltas, kind="text"):
    return "".join(delta.text for delta in deltas if delta.kind == kind)


def tokens(deltas, kind):
    return sum(delta.tokens for delta in deltas if delta.kind == kind)


# -- thinking ------------------------------------------------------------------------------------------


def test_a_model_with_markers_thinks_then_answers():
    pipeline = FakePipeline(lambda prompt, draw: "hm</t>ignored" if prompt.endswith("<t>") else "yes")
    deltas = write(pipeline, submit(think=Think(20, "<t>", "</t>", "\n</t>\n", "")))
    assert (said(deltas, "thought"), said(deltas)) == ("hm", "yes")
    assert pipeline.prompts == ["Q<t>", "Q<t>hm</t>\n"]
    assert deltas[-1].finish == "stop"


def test_an_opening_that_the_template_wrote_is_not_written_twice():
    pipeline = FakePipeline(lambda prompt, draw: "x")
    write(pipeline, submit(think=Think(5, "<t>\n", "</t>", "</t>", "")), prompt="Q<t>\n")
    assert pipeline.prompts[0] == "Q<t>\n"


def test_a_thought_is_cut_at_its_budget_and_closed():
    pipeline = FakePipeline(lambda prompt, draw: "y" * 50)
    deltas = write(pipeline, submit(think=Think(7, "<t>", "</t>", "|</t>|", "")))
    assert tokens(deltas, "thought") == 7
    assert pipeline.prompts[1] == "Q<t>" + "y" * 7 + "|</t>|"


def test_markers_that_are_control_tokens_are_seen():
    pipeline = FakePipeline(lambda prompt, draw: "hm<mark>tail" if prompt == "Q" else "yes")
    deltas = write(pipeline, submit(think=Think(20, "", "<mark>", "<mark>!", "")))
    assert (said(deltas, "thought"), said(deltas)) == ("hm", "yes")
    assert pipeline.prompts[1] == "Qhm<mark>!"


def test_a_model_without_markers_is_asked_again_for_the_answer():
    pipeline = FakePipeline(lambda prompt, draw: "because" if prompt.endswith("step.") else "42")
    deltas = write(
        pipeline, submit(think=Think(30, "step.", "", "", "now answer")), behind="|user: now answer|"
    )
    assert (said(deltas, "thought"), said(deltas)) == ("because", "42")
    assert pipeline.prompts[1] == "Qstep.because|user: now answer|"


def test_an_untrained_model_that_thinks_in_circles_is_stopped():
    pipeline = FakePipeline(lambda prompt, draw: "a\nb\n\na\nb\na\n" if prompt == "Q" else "yes")
    deltas = write(pipeline, submit(think=Think(50, "", "", "|", "", repeats=False)))
    assert said(deltas, "thought") == "a\nb\n\na\n"
    assert pipeline.prompts[1] == "Qa\nb\n\na\n|"
    deltas = write(pipeline, submit(think=Think(50, "", "", "|", "")))
    assert said(deltas, "thought") == "a\nb\n\na\nb\na\n"


def test_the_answer_after_a_thought_is_not_empty():
    pipeline = FakePipeline(lambda prompt, draw: "x")
    write(pipeline, submit(think=Think(5, "<t>", "</t>", "</t>", "")))
    assert [draw.tokens_min for draw in pipeline.draws] == [0, 1]


def test_a_model_that_would_think_is_made_not_to():
    pipeline = FakePipeline(lambda prompt, draw: "x")
    write(pipeline, submit(skip="<t></t>"))
    assert pipeline.prompts == ["Q<t></t>"]


@given(budget=st.integers(0, 100), tokens_max=st.integers(1, 60), thought=st.text(max_size=40))
def test_thoughts_keep_to_their_budget_and_leave_half_to_the_answer(budget, tokens_max, thought):
    pipeline = FakePipeline(lambda prompt, draw: thought if prompt.endswith("<t>") else "a" * 100)
    think = Think(budget, "<t>", "</t>", "</t>", "")
    deltas = write(pipeline, submit(think=think, tokens_max=tokens_max))
    assert tokens(deltas, "thought") <= min(budget, tokens_max // 2)
    assert tokens(deltas, "text") >= 1
    assert tokens(deltas, "thought") + tokens(deltas, "text") <= tokens_max


# -- calls ---------------------------------------------------------------------------------------------


def test_an_announced_call_is_written_under_its_grammar():
    pipeline = FakePipeline(lambda prompt, draw: "a}" if draw.grammar else "I see <call>whatever")
    deltas = write(pipeline, submit(calling=CALLS))
    assert (said(deltas), said(deltas, "call")) == ("I see ", "a}")
    assert pipeline.prompts[1] == "QI see <call>{"
    assert [draw.grammar for draw in pipeline.draws] == ["", "calls"]
    assert deltas[-1].finish == "stop"


def test_a_marker_inside_of_an_answer_in_json_is_text():
    pipeline = FakePipeline(lambda prompt, draw: "x" if draw.grammar == "calls" else '{"a": "<call>"}')
    deltas = write(pipeline, submit(calling=CALLS, grammar="json"))
    assert said(deltas) == '{"a": "<call>"}'


def test_what_a_template_has_written_of_the_skipped_thought_is_not_written_twice():
    pipeline = FakePipeline(lambda prompt, draw: "x")
    write(pipeline, submit(skip="<t>\n\n</t>\n"), prompt="Q<t>\n")
    assert pipeline.prompts == ["Q<t>\n\n</t>\n"]


def test_a_forced_call_is_written_at_once():
    pipeline = FakePipeline(lambda prompt, draw: "a}")
    deltas = write(pipeline, submit(calling=_forced(CALLS)))
    assert pipeline.prompts == ["Q<call>{"]
    assert (said(deltas), said(deltas, "call")) == ("", "a}")


def test_a_call_may_follow_a_thought():
    pipeline = FakePipeline(lambda prompt, draw: "a}" if draw.grammar else "hm")
    deltas = write(pipeline, submit(think=Think(9, "<t>", "</t>", "</t>", ""), calling=_forced(CALLS)))
    assert (said(deltas, "thought"), said(deltas, "call")) == ("hm", "a}")
    assert pipeline.prompts[1] == "Q<t>hm</t><call>{"


def test_a_marker_that_means_a_call_only_at_the_start_is_text_later_on():
    at_start = CallForm("{", "", at_start=True, forced=False, grammar="calls", between="{")
    pipeline = FakePipeline(lambda prompt, draw: "x}" if draw.grammar else "use {this}")
    assert said(write(pipeline, submit(calling=at_start))) == "use {this}"
    pipeline = FakePipeline(lambda prompt, draw: "x}" if draw.grammar else " {ignored")
    assert said(write(pipeline, submit(calling=at_start)), "call") == "x}"


def test_an_untrained_model_that_repeats_a_call_is_stopped():
    once = CallForm("<call>", "{", at_start=False, forced=True, grammar="g", between=";", repeats=False)
    pipeline = FakePipeline(lambda prompt, draw: "a;b;a;b;a;b;a;b")
    deltas = write(pipeline, submit(calling=once))
    assert said(deltas, "call") == "a;b;a;"
    assert deltas[-1].finish == "stop"
    assert not any(not answer.cancelled for answer in pipeline.answers)


def test_the_callers_stop_strings_hold_in_the_text_and_not_in_calls():
    pipeline = FakePipeline(lambda prompt, draw: "END}" if draw.grammar else "one<call>")
    deltas = write(pipeline, submit(calling=CALLS, stop=("END",)))
    assert (said(deltas), said(deltas, "call")) == ("one", "END}")


def test_a_call_that_is_announced_with_the_last_token_is_cut_off():
    pipeline = FakePipeline(lambda prompt, draw: "x}" if draw.grammar else "<call>")
    assert write(pipeline, submit(calling=CALLS, tokens_max=6))[-1].finish == "max_tokens"


# -- labels --------------------------------------------------------------------------------------------


def test_a_label_is_complete_as_soon_as_no_other_is_meant():
    pipeline = FakePipeline(lambda prompt, draw: "positive")
    deltas = write(pipeline, submit(labels=("positive", "negative"), grammar="g"))
    assert [(delta.text, delta.tokens, delta.finish) for delta in deltas] == [("positive", 1, "stop")]


def test_a_label_that_begins_another_is_waited_for():
    pipeline = FakePipeline(lambda prompt, draw: "spam")
    deltas = write(pipeline, submit(labels=("spam", "spam-likely", "ham"), grammar="g"))
    assert (said(deltas), deltas[-1].finish) == ("spam", "stop")


def test_every_label_has_a_probability_and_they_sum_to_one():
    labels = ("no", "yes!", "maybe so")
    pipeline = FakePipeline(lambda prompt, draw: draw.grammar.split('"')[1])
    (delta,) = write(pipeline, submit(labels=labels, grammar="g", logprobs=True))
    (told,) = delta.logprobs
    assert delta.text == told.token == "no"  # each token costs 0.5 here: the shortest is the likeliest
    assert [each.token for each in told.alternatives] == ["no", "yes!", "maybe so"]
    assert math.isclose(sum(math.exp(each.logprob) for each in told.alternatives), 1)
    assert told.alternatives[1].logprob - told.alternatives[0].logprob == pytest.approx(-1.0)


def test_where_a_label_begins_another_the_end_of_the_turn_counts_too():
    pipeline = FakePipeline(lambda prompt, draw: draw.grammar.split('"')[1])
    (delta,) = write(pipeline, submit(labels=("a", "ab"), grammar="g", logprobs=True))
    first, second = delta.logprobs[0].alternatives
    assert first.logprob - second.logprob == pytest.approx(0.5)


def test_temperature_draws_among_labels():
    pipeline = FakePipeline(lambda prompt, draw: draw.grammar.split('"')[1])
    drawn = {
        write(
            pipeline,
            submit(
                labels=("a", "b"), grammar="g", logprobs=True, sampling=Sampling(temperature=1.0, seed=seed)
            ),
        )[-1].text
        for seed in range(20)
    }
    assert drawn == {"a", "b"}


def _forced(calls):
    return CallForm(calls.begin, calls.opening, calls.at_start, True, calls.grammar, calls.between)


# -- giving way ----------------------------------------------------------------------------------------


def begun(asked, prompt="Q"):
    pipeline = FakePipeline(lambda prompt, draw: "some words")
    writing = Writing(
        asked, 0, Opened(prompt, pipeline.encode(prompt), ""), asked.tokens_max, pipeline, Spelling(pipeline)
    )
    return pipeline, writing


@pytest.mark.parametrize(
    ("fields", "resumable"),
    [
        ({}, True),
        ({"sampling": Sampling(temperature=0.0, seed=3)}, True),
        ({"sampling": Sampling(temperature=0.9)}, True),
        ({"sampling": Sampling(temperature=0.9, seed=3)}, False),
        ({"sampling": Sampling(temperature=0.9, top_p=0.0, seed=3)}, True),
        ({"sampling": Sampling(temperature=0.0, presence_penalty=0.1)}, False),
        ({"sampling": Sampling(temperature=0.0, frequency_penalty=0.1)}, False),
        ({"grammar": "g"}, False),
        ({"labels": ("a", "b"), "logprobs": True}, False),
    ],
)
def test_only_what_would_be_written_the_same_way_is_continued(fields, resumable):
    assert begun(submit(**fields))[1].resumable is resumable


def test_the_rest_is_bounded_by_what_is_left_and_draws_other_numbers():
    pipeline, writing = begun(submit(sampling=Sampling(temperature=0.9), tokens_max=20))
    for _ in range(4):
        pipeline.step()
        writing.read()
    writing.cancel()
    writing.resume()
    first, second = pipeline.draws
    assert pipeline.prompts[1] == "Qsome"
    assert (first.tokens_max, second.tokens_max) == (20, 16)
    assert first.sampling.seed != second.sampling.seed


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 5000), min_size=2, max_size=5, unique=True))
def test_no_two_continuations_of_an_answer_draw_the_same_numbers(seed, places):
    terms = Terms(Sampling(temperature=1.0, seed=seed), 6000, tokens_min=2)
    seeds = [terms.after(place).sampling.seed for place in (0, *places)]
    assert len(set(seeds)) == len(seeds)
    assert terms.after(1).tokens_min == 1
