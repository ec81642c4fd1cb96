"""The keywords of JSON Schema: which there are, what values they take, which types they speak about.

It knows no relation between keywords. Invariant: checking a keyword's value never raises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from geminid.shape.faults import Faults, element, member, quoted

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")

SPEAKS_OF = {
    "object": (
        *("properties", "required", "additionalProperties", "propertyOrdering"),
        *("minProperties", "maxProperties"),
    ),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip
"""By type, the keywords that are enforced and say nothing about other types."""

ANYWHERE = ("$ref", "allOf", "anyOf", "oneOf", "enum", "const", "type", "nullable")
"""The enforced keywords that may speak of every type."""

ENFORCED = frozenset((*ANYWHERE, *(name for names in SPEAKS_OF.values() for name in names)))

REFUSED = {
    "array": ("contains", "minContains", "maxContains", "uniqueItems", "unevaluatedItems"),
    "object": (
        "patternProperties",
        "propertyNames",
        "unevaluatedProperties",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
    ),
    "": ("not", "if", "$dynamicRef", "$recursiveRef"),
}
"""By type, with "" for all, the keywords that validate and that no grammar enforces."""

_REFUSED_NAMES = frozenset(name for names in REFUSED.values() for name in names)


def restricts(schema: dict[str, Any]) -> bool:
    """Tell whether anything in ``schema`` is more than an annotation."""
    return any(name in ENFORCED or name in _REFUSED_NAMES for name in schema)


def says_nothing(name: str, schema: dict[str, Any]) -> bool:
    """Tell whether the refused keyword ``name`` has a value that every instance satisfies."""
    value = schema[name]
    if name in ("minContains", "maxContains"):
        return "contains" not in schema
    if name in ("uniqueItems", "not"):
        return value is False
    if name == "if":
        return "then" not in schema and "else" not in schema
    if name in ("patternProperties", "dependentRequired", "dependentSchemas", "dependencies"):
        return bool(value == {})
    return name in ("propertyNames", "unevaluatedItems", "unevaluatedProperties") and value is True


def check_values(schema: dict[str, Any], path: str, spell: Callable[[str], str], faults: Faults) -> bool:
    """Note each keyword whose value has a wrong type; tell whether there was none."""
    sound = True
    for name, value in schema.items():
        check = _CHECKS.get(name)
        expected = check(value) if check else None
        if expected:
            faults.note(member(path, spell(name)), expected)
            sound = False
    return sound and _check_names(schema, path, spell, faults)


def _check_names(schema: dict[str, Any], path: str, spell: Callable[[str], str], faults: Faults) -> bool:
    """Note names of members that no JSON text can hold, and types that there are not."""
    sound = True
    types = schema.get("type", ())
    for name in [types] if isinstance(types, str) else types:
        if name not in TYPES:
            faults.note(member(path, spell("type")), f"{quoted(name)} is not a type of JSON.")
            sound = False
    names = [*schema.get("properties", ()), *schema.get("required", ())]
    if not all(is_sendable(each) for each in names):
        faults.note(path, "the name of a property has a lone surrogate.")
        sound = False
    for index, name in enumerate(schema.get("propertyOrdering", ())):
        if name not in schema.get("properties", ()):
            where = element(member(path, spell("propertyOrdering")), index)
            faults.note(where, f"{quoted(name)} is not a property.")
            sound = False
    return sound


def is_sendable(text: str) -> bool:
    """Tell whether ``text`` can be sent: it has no half of a surrogate pair."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def is_number(value: object) -> bool:
    """Tell whether ``value`` is a finite number of JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _object(value: object) -> str | None:
    return None if isinstance(value, dict) else "must be an object."


def _schema(value: object) -> str | None:
    return None if isinstance(value, dict | bool) else "must be a schema."


def _schemas(value: object) -> str | None:
    return None if isinstance(value, list) and value else "must be a list of at least one schema."


def _values(value: object) -> str | None:
    return None if isinstance(value, list) and value else "must be a list of at least one value."


def _strings(value: object) -> str | None:
    sound = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return None if sound else "must be a list of strings."


def _string(value: object) -> str | None:
    return None if isinstance(value, str) else "must be a string."


def _boolean(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be a boolean."


def _number(value: object) -> str | None:
    try:
        return None if is_number(value) else "must be a finite number."
    except OverflowError:
        return "must be a number of fewer digits."


def _positive(value: object) -> str | None:
    return _number(value) or (None if value > 0 else "must be greater than 0.")  # type: ignore[operator]


def _count(value: object) -> str | None:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    return None if whole and 0 <= value <= 2**53 else "must be a whole number from 0 on."  # type: ignore[operator]


def _type(value: object) -> str | None:
    if isinstance(value, list) and not value:
        return "must name at least one type."
    sound = isinstance(value, str) or _strings(value) is None
    return None if sound else "must be a string or a list of strings."


_CHECKS: dict[str, Callable[[object], str | None]] = {
    **dict.fromkeys(("properties", "$defs", "definitions"), _object),
    **dict.fromkeys(("items", "additionalProperties"), _schema),
    **dict.fromkeys(("prefixItems", "anyOf", "oneOf", "allOf"), _schemas),
    **dict.fromkeys(("required", "propertyOrdering"), _strings),
    **dict.fromkeys(("pattern", "format", "$ref"), _string),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _count),
    **dict.fromkeys(("minProperties", "maxProperties"), _count),
    "multipleOf": _positive,
    "enum": _values,
    "type": _type,
    "nullable": _boolean,
}
