"""Google's Interactions."""

from collections.abc import Iterable
from typing import Any

from contract.bodies.remarks import but, less, refused
from contract.fields import Opened, Request, Unserved
from geminid.wire.interactions import create, refusals, schema
from geminid.wire.interactions.create import Reading

INVALID = "invalid_request"


def sdk() -> Iterable[Any]:
    from google.genai._gaos.types.interactions import createagentinteraction, createmodelinteraction

    return (
        createmodelinteraction.CreateModelInteractionParam,
        createagentinteraction.CreateAgentInteractionParam,
    )


CONTENTS = (
    ("text", schema.TextContent),
    ("image", schema.ImageContent),
    ("audio", schema.AudioContent),
    ("video", schema.VideoContent),
    ("document", schema.MediumContent),
)


def downgrades_of(body: bytes) -> tuple[str, ...]:
    return create.read_message(create.read_body(body), (), Reading()).downgrades


INTERACTIONS = Request(
    path="POST /v1beta/interactions",
    messages=(schema.CreateInteraction,),
    sdk=sdk,
    beyond=frozenset({"response_format[].schema_"}),  # what the SDK calls `schema`
    alone=("input", "response_format"),
    least={"model": "gemini-3.1-flash-lite", "input": "hello"},
    read=downgrades_of,
    opened={
        "input": Opened(
            (
                *CONTENTS,
                ("user_input", schema.SpokenStep),
                ("model_output", schema.SpokenStep),
                ("thought", schema.ThoughtStep),
                ("function_call", schema.FunctionCallStep),
                ("function_result", schema.FunctionResultStep),
            )
        ),
        "input[].content": Opened(CONTENTS),
        "input[].summary": Opened(CONTENTS[:2]),
        "input[].result": Opened(CONTENTS),
        "tools": Opened((("function", schema.Function),)),
        "generation_config.tool_choice": Opened((("", schema.ToolChoice),), "", listed=False),
        "response_format": Opened((("text", schema.TextFormat),)),
    },
    unserved=(
        Unserved("input[]", refusals.STEPS, INVALID, lambda tag: {"input": [{"type": tag}]}),
        Unserved("tools[]", tuple(refusals.TOOLS), INVALID, lambda tag: {"tools": [{"type": tag}]}),
        Unserved(
            "response_format[]", refusals.FORMATS, INVALID, lambda tag: {"response_format": [{"type": tag}]}
        ),
    ),
    remarks={
        **{row.path: refused(INVALID, f"let through: {row.accepted}") for row in refusals.REFUSALS},
        "response_modalities": but(INVALID, "all but `text`", {"response_modalities": ["image"]}),
        "service_tier": but(INVALID, "`deferred`", {"service_tier": "deferred"}),
        "safety_settings": less(
            "safety_settings=not-enforced", "", {"safety_settings": [{"threshold": "block_low_and_above"}]}
        ),
    },
)
