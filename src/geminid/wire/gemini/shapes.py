"""Schemas of the wire to forms of answers and of arguments.

What a schema means is the business of :mod:`geminid.shape`, and :mod:`geminid.wire.schemas` compiles it; here
stand the rules of the request around it and the words of its faults. Invariant: every fault has the path of
the body that the caller wrote.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from geminid.core.request import EnumOutput, JsonOutput, JsonSchema, Output
from geminid.shape.faults import Fault
from geminid.shape.grammar import TOO_LARGE
from geminid.shape.labels import compile_labels
from geminid.shape.nodes import Anything, Object
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.schema import GenerationConfig
from geminid.wire.scalars import clip
from geminid.wire.schemas import GOOGLE, STANDARD, Dialect, any_value, compiled

JSON = "application/json"
ENUM = "text/x.enum"

_CONFIG = "generation_config."
_FIELDS: tuple[tuple[str, Dialect], ...] = (("response_schema", GOOGLE), ("response_json_schema", STANDARD))
_KEPT = 256
_UNKNOWN, _INVALID = "Unknown name ", "Invalid value "


class _Given(NamedTuple):
    """A schema of the generation config."""

    path: str
    dialect: Dialect
    value: Any


def read_output(config: GenerationConfig, complaints: Complaints) -> Output | None:
    """Return the form that the answer must have; None for free text."""
    given = _given(config, complaints)
    mime_type = config.response_mime_type
    if mime_type == JSON:
        return _json(given, complaints)
    if mime_type == ENUM:
        return _enum(given, complaints)
    if given is not None:
        complaints.refuse(given.path, f"a schema needs response_mime_type to be `{JSON}` or `{ENUM}`.")
    return None


def read_parameters(value: Any, dialect: Dialect, path: str, complaints: Complaints) -> JsonSchema | None:
    """Return the schema of a function's arguments; None when there are none."""
    if value == {}:
        return None
    read = compiled(value, dialect)
    _tell(read.faults, path, complaints)
    if read.faults or isinstance(read.root, Anything):
        return None
    if not isinstance(read.root, Object):
        complaints.refuse(path, "the arguments of a function are an object.")
        return None
    return read.parameters


def _given(config: GenerationConfig, complaints: Complaints) -> _Given | None:
    given = [
        _Given(_CONFIG + name, dialect, form.value)
        for name, dialect in _FIELDS
        if (form := getattr(config, name)) is not None
    ]
    if len(given) > 1:
        complaints.refuse(given[1].path, "only one of response_schema and response_json_schema can be set.")
    return given[0] if given else None


def _json(given: _Given | None, complaints: Complaints) -> Output | None:
    if given is None:
        return JsonOutput(grammar=any_value())
    read = compiled(given.value, given.dialect)
    _tell(read.faults, given.path, complaints)
    return None if read.faults else JsonOutput(grammar=read.grammar, schema=read.schema)


def _enum(given: _Given | None, complaints: Complaints) -> Output | None:
    if given is None:
        complaints.refuse(_CONFIG + "response_mime_type", f"`{ENUM}` needs a schema with an enum.")
        return None
    read = compiled(given.value, given.dialect)
    _tell(read.faults, given.path, complaints)
    if read.faults:
        return None
    labels = _labels(read.schema)
    if not labels:
        complaints.refuse(given.path, f"`{ENUM}` needs a schema of type STRING with an enum.")
        return None
    grammar = _labels_grammar(labels)
    if isinstance(grammar, Fault):
        _tell((grammar,), given.path, complaints)
        return None
    return EnumOutput(grammar=grammar, labels=labels)


def _labels(schema: JsonSchema) -> tuple[str, ...]:
    """Return the texts of which a schema admits one, each once; nothing for any other schema."""
    labels = schema.get("enum", ())
    if schema.get("type", "string") != "string" or not all(isinstance(x, str) and x for x in labels):
        return ()
    return tuple(dict.fromkeys(labels))


# -- made once -----------------------------------------------------------------------------------------


@lru_cache(_KEPT)
def _labels_grammar(labels: tuple[str, ...]) -> str | Fault:
    grammar = compile_labels(labels)
    return grammar if isinstance(grammar, Fault) else grammar.ebnf


# -- words ---------------------------------------------------------------------------------------------


def _tell(faults: tuple[Fault, ...], path: str, complaints: Complaints) -> None:
    for fault in faults:
        where = path + (fault.path if fault.path.startswith("[") or not fault.path else f".{fault.path}")
        at = f"at '{complaints.at(where)}'"
        if fault == TOO_LARGE:
            complaints.say(where, fault.reason)
        elif fault.reason.startswith(_UNKNOWN):
            name = fault.reason.removeprefix(_UNKNOWN).removesuffix(": Cannot find field.")
            complaints.say(
                where, f"Invalid JSON payload received. {_UNKNOWN}{clip(name)} {at}: Cannot find field."
            )
        elif fault.reason.startswith(_INVALID):
            complaints.say(where, f"{_INVALID}{at} {fault.reason.removeprefix(_INVALID)}")
        else:
            complaints.refuse(where, fault.reason)
