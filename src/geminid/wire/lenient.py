"""JSON text to Python values, as forgivingly as Google's front end reads it.

Strict JSON first; only what is refused is read again with trailing commas, single quotes and bare
keys allowed. It knows no message types. Invariant: what it returns can be written as JSON again, and
whatever the bytes are, nothing but ``InvalidArgument`` is raised.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
import pyjson5

from geminid.core.errors import FieldViolation, InvalidArgument

Json = Any
"""A value that JSON spells: dict, list, str, int, float, bool or None."""

LEVELS_MAX = 100
"""How deep lists and objects may be nested, in levels; protobuf's own bound."""

_SNIPPET_CHARS = 40
_STRICT = msgspec.json.Decoder(Any)
_POSITION = re.compile(r"near (\d+)")


def parse(body: bytes) -> Json:
    """Return the value that ``body`` spells; an empty body is ``{}``.

    Raises InvalidArgument for anything that is not JSON by the lenient reading, for text that is not
    Unicode, and for nesting that no parser should follow.
    """
    if not body or body.isspace():
        return {}
    try:
        return _STRICT.decode(body)
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        return _parse_lenient(body)


def check_free(value: object) -> None:
    """Raise ValueError where a free-form value nests too deep or holds a number that is not finite."""
    todo = [(value, 1)]
    while todo:
        item, level = todo.pop()
        if isinstance(item, dict | list):
            if level > LEVELS_MAX:
                raise ValueError("nested too deep")
            children = item.values() if isinstance(item, dict) else item
            todo.extend((child, level + 1) for child in children)
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError("not a finite number")


def too_deep() -> InvalidArgument:
    """Return the error for a document that nests beyond ``LEVELS_MAX``."""
    return _refusal("Message too deep. Max recursion depth reached.")


def _parse_lenient(body: bytes) -> Json:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _refusal("Invalid UTF-8 encoded data in the request body.") from None
    try:
        return pyjson5.decode(text, LEVELS_MAX)
    except pyjson5.Json5NestingTooDeep:
        raise too_deep() from None
    except (pyjson5.Json5Exception, ValueError) as error:
        raise _unexpected(text, str(error.args[0])) from None  # not str(error): it holds the whole body


def _unexpected(text: str, complaint: str) -> InvalidArgument:
    found = _POSITION.search(complaint)
    at = min(max(int(found[1]) - 1, 0) if found else 0, len(text))
    start = max(text.rfind("\n", 0, at) + 1, at - _SNIPPET_CHARS // 2)
    line = text[start : at + _SNIPPET_CHARS // 2].partition("\n")[0]
    return _refusal(f"Unexpected token.\n{line}\n{' ' * (at - start)}^")


def _refusal(complaint: str) -> InvalidArgument:
    message = f"Invalid JSON payload received. {complaint}"
    return InvalidArgument(message, violations=(FieldViolation(message),))
