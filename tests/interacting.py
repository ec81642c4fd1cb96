"""Interactions as the service gives them, made from the events that an engine would give."""

from __future__ import annotations

from typing import Any

import msgspec

from geminid.core.events import Event, Finished, FinishReason, Started, TextDelta
from geminid.core.interaction import Fault, Interaction, InteractionStatus, StepBegun, StepEvent, steps_of
from geminid.core.usage import Usage
from geminid.wire.interactions.answers import FACE
from geminid.wire.interactions.create import ReadInteraction

ID = "v1_s0m3w0rds"
CREATED_MS = 1_778_871_115_000
"""2026-05-15T18:51:55Z"""
UPDATED_MS = CREATED_MS + 2_000
RECEIPT = "B9MBs8CjcvOU2jLn4n570S"
HELLO: tuple[Event, ...] = (
    Started(Usage(prompt=7)),
    TextDelta("Hello! ", 3),
    TextDelta("How are you today?", 5),
    Finished(FinishReason.STOP),
)


def told_events(pair: dict[str, Any]) -> list[StepEvent]:
    """The events of the only step of a pair, those of a greeting where it names none."""
    given = msgspec.convert(pair["events"], list[Event]) if "events" in pair else list(HELLO)
    return [StepBegun(RECEIPT), *given]


def ended(pair: dict[str, Any], read: ReadInteraction) -> Interaction:
    """The interaction of a pair as it is when it has ended."""
    fault = msgspec.convert(pair["fault"], Fault) if "fault" in pair else None
    steps = steps_of(told_events(pair))
    request = pair["request"]
    return Interaction(
        id=ID,
        project="default",
        wire=FACE.wire,
        model="tiny",
        asked=read.request.model,
        previous=request.get("previous_interaction_id", ""),
        status=pair.get("ends", "failed" if fault else status_of(steps)),
        stored=read.store,
        created_ms=CREATED_MS,
        updated_ms=UPDATED_MS,
        expires_ms=0,
        kept=read.kept,
        turns=read.request.turns,
        steps=steps,
        fault=fault,
    )


def status_of(steps: tuple[Any, ...]) -> InteractionStatus:
    """How an interaction that nothing happened to has ended."""
    said = steps[-1].answer.candidates[0]
    if said.reason is not FinishReason.STOP:
        return "incomplete"
    return "requires_action" if said.calls else "completed"
