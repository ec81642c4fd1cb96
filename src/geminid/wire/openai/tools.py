"""Functions that may be called, and whether one may, must or must not be: to core's words.

Where a function is not declared ``strict`` and its schema says more than can be enforced, what can be is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from geminid.core.request import CallMode, JsonSchema, Tool
from geminid.shape.nodes import Anything, Object
from geminid.wire.loosened import loosely
from geminid.wire.openai import refused
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.schema import (
    AllowedChoice,
    ChatRequest,
    CustomChoice,
    CustomTool,
    FunctionChoice,
    FunctionDefinition,
    FunctionTool,
)

NO_TOOLS = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
NO_TOOLS_PARALLEL = (
    "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are "
    "specified."
)
_MODES: dict[str | None, CallMode] = {None: "auto", "auto": "auto", "required": "any", "none": "none"}


class Calling(NamedTuple):
    """Which functions may be called, and how many of one answer. downgrades: what is enforced loosely."""

    tools: tuple[Tool, ...]
    mode: CallMode
    calls_max: int | None
    downgrades: tuple[str, ...]


def read_calling(message: ChatRequest) -> Calling:
    """Return what may be called; raises :class:`~geminid.wire.openai.refused.Refused`."""
    if not message.tools:
        if message.tool_choice not in (None, "none", "auto"):
            raise Refused(NO_TOOLS, "tool_choice")
        if message.parallel_tool_calls is not None:
            raise Refused(NO_TOOLS_PARALLEL, "parallel_tool_calls")
        return Calling((), "auto", None, ())
    downgrades: list[str] = []
    declared = tuple(_declared(message.tools, downgrades))
    mode, allowed = _chosen(message, {tool.name for tool in declared})
    if mode == "none":
        return Calling((), mode, None, ())
    tools = tuple(tool for tool in declared if tool.name in allowed)
    return Calling(tools, mode, 1 if message.parallel_tool_calls is False else None, tuple(downgrades))


def _declared(tools: Sequence[FunctionTool | CustomTool], downgrades: list[str]) -> Iterator[Tool]:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        if not isinstance(tool, FunctionTool):
            raise refused.wrong_value(f"{path}.type", "custom", ("function",))
        function = tool.function
        if function.name in names:
            raise Refused(
                f"Invalid '{path}.function.name': the function {function.name} is declared more than once.",
                f"{path}.function.name",
                refused.INVALID_VALUE,
            )
        names.add(function.name)
        parameters = read_parameters(function, f"{path}.function.parameters", downgrades)
        yield Tool(function.name, function.description or "", parameters)


def read_parameters(function: FunctionDefinition, path: str, downgrades: list[str]) -> JsonSchema | None:
    """Return the arguments of a function; what is enforced loosely is added to ``downgrades``."""
    if not function.parameters:
        return None
    found = loosely(function.parameters, strict=bool(function.strict))
    if found.faults:
        fault = found.faults[0]
        where = f"{fault.path}: " if fault.path else ""
        raise Refused(
            f"Invalid schema for function '{function.name}': {where}{fault.reason}",
            path,
            "invalid_function_parameters",
        )
    if not isinstance(found.compiled.root, Object | Anything):
        raise Refused(
            f"Invalid schema for function '{function.name}': schema must be a JSON Schema of 'type: "
            '"object"\'.',
            path,
            "invalid_function_parameters",
        )
    if found.left_out:
        downgrades.append(f"{path}=without-{'+'.join(found.left_out)}")
    return found.compiled.parameters


def _chosen(message: ChatRequest, names: set[str]) -> tuple[CallMode, set[str]]:
    """Return whether a function may or must be called, and the names of those that may."""
    match message.tool_choice:
        case FunctionChoice() as choice:
            return "any", {_known(choice.function.name, names, "tool_choice.function.name")}
        case AllowedChoice() as choice:
            path = "tool_choice.allowed_tools.tools"
            allowed = {
                _known(_name(tool, f"{path}[{index}]"), names, f"{path}[{index}].function.name")
                for index, tool in enumerate(choice.allowed_tools.tools)
            }
            return _MODES[choice.allowed_tools.mode], allowed
        case CustomChoice():
            raise refused.wrong_value("tool_choice.type", "custom", ("function", "allowed_tools"))
        case word:
            return _MODES[word], names


def _name(tool: FunctionChoice | CustomChoice, path: str) -> str:
    if not isinstance(tool, FunctionChoice):
        raise refused.wrong_value(f"{path}.type", "custom", ("function",))
    return tool.function.name


def _known(name: str, names: set[str], param: str) -> str:
    if name not in names:
        raise Refused(
            f"Invalid value for '{param}': no function named '{name}' was specified in the 'tools' "
            "parameter.",
            param,
        )
    return name
