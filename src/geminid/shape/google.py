"""Google's ``Schema``: the OpenAPI-like dialect of ``responseSchema`` and of function declarations.

Source: google/ai/generativelanguage/v1beta/content.proto, and the newer fields of the SDK's type
(``defs``, ``ref``, ``additionalProperties``). Fields may be spelled as in JSON or as in the proto file.
It knows no meaning of a keyword beyond its spelling. Invariant: nothing raises and nothing is dropped but
annotations.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from geminid.shape.document import too_large
from geminid.shape.faults import Fault, Faults, element, member, quoted
from geminid.shape.json_schema import read_json_schema, unwritable_names
from geminid.shape.keywords import TYPES
from geminid.shape.nodes import Shape

Schema = dict[str, Any]

_ANNOTATIONS = ("title", "description", "default", "example")
_TOLD = ("description",)
"""Annotations that are kept, because models read them."""
_SAME = ("format", "pattern", "nullable", "enum", "required")
_WHOLE = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_FIELDS = (
    *(*_ANNOTATIONS, *_SAME, *_WHOLE, "minimum", "maximum", "propertyOrdering"),
    *("type", "items", "properties", "anyOf", "defs", "ref", "additionalProperties", "prefixItems"),
)
_UNNAMED_TYPE = "TYPE_UNSPECIFIED"
_TYPE_NUMBERS = dict(enumerate((None, "string", "number", "integer", "boolean", "array", "object", "null")))
_NUMBER = re.compile(r"-?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?", re.ASCII)


def snake_case(name: str) -> str:
    """Return the proto name of a field that is named as in JSON."""
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name.removeprefix("$"))


_NAMES = {spelling: name for name in _FIELDS for spelling in (name, snake_case(name))}


def read_google(document: Any) -> tuple[Shape | None, tuple[Fault, ...]]:
    """Return the normal form of a ``Schema``, or ``None`` and why there is none."""
    schema, faults = to_json_schema(document)
    return (None, faults) if faults else read_json_schema(schema, snake_case)


def to_json_schema(document: Any) -> tuple[Schema, tuple[Fault, ...]]:
    """Return a ``Schema`` as JSON Schema with ``nullable`` and ``propertyOrdering``, and its faults."""
    faults = Faults()
    reason = too_large(document) or unwritable_names(document)
    if reason:
        return {}, (Fault("", reason),)
    return _schema(document, "", faults), faults.listed()


def _schema(schema: Any, path: str, faults: Faults) -> Schema:
    if not isinstance(schema, dict):
        faults.note(path, "must be an object.")
        return {}
    found: Schema = {}
    for spelling, value in schema.items():
        name = _NAMES.get(spelling)
        if name is None:
            faults.note(path, f"Unknown name {quoted(spelling)}: Cannot find field.")
        elif value is not None and name in _ANNOTATIONS:
            found[name] = value  # means nothing here; a model reads it
        elif value is not None:
            _READERS[name](found, name, value, member(path, snake_case(name)), faults)
    _infer(found, path, faults)
    return found


def _infer(found: Schema, path: str, faults: Faults) -> None:
    """Give a schema without a type the one that its fields mean."""
    if "type" in found or any(name in found for name in ("anyOf", "$ref")):
        return
    signs = {"properties": "object", "prefixItems": "array", "items": "array", "enum": "string"}
    for name, kind in signs.items():
        if name in found:
            found["type"] = kind
            return
    faults.note(member(path, "type"), "must be specified.")


def _type(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and value in _TYPE_NUMBERS:
        kind = _TYPE_NUMBERS[value]
    elif isinstance(value, str) and value.upper() == _UNNAMED_TYPE:
        kind = None
    elif isinstance(value, str) and value.lower() in TYPES:
        kind = value.lower()
    else:
        package = "type.googleapis.com/google.ai.generativelanguage.v1beta.Type"
        faults.note(path, f"Invalid value ({package}), {quoted(value)}")
        return
    if kind is not None:
        found[name] = kind


def _same(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    if name == "enum":
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            faults.note(path, "must be a list of strings.")
            return
        if not value:
            return  # an empty list is the same as none, as everywhere in proto
    found[name] = value


def _whole(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    text = value if isinstance(value, str) else ""
    found[name] = int(text) if re.fullmatch(r"-?\d{1,19}", text, re.ASCII) else value


def _bound(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    sound = isinstance(value, str) and _NUMBER.fullmatch(value)
    found[name] = float(value) if sound else value


def _ordering(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    found["propertyOrdering"] = value


def _items(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    found[name] = _schema(value, path, faults)


def _additional(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    found[name] = value if isinstance(value, bool) else _schema(value, path, faults)


def _members(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    if not isinstance(value, dict):
        faults.note(path, "must be an object.")
        return
    schemas = {key: _schema(each, member(path, key), faults) for key, each in value.items()}
    found["$defs" if name == "defs" else name] = schemas


def _options(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    if not isinstance(value, list):
        faults.note(path, "must be a list.")
    elif value:
        found[name] = [_schema(each, element(path, index), faults) for index, each in enumerate(value)]


def _ref(found: Schema, name: str, value: Any, path: str, faults: Faults) -> None:
    sound = isinstance(value, str) and value.startswith("#/defs/")
    found["$ref"] = "#/$defs/" + value.removeprefix("#/defs/") if sound else value


_READERS: dict[str, Callable[[Schema, str, Any, str, Faults], None]] = {
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_WHOLE, _whole),
    **dict.fromkeys(("minimum", "maximum"), _bound),
    **dict.fromkeys(("properties", "defs"), _members),
    **dict.fromkeys(("anyOf", "prefixItems"), _options),
    "propertyOrdering": _ordering,
    "type": _type,
    "items": _items,
    "ref": _ref,
    "additionalProperties": _additional,
}
