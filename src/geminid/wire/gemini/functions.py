"""Function calls and their results: parts of the wire to core's.

It knows one part at a time; the order of turns is the business of ``turnrules``. Invariant: a part comes
out whole or is complained about.
"""

from __future__ import annotations

import json
from typing import Any

from geminid.core.content import Blob, FileRef, ToolCall, ToolResult
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.content import FunctionCall, FunctionResponse, FunctionResponsePart
from geminid.wire.gemini.media import MediaReader
from geminid.wire.protojson import FreeForm
from geminid.wire.scalars import clip

_STRUCT = "type.googleapis.com/google.protobuf.Struct"
_EMPTY_NAME = "Name cannot be empty."


def read_call(call: FunctionCall, path: str, complaints: Complaints) -> ToolCall:
    """Return a call that the client sends back. Ids that this server never gave are as good as others."""
    _check_name(call.name, path, complaints)
    for name in ("partial_args", "will_continue"):
        if getattr(call, name):
            complaints.refuse(f"{path}.{name}", "calls in pieces are not supported by this server.")
    args = call.args.value if call.args is not None else None
    if args is not None and not isinstance(args, dict):
        complaints.say(f"{path}.args", _no_struct(f"{path}.args", args))
        args = None
    return ToolCall(name=call.name or "", args=args or {}, id=call.id or "")


def read_result(
    result: FunctionResponse, path: str, media: MediaReader, complaints: Complaints
) -> ToolResult:
    """Return what a function gave back. A response that is no object is put into one, as ``output``."""
    _check_name(result.name, path, complaints)
    parts = [
        _medium(part, f"{path}.parts[{index}]", media, complaints)
        for index, part in enumerate(result.parts or ())
        if not complaints.full
    ]
    return ToolResult(
        name=result.name or "",
        response=_response(result.response),
        id=result.id or "",
        parts=tuple(part for part in parts if part is not None),
    )


def _response(response: FreeForm | None) -> dict[str, Any]:
    if response is None or response.value is None:
        return {}
    return response.value if isinstance(response.value, dict) else {"output": response.value}


def _medium(
    part: FunctionResponsePart, path: str, media: MediaReader, complaints: Complaints
) -> Blob | FileRef | None:
    if (part.inline_data is None) == (part.file_data is None):
        complaints.refuse(f"{path}.data", "a part needs either inline_data or file_data.")
        return None
    if part.inline_data is not None:
        return media.blob(part.inline_data, f"{path}.inline_data")
    assert part.file_data is not None
    return media.file(part.file_data, f"{path}.file_data")


def _check_name(name: str | None, path: str, complaints: Complaints) -> None:
    if not name:
        complaints.refuse(f"{path}.name", _EMPTY_NAME)


def _no_struct(path: str, value: object) -> str:
    return f"Invalid value at '{path}' ({_STRUCT}), {clip(json.dumps(value, ensure_ascii=False))}"
