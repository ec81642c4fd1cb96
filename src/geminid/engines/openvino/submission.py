"""What the engine process is told to do for a request: the card's data and the request's wishes joined.

It knows forms and grammars, no process and no queue. Invariant: everything that may happen to an answer
(thinking, labels, calls) is decided here, so that the engine process only follows.
"""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from geminid.core.card import ModelCard
from geminid.core.content import Picture, ToolResult
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.forms import THINKING_FORMS, ToolForm
from geminid.core.request import EnumOutput, GenerateRequest, Tier
from geminid.engines.calls import calls_grammar, tool_form
from geminid.engines.openvino.conversation import conversation_of
from geminid.engines.openvino.messages import CallForm, Submit, Think
from geminid.engines.thinking import allowance
from geminid.shape.ebnf import literal

SCORED_LABELS_MAX = 256
LOOKS_MAX = 64
"""How often pictures may be looked at to score labels."""
URGENCIES: dict[Tier, int] = {"priority": 0, "standard": 1, "flex": 2, "batch": 3}


class Plan(NamedTuple):
    """A submission without its id, the grammars that it needs proven, and the form of its calls."""

    submit: Submit
    grammars: tuple[str, ...]
    form: ToolForm


def plan(card: ModelCard, request: GenerateRequest) -> Plan:
    """Return what is to be done for a request; raises ``InvalidArgument`` for what is too much."""
    _check_labels(request)
    form = tool_form(card, request)
    calling = _calling(form, request)
    allowed = allowance(card, request)
    thinking = THINKING_FORMS[card.thinking.form]
    think = None
    if allowed.thoughts:
        think = Think(
            allowed.thoughts,
            thinking.opening,
            thinking.stop,
            thinking.closing,
            thinking.follow_up,
            thinking.repeats,
        )
    submit = Submit(
        id=0,
        conversation=conversation_of(card, request),
        sampling=request.sampling.over(card.defaults),
        candidates=request.candidates,
        tokens_max=allowed.total,
        stop=request.stop,
        logprobs=request.logprobs,
        think=think,
        skip=thinking.skip,
        grammar=_grammar(request, calling),
        labels=request.output.labels if isinstance(request.output, EnumOutput) else (),
        calling=calling,
        urgency=URGENCIES[request.tier],
        project=request.project,
        prefix=request.prefix,
    )
    grammars = tuple(grammar for grammar in (submit.grammar, calling.grammar if calling else "") if grammar)
    return Plan(submit, grammars, form)


def _check_labels(request: GenerateRequest) -> None:
    """Scoring costs the engine an answer for each label and candidate, with a new look at each picture, and
    leaves no room for calls."""
    if not request.logprobs or not isinstance(request.output, EnumOutput):
        return
    answers = len(request.output.labels) * request.candidates
    looks = answers * _pictures(request)
    if answers > SCORED_LABELS_MAX:
        message = f"Log-probabilities can be given for at most {SCORED_LABELS_MAX} labels, not {answers}."
    elif looks > LOOKS_MAX:
        message = (
            f"Log-probabilities of labels need a look at every picture for each label; that would be {looks} "
            f"looks, at most {LOOKS_MAX} are taken."
        )
    elif request.tools:
        message = "Log-probabilities of labels cannot be given where functions may be called instead."
    else:
        return
    raise InvalidArgument(
        message, violations=(FieldViolation(message, "generation_config.response_logprobs"),)
    )


def _pictures(request: GenerateRequest) -> int:
    parts = [part for turn in request.turns for part in turn.parts]
    results = (part.parts for part in parts if isinstance(part, ToolResult))
    return sum(isinstance(part, Picture) for part in (*parts, *chain.from_iterable(results)))


def _calling(form: ToolForm, request: GenerateRequest) -> CallForm | None:
    if not request.tools:
        return None
    return CallForm(
        begin=form.begin,
        opening=form.opening,
        at_start=form.at_start,
        forced=request.call_mode == "any",
        grammar=calls_grammar(form, request.tools),
        between=form.separator + form.begin + form.opening,
        repeats=form.repeats,
    )


def _grammar(request: GenerateRequest, calling: CallForm | None) -> str:
    """Return what the text of the answer must fit: its own grammar, or the announcement of a call."""
    if request.output is None:
        return ""
    if calling is None or calling.forced:
        return request.output.grammar
    answer = request.output.grammar.replace("root ::=", "answer ::=", 1)
    return f"root ::= answer | {literal(calling.begin)}\n{answer}"
