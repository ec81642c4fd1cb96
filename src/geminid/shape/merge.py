"""Two schemas that hold at once, as one schema where that is plain.

``allOf``, and what stands beside ``$ref`` or ``anyOf``, means that several schemas hold for one value. A
grammar cannot intersect; keywords often can. It knows no ``$ref``. Invariant: what validates against the
result validates against both; where no rule here says so, the merge is refused with the keyword.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from geminid.shape.keywords import ENFORCED, REFUSED

Schema = dict[str, Any]

_NO = object()
_KNOWN = ENFORCED | {name for names in REFUSED.values() for name in names}


class Conflict(Exception):
    """Two schemas cannot be merged; ``keyword`` is where they differ."""

    def __init__(self, keyword: str) -> None:
        super().__init__(keyword)
        self.keyword = keyword


def merged(left: Schema, right: Schema) -> Schema:
    """Return a schema that admits only what both admit. Raises Conflict."""
    _check_closed(left, right)
    _check_closed(right, left)
    _check_lists(left, right)
    found = {name: value for name, value in left.items() if name in _KNOWN}
    for name, value in right.items():
        if name not in _KNOWN:
            continue
        found[name] = _both(name, found[name], value) if name in found else value
    if found.get("nullable") and not (left.get("nullable") and right.get("nullable")):
        del found["nullable"]  # null would have to be allowed by both
    return found


def _both(name: str, left: Any, right: Any) -> Any:
    rule = _RULES.get(name)
    result = rule(left, right) if rule else left if same(left, right) else _NO
    if result is _NO:
        raise Conflict(name)
    return result


def same(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are the same text; unlike in Python, true is not 1."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _check_closed(left: Schema, right: Schema) -> None:
    """Refuse where ``left`` speaks of additional properties that ``right`` declares."""
    if left.get("additionalProperties", True) is True:
        return
    own, other = left.get("properties", {}), right.get("properties", {})
    if any(name not in own for name in other):
        raise Conflict("additionalProperties")


def _check_lists(left: Schema, right: Schema) -> None:
    """Refuse where one's ``items`` would begin at another place beside the other's ``prefixItems``."""
    if same(left.get("prefixItems"), right.get("prefixItems")):
        return
    if all(any(name in side for name in ("items", "prefixItems")) for side in (left, right)):
        raise Conflict("prefixItems")


def _types(left: Any, right: Any) -> Any:
    ours, theirs = ([each] if isinstance(each, str) else each for each in (left, right))
    both = [each for each in ours if each in theirs or (each == "integer" and "number" in theirs)]
    both += [each for each in theirs if each == "integer" and "number" in ours and each not in both]
    return both or _NO


def _properties(left: Any, right: Any) -> Any:
    found = dict(left)
    for name, schema in right.items():
        found[name] = _schemas(found[name], schema) if name in found else schema
    return found


def _schemas(left: Any, right: Any) -> Any:
    if left is False or right is False:
        return False
    if left is True or right is True or same(left, right):
        return right if left is True else left
    return {"allOf": [left, right]}


def _shared_values(left: Any, right: Any) -> Any:
    return [each for each in left if any(same(each, other) for other in right)] or _NO


def _lowest_multiple(left: Any, right: Any) -> Any:
    return math.lcm(left, right) if isinstance(left, int) and isinstance(right, int) else _NO


_RULES: dict[str, Callable[[Any, Any], Any]] = {
    "type": _types,
    "properties": _properties,
    "additionalProperties": _schemas,
    "items": _schemas,
    "required": lambda left, right: list(dict.fromkeys([*left, *right])),
    "propertyOrdering": lambda left, right: list(dict.fromkeys([*left, *right])),
    "allOf": lambda left, right: [*left, *right],
    "enum": _shared_values,
    "multipleOf": _lowest_multiple,
    "nullable": lambda left, right: left and right,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}
