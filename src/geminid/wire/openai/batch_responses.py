"""Lines of batches that ask for responses: each is a response that is told once and not kept.

A line has no one to go on for it, so whatever needs a kept response is refused: going on from one, the
background, searches in files, ``store``. It knows no store.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from geminid.core.events import Answer, FinishReason
from geminid.core.interaction import Interaction, InteractionStatus, Step
from geminid.core.request import GenerateRequest
from geminid.wire.lines import About, Rules, Sign, compact
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.responses.items import Known
from geminid.wire.openai.responses.kept import Kept
from geminid.wire.openai.responses.names import FACE
from geminid.wire.openai.responses.request import Reading, parse_request, read_request
from geminid.wire.openai.responses.schema import ResponsesRequest
from geminid.wire.openai.responses.writing import write_response

CODE = "unsupported_parameter"


class Refusal(NamedTuple):
    """A field that no line may have, and why."""

    field: str
    reason: str


REFUSALS = (
    Refusal("stream", "Streaming is not supported in the Batch API."),
    Refusal("background", "Lines of a batch are answered in the background anyway."),
    Refusal("previous_response_id", "Send what was said before as items of 'input'."),
    Refusal("store", "Responses of a batch are not kept; they are in its output file."),
)


def read_response(request: bytes, rules: Rules) -> tuple[GenerateRequest, Kept]:
    """Return what a line asks and what its response tells again, in the tier of batches.

    Raises :class:`~geminid.wire.openai.refused.Refused`.
    """
    message = parse_request(request)
    check(message)
    reading = Reading(card=rules.card, manner=rules.manner, genuine=rules.genuine)
    read = read_request(message, Known(), reading)
    if read.search is not None:
        raise Refused("Files are not searched in the Batch API.", "tools", CODE)
    settings = msgspec.structs.replace(read.kept.settings, store=False)
    kept = msgspec.structs.replace(read.kept, settings=settings, items=[])
    return msgspec.structs.replace(read.request, tier="batch"), kept


def check(message: ResponsesRequest) -> None:
    """Raise ``Refused`` for a field that no line may have."""
    for row in REFUSALS:
        if getattr(message, row.field):
            words = f"Unsupported parameter: '{row.field}' is not supported in the Batch API."
            raise Refused(f"{words} {row.reason}", row.field, CODE)


def write_line(answer: Answer, about: About, kept: Any, sign: Sign) -> bytes:
    """Return a response on one line."""
    moment_ms = about.created_s * 1000
    interaction = Interaction(
        id=FACE.id_prefix + about.id,
        project="",
        wire=FACE.wire,
        model=about.card.name,
        asked=about.card.name,
        status=_status(answer),
        stored=False,
        created_ms=moment_ms,
        updated_ms=moment_ms,
        expires_ms=moment_ms,
        steps=(Step(receipt=about.id, answer=answer),),
    )
    return compact(write_response(interaction, kept, lambda receipt, candidate, part: sign(candidate, part)))


def _status(answer: Answer) -> InteractionStatus:
    (candidate,) = answer.candidates
    if candidate.reason is not FinishReason.STOP:
        return "incomplete"
    return "requires_action" if candidate.calls else "completed"
