"""``response_format`` to the form that an answer must have.

It comes in three shapes: the form of an answer in words, a list of forms with one of words in it, or a bare
JSON Schema. Every fault has its path in the body.
"""

from __future__ import annotations

from geminid.core.request import JsonOutput, Output
from geminid.wire.interactions.mistakes import Mistakes
from geminid.wire.interactions.refusals import FORMAT_REASON, FORMATS
from geminid.wire.interactions.schema import CreateInteraction, TextFormat
from geminid.wire.interactions.tools import below
from geminid.wire.lenient import Json
from geminid.wire.loosened import loosely
from geminid.wire.protojson import Reader
from geminid.wire.schemas import any_value

JSON = "application/json"
PLAIN = "text/plain"
_PATH, _MIME = "response_format", "response_mime_type"
_TEXT = Reader(TextFormat)


def read_form(request: CreateInteraction, downgrades: list[str], mistakes: Mistakes) -> Output | None:
    """Return the form; None for free text. What of a schema is not enforced is added to ``downgrades``."""
    mime_type = _checked(request.response_mime_type, _MIME, mistakes)
    if request.response_format is None:
        return JsonOutput(grammar=any_value()) if mime_type == JSON else None
    said = request.response_format.value
    if isinstance(said, list):
        return _of_list(said, mime_type, downgrades, mistakes)
    return _of_one(said, _PATH, mime_type, downgrades, mistakes)


def _of_list(said: list[Json], mime_type: str, downgrades: list[str], mistakes: Mistakes) -> Output | None:
    forms = [
        _of_one(each, f"{_PATH}[{index}]", mime_type, downgrades, mistakes) for index, each in enumerate(said)
    ]
    if len(forms) > 1 and not mistakes.any:
        mistakes.refuse(f"{_PATH}[1]", "an answer has one form.")
    return forms[0] if forms else None


def _of_one(
    said: Json, path: str, mime_type: str, downgrades: list[str], mistakes: Mistakes
) -> Output | None:
    if not isinstance(said, dict):
        mistakes.refuse(path, "an object is expected.")
        return None
    if said.get("type") in FORMATS:
        mistakes.refuse(f"{path}.type", FORMAT_REASON)
        return None
    if said.get("type") != "text":
        return _of_schema(said, path, downgrades, mistakes) if said else None
    form = mistakes.read(_TEXT, said, path)
    if form is None:
        return None
    schema = form.schema.value if form.schema is not None else None
    mime_type = _checked(form.mime_type, f"{path}.mime_type", mistakes) or mime_type
    if mime_type == PLAIN and schema is not None:
        mistakes.refuse(f"{path}.schema", f"a schema needs mime_type to be {JSON}.")
    elif schema is not None:
        return _of_schema(schema, f"{path}.schema", downgrades, mistakes)
    return JsonOutput(grammar=any_value()) if mime_type == JSON else None


def _of_schema(schema: Json, path: str, downgrades: list[str], mistakes: Mistakes) -> Output | None:
    found = loosely(schema, strict=False)
    for fault in found.faults:
        mistakes.refuse(below(path, fault.path), fault.reason)
    if found.faults:
        return None
    if found.left_out:
        downgrades.append(f"{path}=without-{'+'.join(found.left_out)}")
    return JsonOutput(grammar=found.compiled.grammar, schema=found.compiled.schema)


def _checked(mime_type: str | None, path: str, mistakes: Mistakes) -> str:
    if mime_type not in (None, "", JSON, PLAIN):
        mistakes.refuse(path, f"use {JSON} or {PLAIN}.")
    return mime_type or ""
