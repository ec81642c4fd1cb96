"""What interactions spell: steps from events, turns from steps."""

from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.errors import FieldViolation, InvalidArgument, Unavailable
from geminid.core.events import (
    Answer,
    Candidate,
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    ThoughtDelta,
    ToolCallMade,
)
from geminid.core.interaction import (
    Fault,
    Step,
    StepBegun,
    ToolAnswered,
    calls_of,
    fault_of,
    steps_of,
    turns_of_step,
)
from geminid.core.usage import Usage

CALL, OTHER = ToolCall("f", {"a": 1}, "c1"), ToolCall("g", {}, "c2")
RESULT = ToolResult("f", {"found": 1}, "c1")
EVENTS = (
    StepBegun("r1"),
    Started(Usage(prompt=5)),
    PrefixFound(2),
    ThoughtDelta("hm", 1),
    TextDelta("a ", 1),
    TextDelta("b", 2),
    ToolCallMade(CALL, 3),
    ToolCallMade(OTHER, 4),
    Finished(FinishReason.STOP, 0, "why"),
    ToolAnswered(RESULT),
)
STEP = Step(
    receipt="r1",
    answer=Answer(
        candidates=(Candidate("a b", FinishReason.STOP, thought="hm", calls=(CALL, OTHER), detail="why"),),
        usage=Usage(prompt=5, cached=2, thoughts=1, candidates=10),
    ),
    results=(RESULT,),
)


def test_events_spell_steps():
    last = (StepBegun("r2"), Started(Usage(prompt=9)), TextDelta("c", 1), Finished(FinishReason.STOP))
    assert steps_of(EVENTS) == (STEP,)
    first, second = steps_of((*EVENTS, *last))
    assert first == STEP
    assert (second.receipt, second.answer.usage) == ("r2", Usage(prompt=9, candidates=1))
    assert steps_of(()) == ()


@given(st.integers(0, len(EVENTS)))
def test_a_step_that_was_cut_off_anywhere_has_what_was_told_until_then(cut):
    told = EVENTS[:cut]
    steps = steps_of(told)
    assert len(steps) == min(cut, 1)
    for step in steps:
        said = step.answer.candidates[0]
        assert said.text == "".join(each.text for each in told if isinstance(each, TextDelta))
        assert step.answer.usage.candidates == sum(
            each.tokens for each in told if isinstance(each, TextDelta | ToolCallMade)
        )
        finished = any(isinstance(each, Finished) for each in told)
        assert said.reason is (FinishReason.STOP if finished else FinishReason.MAX_TOKENS)


def test_calls_wait_until_something_was_given_back_for_them():
    assert calls_of((STEP,)) == (OTHER,)
    assert calls_of(()) == ()


def test_a_step_is_what_the_model_said_and_what_functions_gave_back():
    assert turns_of_step(STEP) == (
        Turn("model", (Thought("hm"), Text("a b"), CALL, OTHER)),
        Turn("user", (RESULT,)),
    )
    silent = Step(receipt="r", answer=Answer(candidates=(Candidate("", FinishReason.STOP),), usage=Usage()))
    assert turns_of_step(silent) == ()


def test_of_a_problem_its_code_words_and_field_are_kept():
    assert fault_of(Unavailable("later")) == Fault(code="UNAVAILABLE", message="later")
    wrong = InvalidArgument("no", violations=(FieldViolation("no", "a.b"),))
    assert fault_of(wrong) == Fault(code="INVALID_ARGUMENT", message="no", field="a.b")
