"""JSON Schemas that come by any wire, compiled once.

What a schema means is the business of :mod:`geminid.shape`; how its faults are told is that of each wire.
Invariant: a schema is compiled once, however many requests bring it and by whichever wire.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from geminid.core.request import JsonSchema
from geminid.shape.faults import Fault
from geminid.shape.google import read_google, to_json_schema
from geminid.shape.grammar import any_json, compile_shape
from geminid.shape.json_schema import read_json_schema
from geminid.shape.nodes import Anything, Node, Object, Ref, Shape

Dialect = Literal["google", "standard"]
GOOGLE: Dialect = "google"
STANDARD: Dialect = "standard"

_KEPT = 256
_KEY_BYTES_MAX = 256 * 1024


class Compiled(NamedTuple):
    """What a schema came to. ``grammar`` is empty when there are faults."""

    schema: JsonSchema
    faults: tuple[Fault, ...] = ()
    grammar: str = ""
    root: Node = Anything()

    @property
    def parameters(self) -> JsonSchema | None:
        """The schema as one of a function's arguments; None when there are none. An object of which nothing
        is said is how clients declare that."""
        if not isinstance(self.root, Object):
            return None
        return self.schema if self.root.properties or self.schema.get("additionalProperties") else None


def compiled(value: Any, dialect: Dialect) -> Compiled:
    """Return what a schema comes to, or its faults."""
    key = json.dumps(value, separators=(",", ":"))
    compile_ = _compiled if len(key) <= _KEY_BYTES_MAX else _compiled.__wrapped__
    return compile_(key, dialect)


@lru_cache(1)
def any_value() -> str:
    """Return the grammar of any JSON value."""
    return any_json().ebnf


@lru_cache(_KEPT)
def _compiled(key: str, dialect: Dialect) -> Compiled:
    document = json.loads(key)
    shape, faults = _READS[dialect](document)
    schema = to_json_schema(document)[0] if dialect == GOOGLE else document
    if shape is None:
        return Compiled({}, faults)
    grammar = compile_shape(shape)
    if isinstance(grammar, Fault):
        return Compiled({}, (grammar,))
    return Compiled(schema if isinstance(schema, dict) else {}, (), grammar.ebnf, _root(shape))


_READS: dict[Dialect, Callable[[Any], tuple[Shape | None, tuple[Fault, ...]]]] = {
    GOOGLE: read_google,
    STANDARD: read_json_schema,
}


def _root(shape: Shape) -> Node:
    """Return what the whole value is, behind all references; they never lead in a circle."""
    root = shape.root
    while isinstance(root, Ref):
        root = shape.definitions[root.pointer]
    return root
