"""The events of an interaction that has ended, told again to whoever comes late.

Where they were kept, they are the same ones. Where they were not, they are as few as tell the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from geminid.core.events import Finished, PrefixFound, Started, TextDelta, ThoughtDelta, ToolCallMade
from geminid.core.interaction import (
    Ended,
    Interaction,
    InteractionEvent,
    Step,
    StepBegun,
    StepEvent,
    ToolAnswered,
)
from geminid.core.usage import Usage


async def told_again(
    interaction: Interaction, events: Iterable[StepEvent] | None
) -> AsyncIterator[InteractionEvent]:
    """Yield the events of an interaction, and its end."""
    for event in spelled(interaction.steps) if events is None else events:
        yield event
    yield Ended(interaction)


def spelled(steps: Iterable[Step]) -> Iterator[StepEvent]:
    """Yield as few events as spell some steps; read again, they give the same ones.

    Of a step that called functions the tokens of their calls count with the first one.
    """
    for step in steps:
        candidate, usage = step.answer.candidates[0], step.answer.usage
        yield StepBegun(step.receipt)
        yield Started(Usage(prompt=usage.prompt, media=usage.media))
        if usage.cached:
            yield PrefixFound(usage.cached, usage.cached_media)
        if candidate.thought or usage.thoughts:
            yield ThoughtDelta(candidate.thought, usage.thoughts)
        tokens = usage.candidates
        if candidate.text or candidate.logprobs or (tokens and not candidate.calls):
            said = tokens if not candidate.calls else min(tokens, len(candidate.logprobs))
            yield TextDelta(candidate.text, said, 0, candidate.logprobs)
            tokens -= said
        for call in candidate.calls:
            yield ToolCallMade(call, tokens)
            tokens = 0
        yield Finished(candidate.reason, 0, candidate.detail)
        yield from map(ToolAnswered, step.results)
