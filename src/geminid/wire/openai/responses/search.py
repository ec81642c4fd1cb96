"""The search of files as the model sees it: a function that runs in this server, and what it gives back.

It searches nothing itself. Invariant: what :func:`result_of` shapes, :func:`found_in` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from geminid.core.content import ToolCall, ToolResult
from geminid.core.request import Tool

FILE_SEARCH = "file_search"
RESULTS_DEFAULT = 10
CALLS_DEFAULT = 4
"""How often files are searched within one response, where ``max_tool_calls`` does not say."""

QUERY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "maxLength": 120, "description": "What to look for, in words."}
    },
    "required": ["query"],
    "additionalProperties": False,
}
TOOL = Tool(
    FILE_SEARCH,
    "Searches the user's files, and gives back the pieces that fit best. Use it before answering questions "
    "about them.",
    QUERY_SCHEMA,
)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a file that fits. ``file_id`` as core has it, without prefix; score: between 0 and 1."""

    file_id: str
    filename: str
    score: float
    text: str
    attributes: dict[str, Any] = {}


def query_of(call: ToolCall) -> str:
    """Return what a call looks for."""
    said = call.args.get("query")
    return said if isinstance(said, str) else ""


def result_of(call: ToolCall, found: Sequence[Found]) -> ToolResult:
    """Return what the function gives back."""
    return ToolResult(call.name, {"results": msgspec.to_builtins(list(found))}, call.id)


def found_in(result: ToolResult) -> list[Found]:
    """Return what was given back."""
    return msgspec.convert(result.response.get("results", []), list[Found])
