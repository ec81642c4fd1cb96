"""Messages to a conversation: system text and turns.

Instructions come first in core, wherever they stood; results of one message's calls are one turn. Invariant:
every call that something follows is answered once, and every part is in the conversation, in its order, or
refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from geminid.core.content import Part, Text, ToolCall, ToolResult, Turn
from geminid.wire.openai import refused
from geminid.wire.openai.parts import read_content, read_text
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.schema import (
    AnyMessage,
    AssistantMessage,
    DeveloperMessage,
    FunctionCallMade,
    FunctionMessage,
    SystemMessage,
    ToolMessage,
    UserMessage,
)

LONELY_RESULT = (
    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
    "'tool_calls'."
)
UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. The following tool_call_ids did not have response messages: {}"
)
_DECODER = msgspec.json.Decoder(Any)


class Conversation(NamedTuple):
    """What was said so far, and what of it is told to the model otherwise than it was sent."""

    system: tuple[Text, ...]
    turns: tuple[Turn, ...]
    downgrades: tuple[str, ...]


def read_messages(messages: Sequence[AnyMessage]) -> Conversation:
    """Return the conversation; raises :class:`~geminid.wire.openai.refused.Refused`."""
    gathered = _Gathered()
    for index, message in enumerate(messages):
        gathered.take(message, index)
    return gathered.conversation(len(messages))


class _Gathered:
    """A conversation as far as it was read."""

    def __init__(self) -> None:
        self._system: list[Text] = []
        self._turns: list[Turn] = []
        self._downgrades: dict[str, None] = {}
        self._calls: list[ToolCall] = []  # that wait for their results, in their order
        self._results: list[ToolResult] = []

    def take(self, message: AnyMessage, index: int) -> None:
        path = f"messages[{index}]"
        if not isinstance(message, ToolMessage):
            self._settle(index)
        match message:
            case SystemMessage() | DeveloperMessage():
                self._instruct(message, index)
            case UserMessage():
                self._turns.append(Turn("user", read_content(message.content, f"{path}.content")))
            case AssistantMessage():
                self._answer(message, path)
            case ToolMessage():
                self._result(message, index)
            case FunctionMessage():
                raise Refused(
                    "Unsupported value: messages with role 'function' are not supported. Use role 'tool'.",
                    f"{path}.role",
                    refused.UNSUPPORTED_VALUE,
                )
        if getattr(message, "name", None) and not isinstance(message, ToolMessage):
            self._downgrades["messages.name=not-told-to-the-model"] = None

    def conversation(self, count: int) -> Conversation:
        self._settle(count)
        if not self._turns:  # instructions alone: a model needs somebody to answer
            self._downgrades["messages.role=system-as-user"] = None
            return Conversation((), (Turn("user", tuple(self._system)),), tuple(self._downgrades))
        return Conversation(tuple(self._system), tuple(self._turns), tuple(self._downgrades))

    def _instruct(self, message: SystemMessage | DeveloperMessage, index: int) -> None:
        if self._turns:
            self._downgrades["messages.role=system-moved-to-the-front"] = None
        self._system.append(Text(read_text(message.content)))

    def _answer(self, message: AssistantMessage, path: str) -> None:
        for field in ("audio", "function_call"):
            if getattr(message, field) is not None:
                raise refused.unsupported(f"{path}.{field}")
        parts: list[Part] = list(read_content(message.content, f"{path}.content"))
        if message.refusal:
            parts.append(Text(message.refusal))
        for number, call in enumerate(message.tool_calls or ()):
            where = f"{path}.tool_calls[{number}]"
            if not isinstance(call, FunctionCallMade):
                raise refused.wrong_value(f"{where}.type", "custom", ("function",))
            self._calls.append(_call(call, f"{where}.function"))
        parts += self._calls
        if not parts:
            raise Refused("Invalid value for 'content': expected a string, got null.", f"{path}.content")
        self._turns.append(Turn("model", tuple(parts)))

    def _result(self, message: ToolMessage, index: int) -> None:
        call = next((call for call in self._calls if call.id == message.tool_call_id), None)
        if call is None:
            raise Refused(LONELY_RESULT, f"messages.[{index}].role")
        self._calls.remove(call)
        self._results.append(ToolResult(call.name, read_response(read_text(message.content)), call.id))

    def _settle(self, index: int) -> None:
        """End the turn of results, if one is being gathered."""
        if self._results:
            self._turns.append(Turn("user", tuple(self._results)))
            self._results = []
        if self._calls:
            ids = ", ".join(call.id for call in self._calls)
            raise Refused(UNANSWERED.format(ids), f"messages.[{index}].role")


def _call(call: FunctionCallMade, path: str) -> ToolCall:
    if not call.function.name:
        raise refused.empty(f"{path}.name", "string", "a")
    return ToolCall(call.function.name, read_arguments(call.function.arguments, f"{path}.arguments"), call.id)


def read_arguments(text: str, path: str) -> dict[str, Any]:
    """Return the arguments of a call, which are an object; no text at all is none."""
    if not text.strip():
        return {}
    try:
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(f"Invalid '{path}': expected an object of JSON in a string.", path, "invalid_value")
    return found


def read_response(text: str) -> dict[str, Any]:
    """Return what a function gave back: an object of JSON as it is, all else as ``output``."""
    if text.lstrip()[:1] not in ("{", "["):
        return {"output": text}
    try:
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return {"output": text}
    return found if isinstance(found, dict) else {"output": found}
