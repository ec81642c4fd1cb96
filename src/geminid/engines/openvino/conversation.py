"""From a request to the conversation that chat templates know.

The server's half of building a prompt; :mod:`geminid.engines.openvino.prompt` is the engine process's.
It knows no template, so that the server need not import a template engine. Invariants: whatever the
request says is in the conversation, except thoughts of earlier turns, which are not prompted again; what
was read from media, and pictures, stand as pieces of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from geminid.core.card import ModelCard
from geminid.core.content import Blob, FileRef, Part, Picture, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.forms import THINKING_FORMS, ToolForm
from geminid.core.request import EnumOutput, GenerateRequest, JsonOutput, Output, Tool
from geminid.engines.calls import call_text, tool_form
from geminid.engines.openvino.messages import Call, Content, Conversation, Message
from geminid.engines.thinking import allowance

ROLES = {"user": "user", "model": "assistant"}
NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
NEWLINE = Text("\n")

Piece = Text | Picture


def conversation_of(card: ModelCard, request: GenerateRequest) -> Conversation:
    """Return what the prompt of a request is rendered from.

    The request's media were resolved for this card; raises ``TypeError`` when they were not.
    """
    form = tool_form(card, request)
    declared = tuple(_declaration(tool) for tool in request.tools)
    by_template = form.declared == "template"
    wanted = _wanted(request.output)
    # Behind a prefix that is kept, so that requests with all kinds of answers begin with it.
    system = _system(
        request, "" if by_template else _instruction(form, declared), "" if request.prefix else wanted
    )
    messages = [Message("system", system)] if system else []
    for message in _spoken(request.turns, form, card.sees):
        _append(messages, message)
    if request.prefix and wanted:
        _append(messages, Message("user", wanted))
    thinks = allowance(card, request).thoughts > 0
    thinking = THINKING_FORMS[card.thinking.form]
    options = thinking.options if thinks else thinking.options_off
    return Conversation(tuple(messages), tuple(map(_compact, declared)) if by_template else (), options)


def _system(request: GenerateRequest, tools: str, wanted: str) -> str:
    said = "".join(text.text for text in request.system)
    return "\n\n".join(text for text in (said, tools, wanted) if text)


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


def _spoken(turns: Iterable[Turn], form: ToolForm, sees: bool) -> Iterator[Message]:
    for turn in turns:
        results = [_result(part, form, sees) for part in turn.parts if isinstance(part, ToolResult)]
        yield from results
        words, calls = _content(_written(turn.parts, form, sees)), _structured(turn.parts, form)
        if words or calls or not results:
            yield Message(ROLES[turn.role], words, calls)


def _written(parts: Iterable[Part], form: ToolForm, sees: bool) -> Iterator[Piece]:
    """Yield what a turn says, with calls among it where the template takes none."""
    for part in parts:
        match part:
            case Text():
                yield part
            case Picture() if sees:
                yield part
            case ToolCall() if form.declared == "system":
                yield Text(call_text(form, part))
            case Picture() | Blob() | FileRef():
                raise TypeError(f"a {type(part).__name__} was not resolved for this model")
            case Thought() | ToolCall() | ToolResult():
                pass


def _content(pieces: Iterable[Piece]) -> Content:
    """Return pieces as plain words, where none of them came from media."""
    said = tuple(pieces)
    words = [piece.text for piece in said if isinstance(piece, Text) and piece.modality == "text"]
    return "".join(words) if len(words) == len(said) else said


def _pieces(content: Content) -> tuple[Piece, ...]:
    return (Text(content),) if isinstance(content, str) else content


def _structured(parts: Iterable[Part], form: ToolForm) -> tuple[Call, ...]:
    if form.declared == "system":
        return ()
    return tuple(Call(part.name, _compact(part.args)) for part in parts if isinstance(part, ToolCall))


def _result(result: ToolResult, form: ToolForm, sees: bool) -> Message:
    said: list[Piece] = [Text(_compact(result.response))]
    for part in _written(result.parts, form, sees):
        said += [NEWLINE, part]
    if form.results == "template":
        return Message("tool", _content(said), name=result.name)
    before, _, behind = form.result.partition("{response}")
    around = (Text(words.replace("{name}", result.name)) for words in (before, behind))
    return Message("user", _content((next(around), *said, next(around))))


def _append(messages: list[Message], message: Message) -> None:
    """Add a message; neighbours of one role are joined, since many templates want them to alternate."""
    if messages and messages[-1].role == message.role != "tool":
        before = messages[-1]
        content = _joined(before.content, message.content)
        messages[-1] = Message(message.role, content, before.calls + message.calls)
    else:
        messages.append(message)


def _joined(first: Content, second: Content) -> Content:
    if not first or not second:
        return first or second
    return _content((*_pieces(first), NEWLINE, *_pieces(second)))


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
