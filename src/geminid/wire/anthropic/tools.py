"""Tools that may be called, and whether one may, must or must not be: to core's words.

Where a tool is not declared ``strict`` and its schema says more than can be enforced, what can be is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from geminid.core.request import CallMode, JsonSchema
from geminid.core.request import Tool as CoreTool
from geminid.shape.nodes import Anything, Object
from geminid.wire.anthropic.refused import Refused, convert, unsupported
from geminid.wire.anthropic.schema import AnyChoice as MustCall
from geminid.wire.anthropic.schema import CountRequest, Free, NoChoice, Tool, ToolChoice
from geminid.wire.loosened import loosely
from geminid.wire.scalars import clip

CUSTOM = (None, "custom")
NOT_OBJECT = "JSON schema is invalid: its type must be 'object'"
CACHED = "cache_control=implicit"


class Calling(NamedTuple):
    """Which tools may be called, and how many of one answer. downgrades: what is served with less."""

    tools: tuple[CoreTool, ...] = ()
    mode: CallMode = "auto"
    calls_max: int | None = None
    downgrades: tuple[str, ...] = ()


def read_calling(message: CountRequest) -> Calling:
    """Return what may be called; raises :class:`~geminid.wire.anthropic.refused.Refused`."""
    choice = message.tool_choice
    if not message.tools:
        if isinstance(choice, MustCall | ToolChoice):
            raise Refused("tool_choice", "tool_choice may only be specified while providing tools.")
        return Calling()
    downgrades: dict[str, None] = {}
    tools = tuple(_declared(message.tools, downgrades))
    if isinstance(choice, NoChoice):
        return Calling((), "none", None, ())
    if isinstance(choice, ToolChoice):
        tools = tuple(tool for tool in tools if tool.name == choice.name)
        if not tools:
            raise Refused("tool_choice", f"Tool '{clip(choice.name)}' not found in provided tools")
    single = choice is not None and choice.disable_parallel_tool_use
    mode: CallMode = "any" if isinstance(choice, MustCall | ToolChoice) else "auto"
    return Calling(tools, mode, 1 if single else None, tuple(downgrades))


def _declared(tools: Sequence[Free], downgrades: dict[str, None]) -> Iterator[CoreTool]:
    names: set[str] = set()
    for index, given in enumerate(tools):
        path = f"tools.{index}"
        if given.get("type") not in CUSTOM:
            raise unsupported(f"{path}.type", "Only tools that you run yourself can be called.")
        tool = convert(Tool, given, path)
        if tool.name in names:
            raise Refused("tools", "Tool names must be unique.")
        names.add(tool.name)
        if tool.cache_control is not None:
            downgrades[CACHED] = None
        if tool.defer_loading:
            raise unsupported(f"{path}.defer_loading", "There is no tool search.")
        if any(who != "direct" for who in tool.allowed_callers or ()):
            raise unsupported(f"{path}.allowed_callers", "Only the model calls.")
        if tool.input_examples:
            downgrades[f"{path}.input_examples=not-told-to-the-model"] = None
        yield CoreTool(tool.name, tool.description or "", _parameters(tool, path, downgrades))


def _parameters(tool: Tool, path: str, downgrades: dict[str, None]) -> JsonSchema | None:
    path = f"{path}.input_schema"
    found = loosely(tool.input_schema, strict=bool(tool.strict))
    if found.faults:
        fault = found.faults[0]
        raise Refused(f"{path}.{fault.path}" if fault.path else path, fault.reason)
    if not isinstance(found.compiled.root, Object | Anything):
        raise Refused(path, NOT_OBJECT)
    if found.left_out:
        downgrades[f"{path}=without-{'+'.join(found.left_out)}"] = None
    return found.compiled.parameters
