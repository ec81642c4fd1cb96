"""Responses as bytes: whole, as events, and lists of their items.

Invariant: events are numbered from 0 without a gap, also those that a reader who comes back is not sent
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from geminid.core.errors import Problem
from geminid.core.interaction import Interaction, InteractionEvent, fault_of
from geminid.wire.openai.answers import pretty
from geminid.wire.openai.responses import events
from geminid.wire.openai.responses.draft import Draft, Sign, draft_of, error_of
from geminid.wire.openai.responses.events import StreamEvent, framed
from geminid.wire.openai.responses.kept import Kept
from geminid.wire.openai.responses.replies import Deleted, InputTokens


class EventWriter:
    """Writes the events of one response. after: the number of the last event that the reader has; -1 is
    none."""

    def __init__(self, draft: Draft, after: int = -1) -> None:
        self._draft = draft
        self._after = after
        self._number = 0

    def begin(self) -> bytes:
        """Return what a stream begins with."""
        return self._framed(self._draft.begin())

    def write(self, event: InteractionEvent) -> bytes | None:
        """Return what is told of an event, framed; None for nothing."""
        return self._framed(self._draft.take(event)) or None

    def fail(self, problem: Problem) -> bytes:
        """Return what ends a stream whose answer failed on the way."""
        fault = fault_of(problem)
        error = error_of(fault)
        response = self._draft.response("failed")
        response.error = error
        return self._framed(
            [
                events.Error(code=error.code, message=error.message, param=fault.field or None),
                events.Failed(response=response),
            ]
        )

    def _framed(self, told: Sequence[StreamEvent]) -> bytes:
        chunks = []
        for event in told:
            event.sequence_number = self._number
            self._number += 1
            if event.sequence_number > self._after:
                chunks.append(framed(event))
        return b"".join(chunks)


def write_response(interaction: Interaction, kept: Kept, sign: Sign) -> bytes:
    """Return the body of a response as it is now."""
    return pretty(draft_of(interaction, kept, sign).told(interaction))


def write_deleted(response_id: str) -> bytes:
    """Return what is told of a response that is gone."""
    return pretty(Deleted(id=response_id))


def write_tokens(tokens: int) -> bytes:
    """Return how many tokens an input has."""
    return pretty(InputTokens(input_tokens=tokens))


def output_items(interaction: Interaction, kept: Kept, sign: Sign) -> list[dict[str, Any]]:
    """Return the items of an answer as objects, to be referred to."""
    response = draft_of(interaction, kept, sign).told(interaction)
    items: list[dict[str, Any]] = msgspec.to_builtins(response.output)
    return items
