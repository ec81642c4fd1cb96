"""How models write what is not plain text: thoughts and function calls.

Families of models were trained on different markers. A form describes one family as data, so that no
room asks for a model's name; a card names the forms of its model. Markers are as the models' published
chat templates have them. Invariant: every form can be served without a word of code of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class ThinkingForm(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is made to think, and to stop.

    opening: put before the first thought, unless the prompt ends with it already.
    stop: the marker that ends thinking; the model writes it, or it is cut off at its budget.
    closing: put after the last thought, before the answer.
    follow_up: for a model without markers: the user's words that ask for the answer, after the thought
    stands in the conversation as an answer of its own. Excludes ``closing``.
    options, options_off: names that the chat template is rendered with when the model shall think, and
    when it shall not.
    skip: put before the answer of a model that would think, but shall not.
    repeats: whether the same line may come twice. Models that were not trained to think go round in
    circles until their budget is spent.
    sign: a text in a chat template by which weights without a card are recognised.
    """

    opening: str = ""
    stop: str = ""
    closing: str = ""
    follow_up: str = ""
    options: dict[str, bool | str] = {}
    options_off: dict[str, bool | str] = {}
    skip: str = ""
    repeats: bool = True
    sign: str = ""


class ToolForm(msgspec.Struct, frozen=True, kw_only=True):
    """How functions are declared to a model, and how it calls them.

    declared: ``template``: the chat template takes the tools; ``system``: ``instruction`` goes into the
    system text, with ``{tools}`` for the declarations, one JSON object on each line.
    begin, end: what stands around one call. at_start: whether ``begin`` means a call only as the first
    thing that is said. separator: what stands between two calls.
    opening: what stands between ``begin`` and the function's name in quotes. args_key: the member that
    holds the arguments.
    calls_max: how many calls one answer may hold. repeats: whether the same call may come twice; models
    that were not trained to call functions repeat themselves where they should end.
    results: ``template``: messages of the role ``tool``; ``user``: words of the user.
    result: one result in words, with ``{name}`` and ``{response}``, for ``user``.
    sign: a text in a chat template by which weights without a card are recognised.
    """

    declared: Literal["template", "system"] = "template"
    instruction: str = ""
    begin: str
    end: str = ""
    at_start: bool = False
    separator: str = "\n"
    opening: str = '{"name": '
    args_key: str = "arguments"
    calls_max: int = 16
    repeats: bool = True
    results: Literal["template", "user"] = "template"
    result: str = "<tool_response>\n{response}\n</tool_response>"
    sign: str = ""


TWO_PHASES = "two-phases"
GENERAL = "general"

THINKING_FORMS: dict[str, ThinkingForm] = {
    TWO_PHASES: ThinkingForm(
        opening="Let me think step by step.\n\n",
        closing="\n\nFinal answer:\n\n",
        repeats=False,
    ),
    "qwen3": ThinkingForm(
        opening="<think>\n",
        stop="</think>",
        closing="\n</think>\n\n",
        options={"enable_thinking": True},
        options_off={"enable_thinking": False},
        sign="enable_thinking",
    ),
    "deepseek-r1": ThinkingForm(
        opening="<think>\n",
        stop="</think>",
        closing="\n</think>\n\n",
        skip="<think>\n\n</think>\n\n",
        sign="<think>",
    ),
    "gpt-oss": ThinkingForm(
        opening="<|channel|>analysis<|message|>",
        stop="<|end|>",
        closing="<|end|><|start|>assistant<|channel|>final<|message|>",
        skip="<|channel|>final<|message|>",
        sign="<|channel|>",
    ),
}

TOOL_FORMS: dict[str, ToolForm] = {
    GENERAL: ToolForm(
        declared="system",
        instruction=(
            "You have these functions:\n{tools}\n"
            "To call one, write:\n"
            '<tool_call>\n{"name": "its name", "arguments": {its arguments}}\n</tool_call>\n'
            "You are then given its result. Call a function only when it helps to answer."
        ),
        begin="<tool_call>",
        end="\n</tool_call>",
        opening='\n{"name": ',
        calls_max=8,
        repeats=False,
        results="user",
    ),
    "hermes": ToolForm(begin="<tool_call>", end="\n</tool_call>", opening='\n{"name": ', sign="<tool_call>"),
    "llama3": ToolForm(
        begin='{"name": ',
        at_start=True,
        opening="",
        args_key="parameters",
        calls_max=1,
        sign="<|python_tag|>",
    ),
    "gemma": ToolForm(
        declared="system",
        instruction=(
            "You have access to functions. If you decide to invoke any of the functions, you must put it "
            'in the format of {"name": function name, "parameters": dictionary of argument name and its '
            "value}. You should not include any other text in the response if you call a function.\n{tools}"
        ),
        begin='{"name": ',
        at_start=True,
        opening="",
        args_key="parameters",
        calls_max=1,
        results="user",
        result="The function {name} returned: {response}",
        sign="<start_of_turn>",
    ),
}


def thinking_form_of(chat_template: str) -> str:
    """Return the name of the first form whose sign a chat template bears."""
    return _recognised(THINKING_FORMS, chat_template, TWO_PHASES)


def tool_form_of(chat_template: str) -> str:
    """Return the name of the first form whose sign a chat template bears."""
    return _recognised(TOOL_FORMS, chat_template, GENERAL)


def _recognised(
    forms: Mapping[str, ThinkingForm] | Mapping[str, ToolForm], chat_template: str, other: str
) -> str:
    found = (name for name, form in forms.items() if form.sign and form.sign in chat_template)
    return next(found, other)
