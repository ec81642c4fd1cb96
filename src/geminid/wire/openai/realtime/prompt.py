"""From a conversation, its session and the wishes for one answer to what an engine is asked.

It knows no connection. Invariant: what is asked for one answer changes that answer alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from geminid.core.content import Text, Turn
from geminid.core.errors import InputTooLong
from geminid.core.manner import Manner
from geminid.core.request import CallMode, GenerateRequest, Tool
from geminid.wire.openai import refused
from geminid.wire.openai.realtime.conversation import Conversation
from geminid.wire.openai.realtime.items import Kept, turns_of
from geminid.wire.openai.realtime.schema import Forced, Function, Reference, ResponseOptions, ToolChoice
from geminid.wire.openai.realtime.session import NO_PROMPTS, Session, bound_of, check_modalities
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.schema import FunctionDefinition
from geminid.wire.openai.thinking import of_effort
from geminid.wire.openai.tools import read_parameters

NOTHING_SAID = "There is nothing to answer: the conversation is empty, and there are no instructions."
NO_TOOLS = "Invalid value for '{0}': '{0}' is only allowed when 'tools' are specified."
NOT_AMONG = "Invalid value for '{}': no function named '{}' was specified in the 'tools' parameter."
ROOM_LEFT = 0.9
"""Of a prompt that is too long so much of what fits is kept, since items differ in length."""
_MODES: dict[str, CallMode] = {"auto": "auto", "required": "any", "none": "none"}


class Calling(NamedTuple):
    """Which functions may be called. downgrades: what of their arguments is enforced loosely."""

    tools: tuple[Tool, ...] = ()
    mode: CallMode = "auto"
    downgrades: tuple[str, ...] = ()


class Asked(NamedTuple):
    """One answer that is asked for: over which items, with which settings, whether it joins them."""

    session: Session
    items: tuple[Kept, ...]
    joins: bool
    metadata: dict[str, str] | None


def asked(session: Session, conversation: Conversation, options: ResponseOptions | None) -> Asked:
    """Return what a client asks for; raises :class:`Refused`."""
    options = options or ResponseOptions()
    check_modalities(options.output_modalities, "response.output_modalities")
    if options.prompt is not None:
        raise refused.unsupported("response.prompt", NO_PROMPTS)
    given: dict[str, Any] = {
        "instructions": options.instructions,
        "tools": None if options.tools is None else tuple(options.tools),
        "tool_choice": options.tool_choice,
        "parallel": options.parallel_tool_calls,
        "effort": options.reasoning.effort if options.reasoning else None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if options.max_output_tokens is not None:
        given["tokens_max"] = bound_of(options.max_output_tokens)
    changed = msgspec.structs.replace(session, **given)
    items = tuple(conversation if options.input is None else _given(options, conversation, session))
    if not items and not changed.instructions:
        raise Refused(NOTHING_SAID, None, refused.INVALID_VALUE)
    return Asked(changed, items, options.conversation != "none", options.metadata)


def _given(options: ResponseOptions, conversation: Conversation, session: Session) -> Iterable[Kept]:
    for index, each in enumerate(options.input or ()):
        path = f"response.input[{index}]"
        if isinstance(each, Reference):
            yield conversation.find(each.id)
        else:
            yield conversation.read(each, session.format, path)


def calling_of(tools: Sequence[Function], choice: ToolChoice, path: str, *, required: bool = True) -> Calling:
    """Return what may be called; raises :class:`Refused` with paths below ``path``.

    required: whether a choice without tools is a mistake. It may take a while, since schemas become grammars.
    """
    downgrades: list[str] = []
    declared = tuple(
        Tool(each.name, each.description or "", _parameters(each, f"{path}.tools[{index}]", downgrades))
        for index, each in enumerate(tools)
    )
    where = f"{path}.tool_choice"
    if isinstance(choice, Forced):
        allowed = tuple(tool for tool in declared if tool.name == choice.name)
        if not allowed and (declared or required):
            raise Refused(NOT_AMONG.format(where, choice.name), where, refused.INVALID_VALUE)
        return Calling(allowed, "any", tuple(downgrades)) if allowed else Calling()
    mode = _MODES[choice]
    if mode == "any" and not declared:
        if required:
            raise Refused(NO_TOOLS.format(where), where, refused.INVALID_VALUE)
        return Calling()
    return Calling() if mode == "none" else Calling(declared, mode, tuple(downgrades))


def _parameters(said: Function, path: str, downgrades: list[str]) -> dict[str, Any] | None:
    definition = FunctionDefinition(
        name=said.name, description=said.description, parameters=said.parameters, strict=said.strict
    )
    return read_parameters(definition, f"{path}.parameters", downgrades)


def request_of(
    wanted: Asked, items: Sequence[Kept], calling: Calling, manner_of: Callable[[str], Manner]
) -> GenerateRequest:
    """Return what an engine is asked about ``items``; without any, there are instructions."""
    session = wanted.session
    said, turns = turns_of(items)
    system = (*((Text(session.instructions),) if session.instructions else ()), *said)
    if not turns:
        system, turns = (), (Turn("user", system),)  # a model needs somebody to answer
    return GenerateRequest(
        model=session.model,
        turns=turns,
        system=system,
        tokens_max=session.tokens_max,
        thinking=of_effort(session.effort, manner_of(session.model)),
        tools=calling.tools,
        call_mode=calling.mode,
        calls_max=1 if session.parallel is False else None,
        labels=wanted.metadata or {},
    )


def shortened(items: Sequence[Kept], session: Session, problem: InputTooLong) -> Sequence[Kept] | None:
    """Return fewer items, the oldest left out, where the session wants that; None where nothing is left."""
    if session.truncation == "disabled" or len(items) < 2:
        return None
    kept = ROOM_LEFT if isinstance(session.truncation, str) else session.truncation.retention_ratio
    share = problem.tokens_max / max(problem.tokens, 1) * kept
    count = min(int(len(items) * share), len(items) - 1)
    return _from_a_turn(items[len(items) - max(count, 1) :]) or None


def _from_a_turn(items: Sequence[Kept]) -> Sequence[Kept]:
    """Leave out results at the beginning, whose calls are not there any more."""
    for place, each in enumerate(items):
        if each.item.type != "function_call_output":
            return items[place:]
    return ()
