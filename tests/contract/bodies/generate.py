"""Google's generateContent and its kin."""

import re
from collections.abc import Iterable
from typing import Any, TypedDict

from contract.bodies.remarks import but, less
from contract.fields import Remark, Request
from geminid.wire.gemini import generate, refusals, schema

SAFETY = "safetySettings"
UNKNOWN = "contents[].parts[].functionResponse.parts[].mediaProcessing"
"""A field that the SDK has and this server refuses as one that there is not."""


def sdk() -> Iterable[Any]:
    from google.genai import types

    fields = {
        "contents": list[types.ContentDict],
        "system_instruction": types.ContentDict,
        "tools": list[types.ToolDict],
        "tool_config": types.ToolConfigDict,
        "safety_settings": list[types.SafetySettingDict],
        "generation_config": types.GenerationConfigDict,
        "cached_content": str,
    }
    return (TypedDict("GenerateContentRequest", fields),)  # type: ignore[operator]


def camel(path: str) -> str:
    """Return a path in the spelling of the wire."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), path)


def _but(what: str) -> Remark:
    return but("INVALID_ARGUMENT", what)


GENERATE = Request(
    path="POST /v1beta/models/…:generateContent",
    messages=(schema.GenerateContentRequest,),
    sdk=sdk,
    spelled=camel,
    beyond=frozenset((UNKNOWN,)),
    least={"contents": [{"parts": [{"text": "hello"}]}]},
    read=lambda body: generate.read_request(body, "gemini-3.1-flash-lite").downgrades,
    remarks={
        **{
            camel(row.path): Remark(
                "refused",
                "400 `INVALID_ARGUMENT`" + (f"; let through: {row.accepted}" if row.accepted else ""),
            )
            for row in refusals.REFUSALS
        },
        "systemInstruction": Remark("honoured", "its text; parts of other kinds are refused", whole=True),
        SAFETY: less(
            "safety_settings=not-enforced",
            "",
            {
                SAFETY: [
                    {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_LOW_AND_ABOVE"},
                ]
            },
        ),
        "generationConfig.logprobs": less(
            "generation_config.logprobs=chosen-token-only",
            "of free text only the chosen token is told",
            {"generationConfig": {"responseLogprobs": True, "logprobs": 3}},
        ),
        "generationConfig.responseMimeType": _but("all but text/plain, application/json and text/x.enum"),
        "generationConfig.responseModalities": _but("all but `TEXT`"),
    },
)
