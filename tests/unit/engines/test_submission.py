"""What the engine process is told to do."""

import pytest

import make
from geminid.core.card import ThinkingCard
from geminid.core.content import Picture, ToolResult, Turn
from geminid.core.errors import InvalidArgument
from geminid.core.forms import THINKING_FORMS, TOOL_FORMS
from geminid.core.request import EnumOutput, JsonOutput, Thinking, Tool
from geminid.engines.openvino.submission import plan

OUTPUT = JsonOutput('root ::= "{}"\n')
TOOLS = (Tool("f"),)


def test_a_plain_request_is_a_plain_submission():
    planned = plan(make.card(), make.request(tokens_max=9, stop=("x",)))
    submit = planned.submit
    assert (submit.tokens_max, submit.stop, submit.think, submit.calling) == (9, ("x",), None, None)
    assert (submit.grammar, submit.labels, planned.grammars) == ("", (), ())


@pytest.mark.parametrize("form", THINKING_FORMS)
def test_every_form_of_thinking_can_be_asked_for(form):
    card = make.card(context_tokens_max=1000, thinking=ThinkingCard(form=form))
    think = plan(card, make.request(thinking=Thinking(level="low"))).submit.think
    assert think.budget == 128
    assert bool(think.follow_up) != bool(think.closing)


def test_functions_come_with_their_grammar_and_text_stays_free():
    planned = plan(make.card(), make.request(tools=TOOLS))
    assert not planned.submit.calling.forced
    assert planned.submit.grammar == ""
    assert planned.grammars == (planned.submit.calling.grammar,)


def test_a_call_that_must_be_made_leaves_no_text():
    submit = plan(make.card(), make.request(tools=TOOLS, call_mode="any")).submit
    assert submit.calling.forced


def test_an_answer_in_json_may_be_a_call_instead():
    submit = plan(make.card(), make.request(tools=TOOLS, output=OUTPUT)).submit
    assert submit.grammar == 'root ::= answer | "<tool_call>"\nanswer ::= "{}"\n'


@pytest.mark.parametrize("form", TOOL_FORMS)
def test_a_call_without_a_marker_is_not_offered_where_json_may_come(form):
    card = make.card(tool_form=form)
    assert plan(card, make.request(tools=TOOLS, output=OUTPUT)).submit.calling.begin == "<tool_call>"
    forced = plan(card, make.request(tools=TOOLS, output=OUTPUT, call_mode="any"))
    assert forced.form == TOOL_FORMS[form]


def test_labels_go_along_with_their_grammar():
    submit = plan(make.card(), make.request(output=EnumOutput('root ::= "a"\n', ("a",)))).submit
    assert (submit.labels, submit.grammar) == (("a",), 'root ::= "a"\n')


def test_tiers_are_urgencies():
    urgencies = [
        plan(make.card(), make.request(tier=tier)).submit.urgency for tier in ("priority", "standard", "flex")
    ]
    assert urgencies == sorted(urgencies)
    assert len(set(urgencies)) == 3


def test_more_labels_than_can_be_scored_are_refused():
    output = EnumOutput("g", tuple(map(str, range(300))))
    assert plan(make.card(), make.request(output=output)).submit.labels
    with pytest.raises(InvalidArgument, match="at most 256 labels, not 300"):
        plan(make.card(), make.request(output=output, logprobs=True))
    few = EnumOutput("g", tuple(map(str, range(40))))
    with pytest.raises(InvalidArgument, match="at most 256 labels, not 320"):
        plan(make.card(), make.request(output=few, logprobs=True, candidates=8))


def test_labels_with_probabilities_leave_no_room_for_calls():
    with pytest.raises(InvalidArgument, match="functions"):
        plan(make.card(), make.request(output=EnumOutput("g", ("a",)), logprobs=True, tools=TOOLS))


def test_labels_are_scored_with_few_looks_at_pictures_only():
    def asked(labels, pictures):
        shown = ToolResult("f", {}, parts=(Picture(b""),) * pictures)
        output = EnumOutput("g", tuple(map(str, range(labels))))
        return make.request(turns=(Turn("user", (Picture(b""), shown)),), output=output, logprobs=True)

    card = make.card(sees=True)
    assert plan(card, asked(16, 3)).submit.logprobs
    with pytest.raises(InvalidArgument, match="68 looks, at most 64"):
        plan(card, asked(17, 3))
