"""JSON Schema (2020-12, the subset that can be enforced), read into normal form.

``anyOf`` and ``oneOf`` mean the same, as Google documents for its API. What validates and cannot be
enforced is refused; what annotates, or is no keyword, is passed over as the standard says. Knows no
grammar. Invariant: reading raises nothing and is bounded in time, whatever the document is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from geminid.shape import containers, scalars
from geminid.shape.constants import CONSTANTS_MAX, admitted, listed, undecided, unwritable
from geminid.shape.document import path_of, resolve, too_large
from geminid.shape.faults import Fault, Faults, element, member, quoted
from geminid.shape.keywords import REFUSED, SPEAKS_OF, TYPES, check_values, restricts, says_nothing
from geminid.shape.merge import Conflict, merged
from geminid.shape.nodes import BOOLEAN, NULL, Anything, Constants, Node, Ref, Shape, Union
from geminid.shape.soundness import circular, endless

NODES_MAX = 5_000
DEPTH_MAX = 64
DEFINITIONS_MAX = 1_000

Schema = dict[str, Any]


def read_json_schema(
    document: Any, spell: Callable[[str], str] = lambda name: name
) -> tuple[Shape | None, tuple[Fault, ...]]:
    """Return the normal form of ``document``, or ``None`` and why there is none.

    ``spell`` is how the caller's dialect spells a keyword in a path.
    """
    reason = too_large(document) or unwritable_names(document)
    if reason:
        return None, (Fault("", reason),)
    reader = Reader(document, spell)
    definitions = reader.read_all()
    faults = reader.faults.listed()
    return (None, faults) if faults else (Shape(definitions), ())


def unwritable_names(document: Any) -> str | None:
    """Return why ``document`` is not one of JSON, or ``None``."""
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if not all(isinstance(name, str) for name in value):
                return "the name of a member must be a string."
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        elif value is not None and not isinstance(value, str | int | float | bool):
            return "the schema is not JSON."
    return None


class Reader:
    """Reads one document. Methods return ``None`` after they have noted a fault."""

    def __init__(self, root: Any, spell: Callable[[str], str]) -> None:
        self.faults = Faults()
        self.spell = spell
        self._root = root
        self._nodes = 0
        self._targets: dict[str, Any] = {}

    def at(self, path: str, keyword: str) -> str:
        """Return the path of ``keyword`` in the schema at ``path``."""
        return member(path, self.spell(keyword))

    def note(self, path: str, keyword: str, reason: str) -> None:
        """Note what is wrong with ``keyword`` in the schema at ``path``."""
        self.faults.note(self.at(path, keyword), reason)

    def read_all(self) -> dict[str, Node]:
        """Return the nodes of the root and of all that it refers to, by pointer."""
        definitions: dict[str, Node] = {}
        self._targets[""] = self._root
        while len(definitions) < len(self._targets):
            for pointer, target in list(self._targets.items()):
                if pointer not in definitions:
                    definitions[pointer] = self.read(target, self._path(pointer), 0) or Anything()
        if not self.faults:
            for pointer in circular(definitions):
                self.faults.note(self._path(pointer), "the schema refers to itself without end.")
        if not self.faults:
            for pointer in endless(definitions):
                self.faults.note(self._path(pointer), "the schema has no finite value.")
        return definitions

    def read(self, schema: Any, path: str, depth: int) -> Node | None:
        """Return the node of ``schema``."""
        if not self._affordable(depth):
            return None
        if schema is True:
            return Anything()
        if not isinstance(schema, dict):
            reason = "false admits no value." if schema is False else "must be a schema."
            self.faults.note(path, reason)
            return None
        if not check_values(schema, path, self.spell, self.faults):
            return None
        if schema.get("nullable"):
            rest = {name: value for name, value in schema.items() if name != "nullable"}
            node = self._conditions(rest, path, depth)
            return node and Union((node, NULL))
        return self._conditions(schema, path, depth)

    def _path(self, pointer: str) -> str:
        path = path_of(pointer)
        return path.replace("$defs", self.spell("$defs"), 1) if path.startswith("$defs") else path

    def _affordable(self, depth: int) -> bool:
        self._nodes += 1
        if self._nodes > NODES_MAX or len(self._targets) > DEFINITIONS_MAX:
            self.faults.note("", f"the schema has more than {NODES_MAX:,} parts, or too many definitions.")
        elif depth > DEPTH_MAX:
            self.faults.note("", f"the schema is nested deeper than {DEPTH_MAX} levels.")
        else:
            return True
        return False

    def _conditions(self, schema: Schema, path: str, depth: int) -> Node | None:
        """Return the node of a schema that may consist of several schemas that all hold."""
        rest = {name: value for name, value in schema.items() if name not in ("$ref", "allOf")}
        others = [
            (each, element(self.at(path, "allOf"), i)) for i, each in enumerate(schema.get("allOf", ()))
        ]
        if "$ref" not in schema and not others:
            return self._options(schema, path, depth)
        if not restricts(rest):
            if "$ref" in schema and not others:
                return self._reference(schema["$ref"], path)
            if "$ref" not in schema and len(others) == 1:
                return self.read(*others[0], depth + 1)
        flat = self._flat(schema, path, frozenset())
        return None if flat is None else self._options(flat, path, depth + 1)

    def _reference(self, ref: str, path: str) -> Node | None:
        found = resolve(self._root, ref)
        if found is None:
            self.note(path, "$ref", f"{quoted(ref)} refers to nothing in this schema.")
            return None
        pointer, target = found
        if not isinstance(target, dict | bool):
            self.note(path, "$ref", f"{quoted(ref)} is not a schema.")
            return None
        self._targets.setdefault(pointer, target)
        return Ref(pointer)

    def _flat(self, schema: Any, path: str, seen: frozenset[str]) -> Schema | None:
        """Return ``schema`` and all that must hold beside it, merged."""
        if schema is True:
            return {"type": list(TYPES)}
        if not isinstance(schema, dict) or not self._affordable(len(seen)):
            self.faults.note(path, "admits no value." if schema is False else "must be a schema.")
            return None
        if not check_values(schema, path, self.spell, self.faults):
            return None
        parts: list[Schema | None] = []
        if "$ref" in schema:
            parts.append(self._flat_target(schema["$ref"], path, seen))
        for index, each in enumerate(schema.get("allOf", ())):
            parts.append(self._flat(each, element(self.at(path, "allOf"), index), seen))
        found: Schema = {name: value for name, value in schema.items() if name not in ("$ref", "allOf")}
        for part in parts:
            if part is None:
                return None
            both = self._merged(part, found, path)
            if both is None:
                return None
            found = both
        return found

    def _merged(self, left: Schema, right: Schema, path: str) -> Schema | None:
        try:
            return merged(left, right)
        except Conflict as conflict:
            self.note(
                path, conflict.keyword, f"{quoted(conflict.keyword)} differs and cannot be merged here."
            )
            return None

    def _flat_target(self, ref: str, path: str, seen: frozenset[str]) -> Schema | None:
        found = resolve(self._root, ref)
        if found is None:
            self.note(path, "$ref", f"{quoted(ref)} refers to nothing in this schema.")
            return None
        if found[0] in seen:
            self.note(path, "$ref", "the schema refers to itself without end.")
            return None
        return self._flat(found[1], path, seen | {found[0]})

    def _options(self, schema: Schema, path: str, depth: int) -> Node | None:
        """Return the node of a schema that may offer alternatives."""
        if "anyOf" in schema and "oneOf" in schema:
            self.note(path, "oneOf", '"oneOf" beside "anyOf" cannot be enforced here.')
            return None
        name = "anyOf" if "anyOf" in schema else "oneOf"
        if name not in schema:
            return self._plain(schema, path, depth)
        rest = {key: value for key, value in schema.items() if key != name}
        nodes = []
        for index, option in enumerate(schema[name]):
            if option is not False:
                where = element(self.at(path, name), index)
                nodes.append(self._option(option, rest, where, depth + 1))
        if not nodes:
            self.note(path, name, "false admits no value.")
        found = tuple(each for each in nodes if each is not None)
        return Union(found) if found and len(found) == len(nodes) else None

    def _option(self, option: Any, rest: Schema, path: str, depth: int) -> Node | None:
        if not restricts(rest):
            return self.read(option, path, depth)
        flat = self._flat(option, path, frozenset())
        if flat is None:
            return None
        both = self._merged(rest, flat, path)
        return None if both is None else self.read(both, path, depth)

    def _plain(self, schema: Schema, path: str, depth: int) -> Node | None:
        """Return the node of a schema that speaks of one value, without alternatives."""
        types = _types(schema)
        for kind, names in REFUSED.items():
            for name in names:
                concerned = not kind or types is None or kind in types
                if concerned and name in schema and not says_nothing(name, schema):
                    self.note(path, name, f"{quoted(name)} cannot be enforced here.")
                    return None
        if "enum" in schema or "const" in schema:
            return self._constants(schema, path)
        if types is None:
            return Anything()
        nodes = [self._typed(kind, schema, path, depth) for kind in types]
        found = tuple(each for each in nodes if each is not None)
        if len(found) < len(nodes):
            return None
        return found[0] if len(found) == 1 else Union(found)

    def _typed(self, kind: str, schema: Schema, path: str, depth: int) -> Node | None:
        match kind:
            case "null":
                return NULL
            case "boolean":
                return BOOLEAN
            case "string":
                return scalars.read_text(self, schema, path)
            case "integer" | "number":
                return scalars.read_number(self, schema, path, whole=kind == "integer")
            case "array":
                return containers.read_array(self, schema, path, depth)
            case _:
                return containers.read_object(self, schema, path, depth)

    def _constants(self, schema: Schema, path: str) -> Node | None:
        name = "enum" if "enum" in schema else "const"
        values = schema.get("enum", ())
        reason = unwritable([values, schema.get("const")])
        if len(values) > CONSTANTS_MAX:
            reason = f"at most {CONSTANTS_MAX:,} values are supported."
        if reason is None:
            candidates = listed(schema)
            other = undecided(schema, candidates)
            texts = () if other else tuple(admitted(schema, candidates))
            if texts:
                return Constants(texts)
            reason = f'"{other}" beside it cannot be enforced.' if other else "no value satisfies the schema."
        self.note(path, name, reason)
        return None


def _types(schema: Schema) -> list[str] | None:
    """Return the types that ``schema`` names, or else those that its keywords speak about."""
    types = schema.get("type")
    if isinstance(types, str):
        return [types]
    if types is None:
        spoken = [kind for kind, names in SPEAKS_OF.items() if any(name in schema for name in names)]
        return spoken or None
    unique = list(dict.fromkeys(types))
    return [each for each in unique if each != "integer" or "number" not in unique]
