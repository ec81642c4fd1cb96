"""Items of input to a conversation: system words and turns.

What the model said, thought and called in one answer is one turn, and so are the results of its calls, as on
the other wires. It knows no store: what an item refers to is handed in. Invariant: every call is answered
once before anything else follows, and every item is in the conversation, in its order, or refused; only
thoughts are left out, which are never prompted again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from geminid.core.content import Part, Text, Thought, ToolCall, ToolResult, Turn
from geminid.wire.openai import refused
from geminid.wire.openai.answers import CALL_PREFIX
from geminid.wire.openai.messages import read_arguments, read_response
from geminid.wire.openai.reading import Message, convert
from geminid.wire.openai.refused import Missing, Refused
from geminid.wire.openai.responses.content import read_parts
from geminid.wire.openai.responses.schema import (
    AskedMessage,
    FileSearchCall,
    FunctionCall,
    FunctionCallOutput,
    ItemReference,
    OutputRefusal,
    ReasoningItem,
    SaidMessage,
    SaidPart,
)
from geminid.wire.openai.responses.search import FILE_SEARCH

Item = dict[str, Any]

NO_CALL = "No tool call found for function call output with call_id {}."
NO_OUTPUT = "No tool output found for function call {}."
NO_ITEM = (
    "Item with id '{}' not found. Items are not persisted when `store` is set to false. Try again with "
    "`store` set to true, or remove this item from your input."
)
NOT_VERIFIED = "The encrypted content for item {} could not be verified."

KINDS: dict[str, type[Message]] = {
    "function_call": FunctionCall,
    "function_call_output": FunctionCallOutput,
    "reasoning": ReasoningItem,
    "file_search_call": FileSearchCall,
    "item_reference": ItemReference,
}
ROLES: dict[str, type[Message]] = {
    "assistant": SaidMessage,
    "system": AskedMessage,
    "developer": AskedMessage,
    "user": AskedMessage,
}
UNSERVED = (
    "computer_call",
    "computer_call_output",
    "web_search_call",
    "image_generation_call",
    "code_interpreter_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "custom_tool_call",
    "custom_tool_call_output",
    "tool_search_call",
    "tool_search_output",
    "additional_tools",
    "configuration_update",
    "compaction",
    "compaction_trigger",
    "program",
    "program_output",
)
"""Items of the reference that belong to tools which are not served."""


class Known(NamedTuple):
    """What was said before. pending: calls that wait for their outputs, in their order. standing: system
    words that were sent among earlier items. follows: whether anything was said. referred: items by id."""

    pending: tuple[ToolCall, ...] = ()
    standing: tuple[Text, ...] = ()
    follows: bool = False
    referred: Mapping[str, Item] = {}


class Conversation(NamedTuple):
    """standing: system words that later responses go on with, which ``instructions`` are not."""

    standing: tuple[Text, ...]
    turns: tuple[Turn, ...]
    downgrades: tuple[str, ...]


def items_of(said: str | Sequence[Item]) -> list[Item]:
    """Return an input as items."""
    return [{"type": "message", "role": "user", "content": said}] if isinstance(said, str) else list(said)


def references_of(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the ids that an input refers to."""
    return tuple(item["id"] for item in items if _kind(item) == "item_reference" and _is_id(item.get("id")))


def read_items(
    items: Sequence[Item], known: Known, genuine: Callable[[str], bool] | None = None
) -> Conversation:
    """Return the conversation that items spell. ``genuine`` tells whether encrypted content is of this
    server; None asks nothing of it. Raises :class:`~geminid.wire.openai.refused.Refused`."""
    gathered = _Gathered(known, genuine)
    for index, item in enumerate(items):
        gathered.take(item, f"input[{index}]")
    return gathered.conversation()


def read_item(item: Item, path: str) -> Message:
    """Return an item as the message that its type says."""
    kind = _kind(item)
    if kind == "message":
        role = item.get("role")
        if not isinstance(role, str):
            raise (
                refused.missing(f"{path}.role")
                if role is None
                else refused.wrong_type(f"{path}.role", "a string", role)
            )
        if role not in ROLES:
            raise refused.wrong_value(f"{path}.role", role, tuple(ROLES))
        return convert(ROLES[role], item, path)
    if not isinstance(kind, str):
        raise (
            refused.missing(f"{path}.type")
            if kind is None
            else refused.wrong_type(f"{path}.type", "a string", kind)
        )
    if kind in UNSERVED:
        raise Refused(
            f"Unsupported value: items of type '{kind}' belong to a tool that this server does not have.",
            f"{path}.type",
            refused.UNSUPPORTED_VALUE,
        )
    if kind not in KINDS:
        raise refused.wrong_value(f"{path}.type", kind, ("message", *KINDS))
    return convert(KINDS[kind], item, path)


def _kind(item: Item) -> Any:
    """Return what an item says it is; messages and references need not say it."""
    kind = item.get("type")
    if kind is None and ("role" in item or "content" in item):
        return "message"
    if kind is None and "id" in item:
        return "item_reference"
    return kind


def _is_id(value: object) -> bool:
    return isinstance(value, str)


class _Gathered:
    """A conversation as far as it was read."""

    def __init__(self, known: Known, genuine: Callable[[str], bool] | None) -> None:
        self._known = known
        self._genuine = genuine
        self._standing: list[Text] = list(known.standing)
        self._turns: list[Turn] = []
        self._downgrades: dict[str, None] = {}
        self._said: list[Part] = []  # of the model's turn that is being gathered
        self._results: list[ToolResult] = []
        self._calls: list[tuple[str, ToolCall]] = [  # that wait for outputs, by the ids that clients know
            (f"{CALL_PREFIX}{call.id}", call) for call in known.pending
        ]

    def take(self, item: Item, path: str) -> None:
        message = read_item(item, path)
        if isinstance(message, ItemReference):
            message = self._referred(message, path)
        match message:
            case FunctionCallOutput():
                self._end_said()
                self._result(message, path)
            case SaidMessage() | FunctionCall() | ReasoningItem() | FileSearchCall():
                self._answer(message, path)
            case AskedMessage():
                self._ask(message, path)

    def conversation(self) -> Conversation:
        self._settle()
        if not self._turns:  # instructions alone: a model needs somebody to answer
            new = self._standing[len(self._known.standing) :]
            if not new:
                raise Refused("Invalid 'input': expected at least one message.", "input")
            self._downgrades["input.role=system-as-user"] = None
            return Conversation(self._known.standing, (Turn("user", tuple(new)),), tuple(self._downgrades))
        return Conversation(tuple(self._standing), tuple(self._turns), tuple(self._downgrades))

    def _referred(self, reference: ItemReference, path: str) -> Message:
        item = self._known.referred.get(reference.id)
        if item is None:
            raise Missing(NO_ITEM.format(reference.id), "input")
        return read_item(item, path)

    def _ask(self, message: AskedMessage, path: str) -> None:
        self._settle()
        parts = read_parts(message.content, f"{path}.content")
        if message.role == "user":
            self._turns.append(Turn("user", parts))
            return
        if self._turns or self._known.follows:
            self._downgrades["input.role=system-moved-to-the-front"] = None
        for number, part in enumerate(parts):
            if not isinstance(part, Text):
                raise Refused(
                    f"Unsupported value: messages with role '{message.role}' can only be words.",
                    f"{path}.content[{number}].type",
                    refused.UNSUPPORTED_VALUE,
                )
            self._standing.append(part)

    def _answer(self, message: Message, path: str) -> None:
        if self._results or (self._calls and not self._said):
            self._settle()
        match message:
            case SaidMessage():
                if any(isinstance(part, Text | ToolCall) for part in self._said):
                    self._settle()
                self._said += _said_parts(message.content)
            case ReasoningItem():
                self._thought(message, path)
            case FunctionCall():
                call = _call(message, path)
                self._said.append(call)
                self._calls.append((message.call_id, call))
            case FileSearchCall():
                self._searched(message)

    def _thought(self, item: ReasoningItem, path: str) -> None:
        if any(isinstance(part, Text | ToolCall) for part in self._said):
            self._settle()
        sealed = item.encrypted_content
        if sealed and self._genuine is not None and not self._genuine(sealed):
            raise Refused(
                NOT_VERIFIED.format(item.id or path), f"{path}.encrypted_content", "invalid_encrypted_content"
            )
        if words := "".join(part.text for part in item.summary):
            self._said.append(Thought(words))

    def _searched(self, item: FileSearchCall) -> None:
        """A search whose results were sent is told to the model again; without them there is nothing to
        tell."""
        if not item.results:
            self._downgrades["input.file_search_call=without-results"] = None
            return
        call = ToolCall(FILE_SEARCH, {"query": " ".join(item.queries)}, item.id or "")
        self._turns.append(Turn("model", (*self._said, call)))
        self._said = []
        self._turns.append(Turn("user", (ToolResult(FILE_SEARCH, {"results": item.results}, call.id),)))

    def _result(self, item: FunctionCallOutput, path: str) -> None:
        found = next((each for each in self._calls if each[0] == item.call_id), None)
        if found is None:
            raise Refused(NO_CALL.format(item.call_id), "input")
        self._calls.remove(found)
        call = found[1]
        if isinstance(item.output, str):
            self._results.append(ToolResult(call.name, read_response(item.output), call.id))
            return
        parts = read_parts(item.output, f"{path}.output")
        words = "".join(part.text for part in parts if isinstance(part, Text))
        shown = tuple(part for part in parts if not isinstance(part, Text))
        self._results.append(ToolResult(call.name, read_response(words), call.id, shown))

    def _end_said(self) -> None:
        if any(not isinstance(part, Thought) for part in self._said):
            self._turns.append(Turn("model", tuple(self._said)))
        self._said = []

    def _settle(self) -> None:
        """End the turn that is being gathered. What follows needs every call to be answered."""
        self._end_said()
        if self._results:
            self._turns.append(Turn("user", tuple(self._results)))
            self._results = []
        if self._calls:
            raise Refused(NO_OUTPUT.format(self._calls[0][0]), "input")


def _call(item: FunctionCall, path: str) -> ToolCall:
    if not item.name:
        raise refused.empty(f"{path}.name", "string", "a")
    for field in ("namespace", "async_"):
        if getattr(item, field):
            raise refused.unsupported(f"{path}.{field.rstrip('_')}")
    return ToolCall(item.name, read_arguments(item.arguments, f"{path}.arguments"), item.call_id)


def _said_parts(content: str | Sequence[SaidPart]) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    return [Text(part.refusal if isinstance(part, OutputRefusal) else part.text) for part in content]
