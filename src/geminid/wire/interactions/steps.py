"""Steps of an input, one at a time: what the user, the model or a function says, to core's parts.

It knows no order of steps: that is :mod:`geminid.wire.interactions.conversation`'s. Invariant: every step
comes out whole or is noted as wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from geminid.core.content import Part, Text, Thought, ToolCall, ToolResult
from geminid.wire.interactions.contents import TYPES, listed, read_content, read_contents, type_of
from geminid.wire.interactions.mistakes import Mistakes
from geminid.wire.interactions.refusals import refused_step
from geminid.wire.interactions.schema import (
    FunctionCallStep,
    FunctionResultStep,
    SpokenStep,
    ThoughtStep,
)
from geminid.wire.lenient import Json
from geminid.wire.protojson import Reader
from geminid.wire.scalars import clip

_SPOKEN, _THOUGHT = Reader(SpokenStep), Reader(ThoughtStep)
_CALL, _RESULT = Reader(FunctionCallStep), Reader(FunctionResultStep)
_JSON = msgspec.json.Decoder(Any)


class Found(NamedTuple):
    """One part of a step, or what signs the calls behind it. ``path`` is where that stands."""

    by_model: bool
    part: Part | None
    path: str
    signature: str = ""


def read_step(value: Json, path: str, mistakes: Mistakes) -> Iterator[Found]:
    """Yield the parts of one step or content at ``path``; what is wrong with it is noted."""
    if isinstance(value, str):
        yield Found(False, Text(value), path)
        return
    kind = type_of(value, path, mistakes)
    if kind is None:
        return
    if (read := _STEPS.get(kind)) is not None:
        yield from read(value, path, mistakes)
    elif kind in TYPES:
        if (spoken := read_content(value, path, mistakes)) is not None:
            yield Found(False, spoken, path)
    elif reason := refused_step(kind):
        mistakes.refuse(f"{path}.type", reason)
    else:
        known = listed((*_STEPS, *TYPES))
        mistakes.refuse(f"{path}.type", f"'{clip(kind)}' is not a type of step; use {known}.")


def _user(value: Json, path: str, mistakes: Mistakes) -> Iterator[Found]:
    for item, where in _contents(value, path, mistakes):
        if isinstance(item, dict) and item.get("type") == "function_result":
            yield from _result(item, where, mistakes)  # some clients put them here
            continue
        for spoken in read_contents(item, where, mistakes):
            yield Found(False, spoken, where)


def _model(value: Json, path: str, mistakes: Mistakes) -> Iterator[Found]:
    for item, where in _contents(value, path, mistakes):
        for spoken in read_contents(item, where, mistakes):
            yield Found(True, spoken, where)


def _contents(value: Json, path: str, mistakes: Mistakes) -> Iterator[tuple[Json, str]]:
    """Yield the contents of a step with their paths."""
    step = mistakes.read(_SPOKEN, value, path)
    if step is None or step.content is None:
        return
    content = step.content.value
    if not isinstance(content, list):
        yield content, f"{path}.content"
        return
    for index, item in enumerate(content):
        if isinstance(item, str):
            mistakes.refuse(f"{path}.content[{index}]", "an object with a type is expected.")
        elif not mistakes.full:
            yield item, f"{path}.content[{index}]"


def _thought(value: Json, path: str, mistakes: Mistakes) -> Iterator[Found]:
    step = mistakes.read(_THOUGHT, value, path)
    if step is None:
        return
    summary = step.summary.value if step.summary is not None else None
    said = [] if summary is None else list(read_contents(summary, f"{path}.summary", mistakes))
    text = "".join(part.text for part in said if isinstance(part, Text))
    yield Found(True, Thought(text) if text else None, f"{path}.signature", step.signature or "")


def _call(value: Json, path: str, mistakes: Mistakes) -> Iterator[Found]:
    step = mistakes.read(_CALL, value, path)
    if step is None:
        return
    if not step.name:
        mistakes.refuse(f"{path}.name", "name must not be empty.")
    arguments = step.arguments.value if step.arguments is not None else {}
    if not isinstance(arguments, dict):
        mistakes.refuse(f"{path}.arguments", "arguments are an object.")
        return
    call = ToolCall(step.name or "", arguments, step.id or "")
    yield Found(True, call, path, step.signature or "")


def _result(value: Json, path: str, mistakes: Mistakes) -> Iterator[Found]:
    step = mistakes.read(_RESULT, value, path)
    if step is None:
        return
    if not step.call_id:
        mistakes.refuse(f"{path}.call_id", "call_id must not be empty.")
        return
    if step.result is None:
        mistakes.refuse(f"{path}.result", "result is required.")
        return
    response, parts = _response(step.result.value, f"{path}.result", mistakes)
    if step.is_error:
        response = {"error": response.get("output", response)}
    yield Found(False, ToolResult(step.name or "", response, step.call_id, parts), path)


def _response(value: Json, path: str, mistakes: Mistakes) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """Return what a function gave back as an object, and the media beside it."""
    if isinstance(value, dict):
        return value, ()
    if isinstance(value, str):
        return _of_text(value), ()
    if not isinstance(value, list) or not all(_is_content(item) for item in value):
        return {"output": value}, ()
    said = list(read_contents(value, path, mistakes))
    text = "".join(part.text for part in said if isinstance(part, Text))
    media = tuple(part for part in said if not isinstance(part, Text))
    return _of_text(text) if text or not media else {}, media


def _is_content(item: Json) -> bool:
    return isinstance(item, dict) and item.get("type") in TYPES


def _of_text(text: str) -> dict[str, Any]:
    """Return a text as what it spells, if that is an object of JSON, or else as ``output``."""
    if text.lstrip()[:1] == "{":
        try:
            found = _JSON.decode(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
    return {"output": text}


_STEPS: dict[str, Callable[[Json, str, Mistakes], Iterator[Found]]] = {
    "user_input": _user,
    "model_output": _model,
    "thought": _thought,
    "function_call": _call,
    "function_result": _result,
}
