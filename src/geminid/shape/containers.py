"""Lists and objects of a schema, read into normal form: members, elements, sizes.

It knows no other types. Invariant: a node that is returned has a size that can be reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geminid.shape.faults import element, member, quoted
from geminid.shape.nodes import Anything, Array, Node, Object, Property
from geminid.shape.objects import MEMBERS_COUNTED_MAX, counted_states

if TYPE_CHECKING:
    from geminid.shape.json_schema import Reader

Schema = dict[str, Any]


def read_array(reader: Reader, schema: Schema, path: str, depth: int) -> Node | None:
    """Return the node of a list."""
    low, high = _bounds(schema, "minItems", "maxItems")
    declared = schema.get("prefixItems", [])
    rest = schema.get("items", True)
    if False in [each for each in declared if isinstance(each, bool)]:
        declared, rest = declared[: declared.index(False)], False
    if rest is False:
        high = len(declared) if high is None else min(high, len(declared))
    if high is not None and high < low:
        reader.note(path, "minItems", "more items are needed than are allowed.")
        return None
    prefix = [
        reader.read(each, element(reader.at(path, "prefixItems"), index), depth + 1)
        for index, each in enumerate(declared)
    ]
    items = None if rest is False else reader.read(rest, reader.at(path, "items"), depth + 1)
    found = tuple(each for each in prefix if each is not None)
    if len(found) < len(prefix) or (rest is not False and items is None):
        return None
    return Array(found, items, low, high)


def read_object(reader: Reader, schema: Schema, path: str, depth: int) -> Node | None:
    """Return the node of an object."""
    low, high = _bounds(schema, "minProperties", "maxProperties")
    properties = _properties(reader, schema, path, depth)
    if properties is None:
        return None
    extra: Node | None = None
    if not schema.get("properties") and not schema.get("required"):
        rest = schema.get("additionalProperties", True)
        if rest is not False:
            extra = reader.read(rest, reader.at(path, "additionalProperties"), depth + 1)
            if extra is None:
                return None
    node = Object(properties, extra, low, high)
    wrong = _wrong_size(node)
    if wrong:
        reader.note(path, *wrong)
        return None
    return node


def _properties(reader: Reader, schema: Schema, path: str, depth: int) -> tuple[Property, ...] | None:
    """Return the declared properties and those that are only required, in their order."""
    declared, required = schema.get("properties", {}), set(schema.get("required", ()))
    found, sound = [], True
    for name in _order(schema):
        value = declared.get(name, schema.get("additionalProperties", True))
        if value is False:
            if name in required:
                reader.note(path, "required", f"{quoted(name)} is required and not allowed.")
                sound = False
            continue
        where = (
            member(reader.at(path, "properties"), name)
            if name in declared
            else reader.at(path, "additionalProperties")
        )
        node = reader.read(value, where, depth + 1)
        sound = sound and node is not None
        found.append(Property(name, node or Anything(), name in required))
    return tuple(found) if sound else None


def _order(schema: Schema) -> list[str]:
    """Return the names of properties: those of ``propertyOrdering``, then as they were declared."""
    first = schema.get("propertyOrdering", ())
    return list(dict.fromkeys([*first, *schema.get("properties", ()), *schema.get("required", ())]))


def _wrong_size(node: Object) -> tuple[str, str] | None:
    """Return the keyword that asks for a size that cannot be had, and why."""
    required = sum(each.required for each in node.properties)
    if node.size_max is not None and node.size_max < max(required, node.size_min):
        return "maxProperties", "fewer properties are allowed than are needed."
    if node.extra is not None:
        if node.size_min > 1:
            return "minProperties", "that members of any name differ cannot be enforced here."
    elif node.size_min > len(node.properties):
        return "minProperties", "only declared properties are written, and there are fewer."
    elif counted_states(node) > max(MEMBERS_COUNTED_MAX, 2 * len(node.properties)):
        return (
            "minProperties" if node.size_min else "maxProperties",
            "cannot be enforced for so many properties.",
        )
    return None


def _bounds(schema: Schema, low: str, high: str) -> tuple[int, int | None]:
    greatest = schema.get(high)
    return int(schema.get(low, 0)), None if greatest is None else int(greatest)
