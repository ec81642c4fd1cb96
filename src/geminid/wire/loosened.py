"""Schemas that need not be kept to the letter: what no grammar enforces is left out, and told.

Some wires hold a model to a schema only where it is ``strict``; elsewhere any JSON Schema may stand, as a
hint. Invariant: what is compiled admits everything that the schema admits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from geminid.shape.faults import Fault
from geminid.shape.keywords import REFUSED, says_nothing
from geminid.wire.schemas import STANDARD, Compiled, compiled

_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONES = ("items", "additionalProperties")
_VALIDATING = tuple(dict.fromkeys(name for names in REFUSED.values() for name in names))
"""Keywords that validate and that no grammar enforces."""


class Loosened(NamedTuple):
    """A schema that was compiled, with the keywords that were left out, or the faults that remain."""

    compiled: Compiled
    left_out: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Why it cannot be served."""
        return self.compiled.faults


def loosely(schema: dict[str, Any], *, strict: bool) -> Loosened:
    """Return a schema compiled; without ``strict``, if need be without what cannot be enforced of it."""
    found = compiled(schema, STANDARD)
    if strict or not found.faults:
        return Loosened(found)
    left_out: dict[str, None] = {}
    return Loosened(compiled(_without(schema, left_out), STANDARD), tuple(left_out))


def _without(schema: Any, left_out: dict[str, None]) -> Any:
    """Return a schema without what only validates; names of properties are no keywords."""
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _VALIDATING:
            if not says_nothing(name, schema):
                left_out[name] = None
        elif name == "additionalProperties" and schema.get("patternProperties"):
            continue  # without the patterns it would forbid what they allow
        elif name in _MAPS and isinstance(value, dict):
            kept[name] = {each: _without(inner, left_out) for each, inner in value.items()}
        elif name in _LISTS and isinstance(value, list):
            kept[name] = [_without(inner, left_out) for inner in value]
        else:
            kept[name] = _without(value, left_out) if name in _ONES else value
    return kept
