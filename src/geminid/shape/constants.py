"""``enum`` and ``const``: which of the listed values the rest of the schema admits.

It knows only what can be decided about a value by looking at it once: keywords that would need more are
refused beside a list of values. Invariant: a value that is kept satisfies every keyword beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from geminid.shape.keywords import SPEAKS_OF, is_number, is_sendable

CONSTANTS_MAX = 5_000
_DIGITS_MAX = 300

Schema = dict[str, Any]

_UNDECIDED = {
    "string": ("pattern",),
    "array": ("items", "prefixItems"),
    "object": ("properties", "required", "additionalProperties"),
    "number": (),
}
_COUNTED = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


def listed(schema: Schema) -> list[Any]:
    """Return the values that ``enum`` and ``const`` of ``schema`` both name."""
    values = schema.get("enum", [schema.get("const")])
    if "const" not in schema:
        return list(values)
    only = written(schema["const"])
    return [each for each in values if written(each) == only]


def undecided(schema: Schema, values: list[Any]) -> str | None:
    """Return a keyword of ``schema`` that would have to be tried on the values, if there is one."""
    kinds = {kind_of(each) for each in values}
    names = [name for kind in kinds for name in _UNDECIDED.get(kind, ()) if name in schema]
    return names[0] if names else None


def admitted(schema: Schema, values: list[Any]) -> list[str]:
    """Return how those of ``values`` are written that have a type and a size that ``schema`` admits."""
    types = schema.get("type")
    allowed = None if types is None else [types] if isinstance(types, str) else types
    kept = [each for each in values if _has_type(each, allowed) and _has_size(each, schema)]
    return list(dict.fromkeys(written(each) for each in kept))


def unwritable(values: Any) -> str | None:
    """Return why one of ``values`` cannot be written as JSON, or ``None``."""
    pending = [values]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            pending += value.values()
            pending += value.keys()
        elif isinstance(value, str) and not is_sendable(value):
            return "a lone surrogate cannot be written."
        elif isinstance(value, float) and not math.isfinite(value):
            return "a number that is not finite cannot be written."
        elif isinstance(value, int) and value.bit_length() > _DIGITS_MAX * 3:
            return f"a number of more than {_DIGITS_MAX} digits is not supported."
    return None


def written(value: Any) -> str:
    """Return ``value`` in the one way that JSON is written here."""
    return json.dumps(value, ensure_ascii=False)


def kind_of(value: Any) -> str:
    """Return the type of ``value``; all numbers are of the same."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    kinds: dict[type, str] = {str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "number")


def _has_type(value: Any, allowed: list[str] | None) -> bool:
    kind = kind_of(value)
    if allowed is None or kind in allowed:
        return True
    return kind == "number" and "integer" in allowed and value == value // 1


def _has_size(value: Any, schema: Schema) -> bool:
    kind = kind_of(value)
    if kind in _COUNTED:
        low, high = _COUNTED[kind]
        return bool(schema.get(low, 0) <= len(value) <= schema.get(high, len(value)))
    if kind == "number":
        return all(_COMPARED[name](value, schema[name]) for name in SPEAKS_OF["number"] if name in schema)
    return True


def _is_multiple(value: Any, step: Any) -> bool:
    return Decimal(repr(value)) % Decimal(repr(step)) == 0 if is_number(value) else False


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, bound: value >= bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
    "multipleOf": lambda value, step: _is_multiple(value, step),
}
