"""The functions that a model may call: ``tools`` to core's words.

Schemas are kept as far as a grammar can hold them; what is left out of one is told. Invariant: what comes out
has names of its own, and only those that the caller allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geminid.core.request import CallMode, JsonSchema, Tool
from geminid.shape.nodes import Anything, Object
from geminid.wire.gemini.tools import DECLARATIONS_MAX, NAME_RULE, is_name
from geminid.wire.interactions.contents import listed, type_of
from geminid.wire.interactions.mistakes import Mistakes
from geminid.wire.interactions.refusals import TOOLS
from geminid.wire.interactions.schema import Function
from geminid.wire.interactions.settings import Choice
from geminid.wire.lenient import Json
from geminid.wire.loosened import loosely
from geminid.wire.protojson import FreeForm, Reader
from geminid.wire.scalars import clip

_FUNCTION = Reader(Function)
_CHOICE = "generation_config.tool_choice"


def read_tools(
    tools: Sequence[FreeForm], choice: Choice, downgrades: list[str], mistakes: Mistakes
) -> tuple[tuple[Tool, ...], CallMode]:
    """Return the functions that may be called, and whether one may, must or must not be."""
    declared = tuple(_declared(tools, downgrades, mistakes))
    names = {tool.name for tool in declared}
    for index, name in enumerate(choice.allowed or ()):
        if name not in names:
            reason = f"{clip(name)} is not among the declared functions."
            mistakes.refuse(f"{_CHOICE}.allowed_tools.tools[{index}]", reason)
    if choice.mode == "any" and not declared:
        mistakes.refuse(_CHOICE, "no function is declared that could be called.")
    if choice.mode == "none":
        return (), choice.mode
    allowed = names if choice.allowed is None else choice.allowed
    return tuple(tool for tool in declared if tool.name in allowed), choice.mode


def _declared(tools: Sequence[FreeForm], downgrades: list[str], mistakes: Mistakes) -> Iterator[Tool]:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        if mistakes.full:
            return
        if len(names) == DECLARATIONS_MAX:
            mistakes.refuse(path, f"at most {DECLARATIONS_MAX} functions may be declared.")
            return
        function = _function(tool.value, path, mistakes)
        if function is not None:
            yield _tool(function, path, names, downgrades, mistakes)


def _function(value: Json, path: str, mistakes: Mistakes) -> Function | None:
    kind = type_of(value, path, mistakes)
    if kind is None:
        return None
    if kind in TOOLS:
        mistakes.refuse(f"{path}.type", TOOLS[kind])
        return None
    if kind != "function":
        known = listed(("function", *TOOLS))
        mistakes.refuse(f"{path}.type", f"'{clip(kind)}' is not a type of tool; there are {known}.")
        return None
    return mistakes.read(_FUNCTION, value, path)


def _tool(function: Function, path: str, names: set[str], downgrades: list[str], mistakes: Mistakes) -> Tool:
    name = function.name or ""
    if not is_name(name):
        mistakes.refuse(f"{path}.name", NAME_RULE)
    elif name in names:
        mistakes.say(f"{path}.name", f"Duplicate function declaration found: {clip(name)}")
    names.add(name)
    parameters = _parameters(function, f"{path}.parameters", downgrades, mistakes)
    return Tool(name, function.description or "", parameters)


def _parameters(
    function: Function, path: str, downgrades: list[str], mistakes: Mistakes
) -> JsonSchema | None:
    schema = function.parameters.value if function.parameters is not None else None
    if not schema and not isinstance(schema, list):
        return None
    found = loosely(schema, strict=False)
    for fault in found.faults:
        mistakes.refuse(below(path, fault.path), fault.reason)
    if found.faults:
        return None
    if not isinstance(found.compiled.root, Object | Anything):
        mistakes.refuse(path, "the arguments of a function are an object.")
        return None
    if found.left_out:
        downgrades.append(f"{path}=without-{'+'.join(found.left_out)}")
    return found.compiled.parameters


def below(path: str, inner: str) -> str:
    """Return the path of something within the schema at ``path``."""
    return path + (inner if not inner or inner.startswith("[") else f".{inner}")
