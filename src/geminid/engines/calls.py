"""Function calls as models write them: the grammar of their arguments, and reading them back.

Both follow a :class:`geminid.core.forms.ToolForm`. It knows no engine. Invariant: what the grammar
accepts, read back, is calls of the declared functions with arguments that are valid for their schemas.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from geminid.core.card import ModelCard
from geminid.core.content import ToolCall
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.forms import GENERAL, TOOL_FORMS, ToolForm
from geminid.core.request import GenerateRequest, Tool
from geminid.shape.ebnf import TooLarge, measure
from geminid.shape.grammar import GrammarBuilder

TOO_MUCH = (
    "The parameters of the functions together produce a constraint that has too many states for serving. "
    "Declare fewer functions, or parameters with shorter bounds and simpler patterns."
)
_GRAMMARS_KEPT = 256
_DECODER = json.JSONDecoder()


def calls_grammar(form: ToolForm, tools: Sequence[Tool]) -> str:
    """Return the EBNF of what follows ``begin`` and ``opening``: the rest of a call, and more calls.

    Raises ``InvalidArgument`` when the functions together are more than an engine may be given.
    """
    text = _calls_grammar(form, json.dumps([(tool.name, tool.parameters) for tool in tools]))
    if not text:
        raise InvalidArgument(TOO_MUCH, violations=(FieldViolation(TOO_MUCH, "tools"),))
    return text


def tool_form(card: ModelCard, request: GenerateRequest) -> ToolForm:
    """Return how the model is to write calls in the answer to ``request``.

    A form without markers cannot be told from an answer in JSON: where either may come, the general form
    takes its place.
    """
    form = TOOL_FORMS[card.tool_form]
    if form.at_start and request.output is not None and request.call_mode != "any":
        form = TOOL_FORMS[GENERAL]
    if request.calls_max is not None and request.calls_max < form.calls_max:
        form = msgspec.structs.replace(form, calls_max=request.calls_max)
    return form


@functools.lru_cache(_GRAMMARS_KEPT)
def _calls_grammar(form: ToolForm, declared: str) -> str:
    """Return the grammar, empty when it is too large; that is remembered, too."""
    tools = [Tool(name, "", parameters) for name, parameters in json.loads(declared)]
    builder = GrammarBuilder()
    try:
        text = builder.text(_root(builder, form, tools))
    except TooLarge:
        return ""
    return text if measure(text).fits else ""


def _root(builder: GrammarBuilder, form: ToolForm, tools: Sequence[Tool]) -> str:
    call = builder.rule(" | ".join(_call(builder, form, tool) for tool in tools), "call")
    again = builder.literal(form.separator + form.begin + form.opening)
    rest = '""'
    for _ in range(form.calls_max - 1):
        rest = builder.rule(f'"" | {again} {call} {rest}', "more")
    return f"{call} {rest}" if form.calls_max > 1 else call


def _call(builder: GrammarBuilder, form: ToolForm, tool: Tool) -> str:
    head = f"{json.dumps(tool.name, ensure_ascii=False)}, {json.dumps(form.args_key)}: "
    tail = builder.literal("}" + form.end)
    if tool.parameters is None:
        return builder.literal(head + "{}}" + form.end)
    return f"{builder.literal(head)} {builder.schema(tool.parameters)} {tail}"


def call_text(form: ToolForm, call: ToolCall) -> str:
    """Return a call as the model would have written it."""
    args = json.dumps(call.args, ensure_ascii=False)
    name = json.dumps(call.name, ensure_ascii=False)
    return f"{form.begin}{form.opening}{name}, {json.dumps(form.args_key)}: {args}}}{form.end}"


class CallReader:
    """Reads calls out of the text behind the first ``begin`` and ``opening``, as it is written.

    ``new_id`` gives each call its id. ``unread_tokens`` are those behind the last call.
    """

    def __init__(self, form: ToolForm, new_id: Callable[[], str]) -> None:
        self._form = form
        self._new_id = new_id
        before = form.begin + form.opening
        self._head = before[before.index("{") :]
        self._text = self._head
        self._made: list[tuple[str, dict[str, Any]]] = []
        self.unread_tokens = 0

    def put(self, text: str, tokens: int) -> list[tuple[ToolCall, int]]:
        """Take more text, of so many tokens; return the calls that are complete now, each with its own."""
        self._text += text
        self.unread_tokens += tokens
        calls: list[tuple[ToolCall, int]] = []
        if "}" not in text:
            return calls
        while (call := self._next()) is not None:
            if self._form.repeats or (call.name, call.args) not in self._made:
                calls.append((call, self.unread_tokens))
                self._made.append((call.name, call.args))
                self.unread_tokens = 0
        return calls

    @property
    def found(self) -> int:
        """How many calls there were so far."""
        return len(self._made)

    def _next(self) -> ToolCall | None:
        start = self._text.find("{")
        if start < 0:
            return None
        try:
            value, end = _DECODER.raw_decode(self._text, start)
            call = ToolCall(value["name"], value[self._form.args_key], self._new_id())
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        self._text = self._text[end:]
        return call
