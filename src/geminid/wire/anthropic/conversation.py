"""Messages to a conversation: core's turns.

Results of calls are a turn of their own, before what else the user says with them. Invariant: every call is
answered once by the next message, and every block is in the conversation, in its order, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from geminid.core.content import Part, Text, Thought, ToolCall, ToolResult
from geminid.core.content import Turn as CoreTurn
from geminid.wire.anthropic.blocks import read_block, read_shown, read_words
from geminid.wire.anthropic.refused import Refused
from geminid.wire.anthropic.schema import (
    AssistantMessage,
    Block,
    DocumentBlock,
    ImageBlock,
    RedactedBlock,
    SearchResultBlock,
    SystemMessage,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    UserMessage,
)

CALL_PREFIX = "toolu_"
EMPTY = "user messages must have non-empty content"
NO_PREFILL = (
    "This model does not support assistant message prefill. The conversation must end with a user message."
)
BAD_SIGNATURE = "Invalid `signature` in `thinking` block"
BAD_REDACTED = "Invalid `data` in `redacted_thinking` block"
LONELY_RESULT = (
    "unexpected `tool_use_id` found in `tool_result` blocks: {}. Each `tool_result` block must have a "
    "corresponding `tool_use` block in the previous message."
)
UNANSWERED = (
    "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block "
    "must have a corresponding `tool_result` block in the next message."
)
WRONG_SIDE = "`{}` blocks can only be in `{}` messages"

MOVED = "messages.role=system-moved-to-the-front"

_DECODER = msgspec.json.Decoder(Any)
_BY_MODEL = (ThinkingBlock, RedactedBlock, ToolUseBlock)
_BY_USER = (ToolResultBlock, ImageBlock, DocumentBlock, SearchResultBlock)


class Conversation(NamedTuple):
    """What was said so far. system: what was told to the model among it, which stands in front now."""

    turns: tuple[CoreTurn, ...]
    system: tuple[Text, ...]

    @property
    def downgrades(self) -> tuple[str, ...]:
        """What of it is told to the model otherwise than it was sent."""
        return (MOVED,) if self.system else ()


def read_conversation(
    messages: Sequence[Turn], genuine: Callable[[str], bool] | None, *, whole: bool = True
) -> Conversation:
    """Return the conversation. genuine: tells whether a thought's signature is this server's; None asks for
    none. whole: the conversation is to be answered, so it must end with the user.

    Raises :class:`~geminid.wire.anthropic.refused.Refused`.
    """
    turns: list[CoreTurn] = []
    system: list[Text] = []
    calls: dict[str, str] = {}  # of the last message that wait for their results: the function's name by id
    for index, message in enumerate(messages):
        path = f"messages.{index}"
        if isinstance(message, SystemMessage):
            system += read_words(message.content, f"{path}.content")
            continue
        blocks = _blocks(message, path)
        if any(isinstance(block, ToolResultBlock) for block in blocks):
            turns.append(CoreTurn("user", _results(blocks, path, calls)))
        _check_answered(calls, path)
        if parts := tuple(_said(blocks, f"{path}.content", genuine)):
            turns.append(CoreTurn("model" if isinstance(message, AssistantMessage) else "user", parts))
        calls = {block.id: block.name for block in blocks if isinstance(block, ToolUseBlock)}
    _check_answered(calls, "messages")
    if whole and (not turns or turns[-1].role == "model"):
        raise Refused("", NO_PREFILL)
    return Conversation(tuple(turns), tuple(system))


def _check_answered(calls: dict[str, str], path: str) -> None:
    if calls:
        raise Refused(path, UNANSWERED.format(", ".join(calls)))


def _blocks(message: UserMessage | AssistantMessage, path: str) -> Sequence[Block | str]:
    """Return what a message consists of, each block where it may stand."""
    content = [message.content] if isinstance(message.content, str) else message.content
    by_user = isinstance(message, UserMessage)
    if by_user and (not content or content == [""]):
        raise Refused(path, EMPTY)
    wrong, side = (_BY_MODEL, "assistant") if by_user else (_BY_USER, "user")
    for index, block in enumerate(content):
        if isinstance(block, wrong):
            tag = block.__struct_config__.tag
            raise Refused(f"{path}.content.{index}", WRONG_SIDE.format(tag, side))
    return content


def _said(blocks: Sequence[Block | str], path: str, genuine: Callable[[str], bool] | None) -> Sequence[Part]:
    parts: list[Part] = []
    for index, block in enumerate(blocks):
        where = f"{path}.{index}"
        match block:
            case str():
                parts += [Text(block)] if block else []
            case ThinkingBlock():
                if genuine is not None and not genuine(block.signature):
                    raise Refused(where, BAD_SIGNATURE)
                parts.append(Thought(block.thinking))
            case RedactedBlock():
                if genuine is not None:
                    raise Refused(where, BAD_REDACTED)
            case ToolUseBlock():
                parts.append(ToolCall(block.name, block.input, block.id))
            case ToolResultBlock():
                continue
            case _:
                parts += read_block(block, where)
    return parts


def _results(blocks: Sequence[Block | str], path: str, calls: dict[str, str]) -> tuple[ToolResult, ...]:
    """Return results in the order of their calls' messages; each takes its call from those that wait."""
    found = []
    for index, block in enumerate(blocks):
        if not isinstance(block, ToolResultBlock):
            continue
        where = f"{path}.content.{index}"
        if block.tool_use_id not in calls:
            raise Refused(where, LONELY_RESULT.format(block.tool_use_id))
        found.append(_result(block, calls.pop(block.tool_use_id), f"{where}.content"))
    return tuple(found)


def _result(block: ToolResultBlock, name: str, path: str) -> ToolResult:
    content = block.content or ""
    if isinstance(content, str):
        return ToolResult(name, _response(content, failed=bool(block.is_error)), block.tool_use_id)
    parts = tuple(read_shown(content, path))
    words = "".join(part.text for part in parts if isinstance(part, Text))
    shown = tuple(part for part in parts if not isinstance(part, Text))
    return ToolResult(name, _response(words, failed=bool(block.is_error)), block.tool_use_id, shown)


def _response(text: str, *, failed: bool) -> dict[str, Any]:
    """Return what a tool gave back: an object of JSON as it is, all else under a name."""
    if failed:
        return {"error": text}
    try:
        found = _DECODER.decode(text) if text.lstrip()[:1] == "{" else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"output": text}
