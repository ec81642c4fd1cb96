"""From a request to the conversation that chat templates know.

The server's half of building a prompt; :mod:`geminid.engines.openvino.prompt` is the engine process's.
It knows no template, so that the server need not import a template engine. Invariant: whatever the
request says is in the conversation, except thoughts of earlier turns, which are not prompted again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from geminid.core.card import ModelCard
from geminid.core.content import Part, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.forms import THINKING_FORMS, ToolForm
from geminid.core.request import EnumOutput, GenerateRequest, JsonOutput, Output, Tool
from geminid.engines.calls import call_text, tool_form
from geminid.engines.openvino.messages import Call, Conversation, Message
from geminid.engines.thinking import allowance

ROLES = {"user": "user", "model": "assistant"}
NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}


def conversation_of(card: ModelCard, request: GenerateRequest) -> Conversation:
    """Return what the prompt of a request is rendered from."""
    form = tool_form(card, request)
    declared = tuple(_declaration(tool) for tool in request.tools)
    by_template = form.declared == "template"
    system = _system(request, "" if by_template else _instruction(form, declared))
    messages = [Message("system", system)] if system else []
    for message in _spoken(request.turns, form):
        _append(messages, message)
    thinks = allowance(card, request).thoughts > 0
    thinking = THINKING_FORMS[card.thinking.form]
    options = thinking.options if thinks else thinking.options_off
    return Conversation(tuple(messages), tuple(map(_compact, declared)) if by_template else (), options)


def _system(request: GenerateRequest, tools: str) -> str:
    said = "".join(text.text for text in request.system)
    return "\n\n".join(text for text in (said, tools, _wanted(request.output)) if text)


def _instruction(form: ToolForm, declared: tuple[dict[str, Any], ...]) -> str:
    """Return the words that declare functions to a model whose template knows none."""
    if not declared:
        return ""
    tools = "\n".join(_compact(tool["function"]) for tool in declared)
    return form.instruction.replace("{tools}", tools)


def _wanted(output: Output | None) -> str:
    """Return the words that tell the model which form of answer is enforced."""
    match output:
        case EnumOutput():
            return f"Answer with one of: {', '.join(output.labels)}"
        case JsonOutput(schema=None):
            return "Answer with JSON only."
        case JsonOutput():
            return f"Answer with JSON only, by this JSON schema:\n{_compact(output.schema)}"
        case None:
            return ""


def _declaration(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": NO_ARGUMENTS if tool.parameters is None else tool.parameters,
        },
    }


def _spoken(turns: Iterable[Turn], form: ToolForm) -> Iterator[Message]:
    for turn in turns:
        results = [_result(part, form) for part in turn.parts if isinstance(part, ToolResult)]
        yield from results
        words, calls = _written(turn.parts, form), _structured(turn.parts, form)
        if words or calls or not results:
            yield Message(ROLES[turn.role], words, calls)


def _written(parts: Iterable[Part], form: ToolForm) -> str:
    """Return the words of a turn, with calls among them where the template takes none."""
    return "".join(_words(part, form) for part in parts)


def _words(part: Part, form: ToolForm) -> str:
    match part:
        case Text():
            return part.text
        case ToolCall() if form.declared == "system":
            return call_text(form, part)
        case Thought() | ToolCall() | ToolResult():
            return ""


def _structured(parts: Iterable[Part], form: ToolForm) -> tuple[Call, ...]:
    if form.declared == "system":
        return ()
    return tuple(Call(part.name, _compact(part.args)) for part in parts if isinstance(part, ToolCall))


def _result(result: ToolResult, form: ToolForm) -> Message:
    said = "\n".join((_compact(result.response), *result.text))
    if form.results == "template":
        return Message("tool", said, name=result.name)
    return Message("user", form.result.replace("{name}", result.name).replace("{response}", said))


def _append(messages: list[Message], message: Message) -> None:
    """Add a message; neighbours of one role are joined, since many templates want them to alternate."""
    if messages and messages[-1].role == message.role != "tool":
        before = messages[-1]
        content = "\n".join(text for text in (before.content, message.content) if text)
        messages[-1] = Message(message.role, content, before.calls + message.calls)
    else:
        messages.append(message)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
