"""``response_format`` to the form that an answer must have."""

from __future__ import annotations

from geminid.core.request import JsonOutput, Output
from geminid.wire.loosened import loosely
from geminid.wire.openai import refused
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.schema import ChatRequest, JsonObjectFormat, JsonSchemaFormat, NamedSchema
from geminid.wire.schemas import STANDARD, compiled

ANY_OBJECT = {"type": "object"}


def read_format(message: ChatRequest, downgrades: list[str]) -> Output | None:
    """Return the form; None for free text. What is enforced loosely is added to ``downgrades``."""
    match message.response_format:
        case JsonObjectFormat():
            return JsonOutput(grammar=compiled(ANY_OBJECT, STANDARD).grammar, schema=dict(ANY_OBJECT))
        case JsonSchemaFormat() as form:
            return _of_schema(form.json_schema, downgrades)
    return None


def _of_schema(named: NamedSchema, downgrades: list[str]) -> Output:
    if named.schema is None:
        raise refused.missing("response_format.json_schema.schema")
    found = loosely(named.schema, strict=bool(named.strict))
    if found.faults:
        fault = found.faults[0]
        where = f"{fault.path}: " if fault.path else ""
        raise Refused(
            f"Invalid schema for response_format '{named.name}': {where}{fault.reason}", "response_format"
        )
    if found.left_out:
        downgrades.append(f"response_format=without-{'+'.join(found.left_out)}")
    return JsonOutput(grammar=found.compiled.grammar, schema=found.compiled.schema)
