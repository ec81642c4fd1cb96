"""The functions that a model may call, and whether it may: ``tools`` and ``toolConfig`` to core's words.

Built-in tools are the business of ``refusals``; schemas are that of ``shapes``. Invariant: what comes out
has names of its own, and only those that the caller allows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from geminid.core.request import CallMode, JsonSchema
from geminid.core.request import Tool as CoreTool
from geminid.wire import schemas
from geminid.wire.gemini import shapes
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.enums import CallingMode, FunctionBehavior
from geminid.wire.gemini.schema import FunctionCallingConfig, FunctionDeclaration, Tool, ToolConfig
from geminid.wire.scalars import clip

DECLARATIONS_MAX = 512
NAME_CHARS_MAX = 128

_NAME = re.compile(rf"[A-Za-z_][A-Za-z0-9_.:-]{{0,{NAME_CHARS_MAX - 1}}}", re.ASCII)
NAME_RULE = (
    "[FIELD_INVALID] Invalid function name. Must start with a letter or an underscore. Must be a-z, A-Z, "
    f"0-9, or contain underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of "
    f"{NAME_CHARS_MAX}."
)
_CONFIG = "tool_config.function_calling_config"
_MODES: dict[CallingMode | None, CallMode] = {
    None: "auto",
    CallingMode.UNSPECIFIED: "auto",
    CallingMode.AUTO: "auto",
    CallingMode.ANY: "any",
    CallingMode.NONE: "none",
    CallingMode.VALIDATED: "validated",
}
_SELECTIVE: tuple[CallMode, ...] = ("any", "validated")
_NO_CONFIG = FunctionCallingConfig()


def read_tools(
    tools: Sequence[Tool], config: ToolConfig | None, complaints: Complaints
) -> tuple[tuple[CoreTool, ...], CallMode]:
    """Return the functions that may be called, and whether one may, must or must not be."""
    calling = (config and config.function_calling_config) or _NO_CONFIG
    mode = _MODES[calling.mode]
    declared = tuple(_declared(tools, complaints))
    allowed = calling.allowed_function_names or []
    _check_allowed(allowed, mode, {tool.name for tool in declared}, complaints)
    if mode == "any" and not declared:
        complaints.say(_CONFIG, "Function calling config is set without function_declarations.")
    if mode == "none":
        return (), mode
    return tuple(tool for tool in declared if not allowed or tool.name in allowed), mode


def is_name(name: str) -> bool:
    """Tell whether a function may be called so."""
    return _NAME.fullmatch(name) is not None


def _declared(tools: Sequence[Tool], complaints: Complaints) -> Iterator[CoreTool]:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        for number, declaration in enumerate(tool.function_declarations or ()):
            path = f"tools[{index}].function_declarations[{number}]"
            if complaints.full:
                return
            if len(names) == DECLARATIONS_MAX:
                complaints.refuse(path, f"at most {DECLARATIONS_MAX} functions may be declared.")
                return
            yield _tool(declaration, path, names, complaints)


def _tool(declaration: FunctionDeclaration, path: str, names: set[str], complaints: Complaints) -> CoreTool:
    name = declaration.name or ""
    if not is_name(name):
        complaints.refuse(f"{path}.name", NAME_RULE)
    elif name in names:
        complaints.say(f"{path}.name", f"Duplicate function declaration found: {clip(name)}")
    names.add(name)
    if declaration.behavior is FunctionBehavior.NON_BLOCKING:
        complaints.refuse(f"{path}.behavior", "only live sessions can go on while a function runs.")
    return CoreTool(name, declaration.description or "", _parameters(declaration, path, complaints))


def _parameters(declaration: FunctionDeclaration, path: str, complaints: Complaints) -> JsonSchema | None:
    google, standard = declaration.parameters, declaration.parameters_json_schema
    if google is not None and standard is not None:
        complaints.refuse(
            f"{path}.parameters_json_schema", "only one of parameters and parameters_json_schema can be set."
        )
    elif google is not None:
        return shapes.read_parameters(google.value, schemas.GOOGLE, f"{path}.parameters", complaints)
    elif standard is not None:
        where = f"{path}.parameters_json_schema"
        return shapes.read_parameters(standard.value, schemas.STANDARD, where, complaints)
    return None


def _check_allowed(
    allowed: Sequence[str], mode: CallMode, declared: set[str], complaints: Complaints
) -> None:
    path = f"{_CONFIG}.allowed_function_names"
    if allowed and mode not in _SELECTIVE:
        complaints.refuse(path, "only valid when the function calling mode is ANY or VALIDATED.")
        return
    for index, name in enumerate(allowed):
        if name not in declared:
            complaints.refuse(f"{path}[{index}]", f"{clip(name)} is not among the declared functions.")
