"""Function calls as models write them, by every form."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import ToolCall
from geminid.core.errors import InvalidArgument
from geminid.core.forms import TOOL_FORMS, ToolForm
from geminid.core.request import Tool
from geminid.engines.calls import CallReader, call_text, calls_grammar

GENERAL = TOOL_FORMS["general"]
FORMS = pytest.mark.parametrize("form", TOOL_FORMS.values(), ids=TOOL_FORMS)
ARGS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9) | st.lists(st.booleans()))


def reader(form=GENERAL):
    numbers = itertools.count(1)
    return CallReader(form, lambda: f"id{next(numbers)}")


def behind(form, *calls):
    """What the model writes after the first ``begin`` and ``opening``."""
    return form.separator.join(call_text(form, call) for call in calls)[len(form.begin + form.opening) :]


@FORMS
@given(args=st.lists(ARGS, min_size=1, max_size=3), cut=st.integers(1, 7))
def test_what_is_written_is_read_back_however_it_arrives(form: ToolForm, args, cut):
    calls = [ToolCall(f"f{number}", each) for number, each in enumerate(args)]
    text, reading = behind(form, *calls), reader(form)
    read = [
        call for start in range(0, len(text), cut) for call, _ in reading.put(text[start : start + cut], 1)
    ]
    assert [(call.name, call.args) for call in read] == [(call.name, call.args) for call in calls]
    assert len({call.id for call in read}) == len(calls)


def test_each_call_is_told_with_the_tokens_since_the_one_before():
    reading = reader()
    text = behind(GENERAL, ToolCall("a", {}), ToolCall("b", {"x": 1}))
    told = [(call.name, tokens) for part in (text[:-20], text[-20:]) for call, tokens in reading.put(part, 5)]
    assert [name for name, _ in told] == ["a", "b"]
    assert sum(tokens for _, tokens in told) + reading.unread_tokens == 10


def test_a_call_that_was_cut_off_is_no_call():
    reading = reader()
    text = behind(GENERAL, ToolCall("a", {"x": {"y": 1}}), ToolCall("b", {"text": "and so on"}))
    assert [call.name for call, _ in reading.put(text[: text.index("and so")], 9)] == ["a"]
    assert reading.found == 1


def test_an_untrained_models_repetition_is_told_once_and_a_trained_ones_twice():
    once, twice = reader(), reader(TOOL_FORMS["hermes"])
    call = ToolCall("roll", {"sides": 6})
    assert len(once.put(behind(GENERAL, call, call), 1)) == 1
    assert len(twice.put(behind(TOOL_FORMS["hermes"], call, call), 1)) == 2


def test_two_calls_of_one_function_have_two_ids():
    calls = [ToolCall("w", {"city": "Paris"}), ToolCall("w", {"city": "Rome"})]
    assert [call.id for call, _ in reader().put(behind(GENERAL, *calls), 1)] == ["id1", "id2"]


@FORMS
def test_the_grammar_names_every_function_and_is_made_once(form: ToolForm):
    tools = (Tool("a", parameters={"type": "object", "properties": {"x": {"type": "integer"}}}), Tool("b"))
    grammar = calls_grammar(form, tools)
    assert grammar.startswith("root ::= ")
    assert json.dumps('"a"')[1:-1] in grammar
    assert json.dumps(f'"b", "{form.args_key}": {{}}')[1:-1] in grammar
    assert calls_grammar(form, tools) is grammar


def test_functions_that_are_too_much_together_are_refused_with_their_path():
    long = {
        "type": "object",
        "properties": {"x": {"type": "string", "pattern": "^[^a]{60}$"}},
        "required": ["x"],
    }
    tools = tuple(
        Tool(
            f"f{number}",
            parameters={**long, "properties": {"x": {"type": "string", "pattern": f"^[^{c}]{{90}}$"}}},
        )
        for number, c in enumerate("abcdefghij")
    )
    with pytest.raises(InvalidArgument) as caught:
        calls_grammar(GENERAL, tools)
    assert caught.value.violations[0].field == "tools"
