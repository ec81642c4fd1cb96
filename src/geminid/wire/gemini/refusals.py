"""What this server knows and does not do: one table, applied to requests and printed in the docs.

A row names a field by its snake_case path (``[]`` for any element) and says why it is refused. A
field is never dropped in silence: it is honoured, ignored where ``schema`` says so, or here.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from geminid.wire.gemini.content import Part
from geminid.wire.gemini.enums import Modality
from geminid.wire.gemini.schema import GenerateContentRequest
from geminid.wire.protojson import FreeForm, Message


class Refusal(NamedTuple):
    """One refused field.

    path: snake_case, from the request's root.
    reason: a sentence for the caller.
    harmless: tells the values that ask for nothing and are let through.
    accepted: those values in words, for the docs; empty when there are none.
    """

    path: str
    reason: str
    harmless: Callable[[Any], bool]
    accepted: str = ""


def _never(value: object) -> bool:
    return False


def _empty(value: object) -> bool:
    return not (value.value if isinstance(value, FreeForm) else value)


_PROCESSING = "how media are processed cannot be chosen on this server."
_CODE = "code execution is not supported by this server."
_TOOL_ECHO = "tools of the server are not supported by this server yet."
_FORMAT = "only JSON and enums can be answered in a form."
_SEARCH = "searching is not supported by this server yet."
_ELSEWHERE = "this tool is not supported by this server."
_MODELS = "choosing a model by rules is not supported by this server; name the model in the path."

_PART = "contents[].parts[]."
_CONFIG = "generation_config."
_TOOLS = "tools[]."
_OTHER_FORMATS = ("application/xml", "application/yaml")

REFUSALS: tuple[Refusal, ...] = (
    Refusal(_TOOLS + "google_search", _SEARCH, _never),
    Refusal(_TOOLS + "google_search_retrieval", _SEARCH, _never),
    Refusal(_TOOLS + "code_execution", _CODE, _never),
    Refusal(_TOOLS + "url_context", "fetching pages is not supported by this server yet.", _never),
    Refusal(_TOOLS + "file_search", "searching files is not supported by this server yet.", _never),
    Refusal(_TOOLS + "google_maps", _ELSEWHERE, _never),
    Refusal(_TOOLS + "computer_use", _ELSEWHERE, _never),
    Refusal(_TOOLS + "mcp_servers", "MCP servers are not called by this server.", _empty, "an empty list"),
    Refusal(_TOOLS + "retrieval", _ELSEWHERE, _never),
    Refusal(_TOOLS + "enterprise_web_search", _ELSEWHERE, _never),
    Refusal(_TOOLS + "parallel_ai_search", _ELSEWHERE, _never),
    Refusal(_TOOLS + "exa_ai_search", _ELSEWHERE, _never),
    Refusal("continuation_token", "this server never ends an answer for continuation.", _empty, "empty text"),
    Refusal("model_armor_config", "Model Armor is not supported by this server.", _empty, "an empty object"),
    Refusal(_PART + "executable_code", _CODE, _never),
    Refusal(_PART + "code_execution_result", _CODE, _never),
    Refusal(_PART + "tool_call", _TOOL_ECHO, _never),
    Refusal(_PART + "tool_response", _TOOL_ECHO, _never),
    Refusal(_PART + "media_processing", _PROCESSING, _empty, "an empty object"),
    Refusal(_PART + "audio_transcription", _PROCESSING, _empty, "an empty object"),
    Refusal(_PART + "speech_metadata", _PROCESSING, _empty, "an empty object"),
    Refusal(
        _CONFIG + "response_mime_type",
        _FORMAT,
        lambda mime: mime not in _OTHER_FORMATS,  # unknown types are wrong, not merely unsupported
        "text/plain, application/json, text/x.enum",
    ),
    Refusal(
        _CONFIG + "response_format",
        "this field is not supported by this server; use response_mime_type and a schema.",
        _empty,
        "an empty list",
    ),
    Refusal(
        _CONFIG + "response_modalities",
        "only TEXT can be answered by this server.",
        lambda kinds: all(kind in (Modality.TEXT, Modality.UNSPECIFIED) for kind in kinds),
        "TEXT",
    ),
    Refusal(_CONFIG + "speech_config", "speech cannot be answered by this server.", _never),
    Refusal(_CONFIG + "image_config", "images cannot be answered by this server.", _never),
    Refusal(_CONFIG + "routing_config", _MODELS, _empty, "an empty object"),
    Refusal(_CONFIG + "model_selection_config", _MODELS, _empty, "an empty object"),
)
"""Every refused field. In ``system_instruction`` the rows of parts hold too."""

_PART_ROWS = {row.path.removeprefix(_PART): row for row in REFUSALS if row.path.startswith(_PART)}
_TOOL_ROWS = {row.path.removeprefix(_TOOLS): row for row in REFUSALS if row.path.startswith(_TOOLS)}
_REQUEST_ROWS = tuple(
    (row.path.split("."), row) for row in REFUSALS if not row.path.startswith((_PART, _TOOLS))
)

# Almost every part and config has none of the refused fields: see that in one step.
_refused_members = attrgetter(*_PART_ROWS)
_NO_MEMBERS = (None,) * len(_PART_ROWS)


def refused_in_part(part: Part) -> list[tuple[str, str]]:
    """Return (field, reason) for each member of ``part`` that is refused."""
    members = _refused_members(part)
    if members == _NO_MEMBERS:
        return []
    return [
        (name, row.reason)
        for (name, row), value in zip(_PART_ROWS.items(), members, strict=True)
        if value is not None and not row.harmless(value)
    ]


def refused_in_request(request: GenerateContentRequest) -> list[tuple[str, str]]:
    """Return (path, reason) for each refused field outside of the contents."""
    tools = [
        (f"tools[{index}].{name}", row.reason)
        for index, tool in enumerate(request.tools or ())
        for name, row in _TOOL_ROWS.items()
        if (value := getattr(tool, name)) is not None and not row.harmless(value)
    ]
    return tools + [
        (row.path, row.reason)
        for names, row in _REQUEST_ROWS
        if (value := _at(request, names)) is not None and not row.harmless(value)
    ]


def _at(message: Message, names: list[str]) -> object:
    value: Any = message
    for name in names:
        value = getattr(value, name)
        if value is None:
            return None
    return value
