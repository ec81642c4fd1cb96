"""Tools, and whether one may, must or must not be called: to core's words.

Functions are the caller's; the search of files is a function too, which this server runs. Tools that OpenAI
runs and this server has not are refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from geminid.core.request import CallMode, Tool
from geminid.core.vector import Filter
from geminid.wire.openai import refused
from geminid.wire.openai.filters import read_filter
from geminid.wire.openai.reading import Message, convert
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.responses.schema import (
    AllowedChoice,
    FileSearchChoice,
    FileSearchTool,
    FunctionChoice,
    FunctionTool,
    ResponsesRequest,
)
from geminid.wire.openai.responses.search import FILE_SEARCH, TOOL
from geminid.wire.openai.schema import FunctionDefinition
from geminid.wire.openai.tools import read_parameters

KINDS: dict[str, type[Message]] = {"function": FunctionTool, FILE_SEARCH: FileSearchTool}
CHOICES: dict[str, type[Message]] = {
    "function": FunctionChoice,
    "allowed_tools": AllowedChoice,
    FILE_SEARCH: FileSearchChoice,
}
HOSTED = (
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "code_interpreter",
    "computer",
    "computer_use",
    "computer_use_preview",
    "image_generation",
    "mcp",
    "custom",
    "local_shell",
    "shell",
    "apply_patch",
    "namespace",
    "tool_search",
    "programmatic_tool_calling",
)
"""Tools of the reference that are not served."""
MODES: dict[str, CallMode] = {"auto": "auto", "required": "any", "none": "none"}
NOT_SERVED = "Unsupported tool: '{}' is not served here. Supported tools are 'function' and 'file_search'."
NOT_AMONG = "Tool choice '{}' not found in 'tools' parameter."
NO_TOOLS = "Tool choice '{}' must be specified with 'tools' parameter."
_FIELDS: tuple[tuple[str, str, Any], ...] = (
    ("defer_loading", "defer_loading", False),
    ("async_", "async", False),
)


class Calling(NamedTuple):
    """What may be called. search: how files are searched, where they are; filter: which of them. told: the
    tools as they are told again. downgrades: what is enforced loosely."""

    tools: tuple[Tool, ...]
    mode: CallMode
    calls_max: int | None
    search: FileSearchTool | None
    filter: Filter | None
    told: list[dict[str, Any]]
    downgrades: tuple[str, ...]


def read_calling(message: ResponsesRequest) -> Calling:
    """Return what may be called; raises :class:`~geminid.wire.openai.refused.Refused`."""
    declared = _Declared()
    for index, tool in enumerate(message.tools or ()):
        declared.take(tool, f"tools[{index}]")
    mode, names = _chosen(message.tool_choice, declared.names)
    tools = () if mode == "none" else tuple(tool for tool in declared.tools if tool.name in names)
    searched = declared.search if any(tool is TOOL for tool in tools) else None
    alone = message.parallel_tool_calls is False or tools == (TOOL,)  # it can search again when it has read
    calls_max = 1 if alone and tools else None
    if not tools:
        mode = "none" if mode == "none" and declared.tools else "auto"
    return Calling(
        tools, mode, calls_max, searched, declared.filter, declared.told, tuple(declared.downgrades)
    )


class _Declared:
    """The tools as far as they were read."""

    def __init__(self) -> None:
        self.tools: list[Tool] = []
        self.search: FileSearchTool | None = None
        self.filter: Filter | None = None
        self.told: list[dict[str, Any]] = []
        self.downgrades: list[str] = []

    @property
    def names(self) -> set[str]:
        return {tool.name for tool in self.tools}

    def take(self, said: dict[str, Any], path: str) -> None:
        kind = _kind_of(said, path, KINDS, HOSTED, NOT_SERVED)
        tool = convert(KINDS[kind], said, path)
        name = tool.name if isinstance(tool, FunctionTool) else FILE_SEARCH
        if name in self.names:
            where = f"{path}.name" if isinstance(tool, FunctionTool) else path
            raise Refused(
                f"Invalid '{where}': the function {name} is declared more than once.",
                where,
                refused.INVALID_VALUE,
            )
        if isinstance(tool, FunctionTool):
            self._function(tool, path)
        elif isinstance(tool, FileSearchTool):
            self._files(tool, path)

    def _function(self, tool: FunctionTool, path: str) -> None:
        for name, told, harmless in _FIELDS:
            if getattr(tool, name) not in (None, harmless):
                raise refused.unsupported(f"{path}.{told}")
        if tool.allowed_callers and "direct" not in tool.allowed_callers:
            raise refused.unsupported(f"{path}.allowed_callers", "Only the model calls functions.")
        known = len(self.downgrades)
        definition = FunctionDefinition(
            name=tool.name, description=tool.description, parameters=tool.parameters, strict=tool.strict
        )
        parameters = read_parameters(definition, f"{path}.parameters", self.downgrades)
        self.tools.append(Tool(tool.name, tool.description or "", parameters))
        whole = len(self.downgrades) == known
        self.told.append(
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": whole if tool.strict is None else tool.strict,
            }
        )

    def _files(self, tool: FileSearchTool, path: str) -> None:
        ranking = tool.ranking_options
        if ranking is not None and ranking.hybrid_search is not None:
            self.downgrades.append(f"{path}.ranking_options.hybrid_search=by-meaning-alone")
        self.search = tool
        self.filter = read_filter(tool.filters, f"{path}.filters")
        self.tools.append(TOOL)
        self.told.append(
            {
                "type": FILE_SEARCH,
                "vector_store_ids": tool.vector_store_ids,
                "filters": tool.filters,
                "max_num_results": tool.max_num_results,
                "ranking_options": msgspec.to_builtins(ranking) if ranking is not None else None,
            }
        )


def _chosen(choice: str | dict[str, Any] | None, names: set[str]) -> tuple[CallMode, set[str]]:
    """Return whether a function may or must be called, and the names of those that may."""
    if choice is None:
        return "auto", names
    if isinstance(choice, str):
        if choice == "required" and not names:
            raise Refused(NO_TOOLS.format(choice), "tool_choice")
        return MODES[choice], names
    kind = _kind_of(choice, "tool_choice", CHOICES, HOSTED, NOT_SERVED)
    match convert(CHOICES[kind], choice, "tool_choice"):
        case AllowedChoice() as allowed:
            return MODES[allowed.mode], _allowed(allowed.tools, names)
        case FunctionChoice() as function:
            return "any", {_among(function.name, names, "tool_choice")}
        case _:
            return "any", {_among(FILE_SEARCH, names, "tool_choice")}


def _allowed(tools: Sequence[dict[str, Any]], names: set[str]) -> set[str]:
    found = set()
    for index, said in enumerate(tools):
        path = f"tool_choice.tools[{index}]"
        one = {name: kind for name, kind in CHOICES.items() if name != "allowed_tools"}
        kind = _kind_of(said, path, one, HOSTED, NOT_SERVED)
        choice = convert(one[kind], said, path)
        found.add(_among(choice.name if isinstance(choice, FunctionChoice) else FILE_SEARCH, names, path))
    if not found:
        raise refused.empty("tool_choice.tools", "array", "an")
    return found


def _among(name: str, names: set[str], param: str) -> str:
    if name not in names:
        raise Refused(NOT_AMONG.format(name), param)
    return name


def _kind_of(
    said: dict[str, Any], path: str, kinds: dict[str, type[Message]], unserved: Sequence[str], words: str
) -> str:
    """Return the type that an object says it has, which must be one of ``kinds``."""
    where, kind = f"{path}.type", said.get("type")
    if kind is None:
        raise refused.missing(where)
    if not isinstance(kind, str):
        raise refused.wrong_type(where, "a string", kind)
    if kind in unserved:
        raise Refused(words.format(kind), where, refused.UNSUPPORTED_VALUE)
    if kind not in kinds:
        raise refused.wrong_value(where, kind, tuple(kinds))
    return kind
