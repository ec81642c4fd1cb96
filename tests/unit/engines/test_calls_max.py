"""A caller may want fewer calls in one answer than the model's form allows."""

import pytest

import make
from geminid.core.events import fold
from geminid.core.forms import TOOL_FORMS
from geminid.core.request import Tool
from geminid.engines.calls import calls_grammar, tool_form
from geminid.engines.script import Rule, ScriptedCall
from geminid.engines.scripted import ScriptedEngine

TOOLS = (Tool("now"), Tool("then"))


@pytest.mark.parametrize("form", TOOL_FORMS)
@pytest.mark.parametrize(("wanted", "most"), [(None, 16), (1, 1), (2, 2), (99, 16)])
def test_the_form_allows_no_more_calls_than_are_wanted(form, wanted, most):
    card = make.card(tool_form=form)
    found = tool_form(card, make.request(tools=TOOLS, calls_max=wanted))
    assert found.calls_max == min(most, TOOL_FORMS[form].calls_max)


def test_one_call_leaves_no_room_for_another_in_the_grammar():
    card = make.card(tool_form="hermes")
    several = calls_grammar(tool_form(card, make.request(tools=TOOLS)), TOOLS)
    single = calls_grammar(tool_form(card, make.request(tools=TOOLS, calls_max=1)), TOOLS)
    assert several.count("<tool_call>") > single.count("<tool_call>") == 0


async def test_the_scripted_engine_keeps_to_it():
    rule = Rule(calls=(ScriptedCall(name="now"), ScriptedCall(name="then")))
    request = make.request(tools=TOOLS, calls_max=1)
    async with ScriptedEngine((rule,)).generate(make.card(), request) as events:
        answer = await fold(events)
    assert [call.name for call in answer.candidates[0].calls] == ["now"]
