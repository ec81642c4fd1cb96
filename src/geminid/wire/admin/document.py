"""The OpenAPI 3.1 document of the administration API, made from its operations and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from geminid.wire.admin.message import Error
from geminid.wire.admin.operations import PREFIX, Operation

_PARAMETER = re.compile(r"\{(\w+)\}")
_REF = "#/components/schemas/{name}"
_PAGE_SIZE = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "default": 50}
_PROBLEMS = {
    "400": "The request is wrong, or cannot be done as things stand.",
    "401": "No token of an administrator.",
    "403": "The token is a viewer's, and this changes something.",
    "404": "There is no such thing.",
    "409": "The name, or the key of an entry, is taken.",
    "503": "The database cannot be used now.",
}

Schema = dict[str, Any]


def document(operations: Iterable[Operation], version: str) -> Schema:
    """Return the document; ``version`` is the program's."""
    operations = tuple(operations)
    kinds = {kind for each in operations for kind in (each.body, each.answer) if kind is not None}
    named = sorted(kinds, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components((*named, Error), ref_template=_REF)
    refs = dict(zip((*named, Error), schemas, strict=True))
    paths: dict[str, Schema] = {}
    for each in operations:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _operation(each, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "geminid administration",
            "version": version,
            "description": "Projects, keys, limits, credits, prices and names of models. "
            "Every request bears the token of an administrator; no key of a project is one.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "adm-…"}},
        },
        "security": [{"token": []}],
    }


def _operation(operation: Operation, refs: dict[Any, Schema]) -> Schema:
    described: Schema = {
        "operationId": operation.id,
        "tags": [operation.section],
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation, refs),
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {"application/json": {"schema": refs[operation.body]}},
        }
    return described


def _parameters(operation: Operation) -> list[Schema]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(operation.path)
    ]
    if operation.paged:
        found.append(_query("pageSize", "Entries of a page; 0 is 50, more than 1000 is 1000.", _PAGE_SIZE))
        found.append(_query("pageToken", "The nextPageToken of the page before.", {"type": "string"}))
    found += [_query(name, meaning, {"type": "string"}) for name, meaning in operation.query]
    return found


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _responses(operation: Operation, refs: dict[Any, Schema]) -> Schema:
    done: Schema = {"description": "Done."}
    if operation.answer is not None:
        done["content"] = {"application/json": {"schema": refs[operation.answer]}}
    problem = {"application/json": {"schema": refs[Error]}}
    refused = {status: {"description": words, "content": problem} for status, words in _PROBLEMS.items()}
    return {str(operation.status): done, **refused}


def reference(operations: Iterable[Operation]) -> str:
    """Return the reference page of the documentation."""
    lines = [
        "# Administration API",
        "",
        f"Under `{PREFIX}`, with `Authorization: Bearer adm-…`; `geminid tokens create NAME` makes a token.",
        f"The OpenAPI 3.1 document, with every message, is at `{PREFIX}/openapi.json`. Bodies are JSON; what",
        "is unknown is refused with its path. Amounts are decimal strings in US dollars, times RFC 3339.",
        "Lists take `pageSize` and `pageToken`. Errors have the shape of the [API's own](errors.md). The",
        "token of a viewer may only read.",
        "",
    ]
    operations = tuple(operations)
    ended = {each.section: each for each in operations}
    section = ""
    for each in operations:
        if each.section != section:
            section = each.section
            lines += [f"## {section.capitalize()}", "", "| | | body | answer |", "|---|---|---|---|"]
        cells = (
            f"`{each.method} {each.path}`",
            each.summary,
            f"`{each.body.__name__}`" if each.body else "",
            f"`{each.answer.__name__}`" if each.answer else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
        if ended.get(section) is each:
            lines.append("")
    return "\n".join(lines)
