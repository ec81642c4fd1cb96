"""Interactions as values: one request to a model that the server remembers, and what came of it.

They know no bytes, no database and no spelling of any wire; ``wire`` is only a name that keeps the ids of one
apart from those of another. Times are milliseconds since 1970, UTC. Invariant: one in :data:`ENDED` changes
its status no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from geminid.core.content import Part, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.errors import InvalidArgument, Problem
from geminid.core.events import (
    Answer,
    Candidate,
    Event,
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    ThoughtDelta,
    TokenLogprob,
    ToolCallMade,
    usage_of,
)
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage

InteractionStatus = Literal[
    "queued", "in_progress", "requires_action", "completed", "failed", "cancelled", "incomplete"
]
"""``requires_action``: it called functions whose results are the caller's to bring. ``incomplete``: its last
answer was cut."""

ENDED: tuple[InteractionStatus, ...] = ("requires_action", "completed", "failed", "cancelled", "incomplete")


class Face(msgspec.Struct, frozen=True):
    """A wire by which interactions come: the name that its ids are kept under, and how they begin."""

    wire: str
    id_prefix: str


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why an interaction failed: google.rpc's code by name, words for the caller, the field if it is
    one's."""

    code: str
    message: str
    field: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the model within an interaction. Most interactions have one.

    receipt: the id of the request by which it was answered and charged; signatures of its parts are made of
    it. answer: its only candidate and its usage. results: what functions that run in this server gave back,
    in the order of their calls.
    """

    receipt: str
    answer: Answer
    results: tuple[ToolResult, ...] = ()


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction. ``id`` has the prefix of its wire.

    asked: the name of the model as it was asked for; model: the card that answers. previous: the id of the
    interaction that it goes on from, empty for none. kept: bytes of the wire, given back as they came. turns:
    what it was asked, without what came before. expires_ms: until when it is kept. stored: whether it is.
    """

    id: str
    project: str
    wire: str
    model: str
    asked: str
    previous: str = ""
    status: InteractionStatus
    background: bool = False
    stored: bool = True
    created_ms: int
    updated_ms: int
    expires_ms: int
    kept: bytes = b""
    turns: tuple[Turn, ...] = ()
    steps: tuple[Step, ...] = ()
    fault: Fault | None = None

    @property
    def ended(self) -> bool:
        """Whether it has come to its last status."""
        return self.status in ENDED

    @property
    def usage(self) -> Usage:
        """The tokens of all its steps."""
        total = Usage()
        for step in self.steps:
            total += step.answer.usage
        return total

    @property
    def reason(self) -> FinishReason | None:
        """Why its last answer ended; None if it did not end by itself."""
        if self.status not in ("completed", "incomplete", "requires_action") or not self.steps:
            return None
        return self.steps[-1].answer.candidates[0].reason


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """What was said up to and including an interaction, the oldest first.

    last: its id, empty where nothing was said before. depth: how many interactions there are. size_bytes:
    what they take as they are kept.
    """

    last: str = ""
    turns: tuple[Turn, ...] = ()
    depth: int = 0
    size_bytes: int = 0
    ids: tuple[str, ...] = ()


NO_CHAIN = Chain()


class NewInteraction(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants. ``request`` has the turns of this interaction alone, one candidate, and nothing of
    ``chain``, which is put before them.

    kept: whatever the wire wants to have back with the interaction. store: keep it. background: answer it
    although nobody waits; needs ``store``. resumable: keep its events as they were, so that whoever follows
    it after its end sees the same ones; those in the background always are.
    """

    request: GenerateRequest
    face: Face
    chain: Chain = NO_CHAIN
    kept: bytes = b""
    store: bool = True
    background: bool = False
    resumable: bool = False


class StepBegun(msgspec.Struct, frozen=True, tag="step_begun"):
    """The first event of every step. Then come those of :mod:`geminid.core.events`, of candidate 0."""

    receipt: str


class ToolAnswered(msgspec.Struct, frozen=True, tag="tool_answered"):
    """A function that runs in this server gave something back; comes after its step's ``Finished``."""

    result: ToolResult


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The last event of every interaction: it is stored as it is told here."""

    interaction: Interaction


StepEvent = StepBegun | Event | ToolAnswered
"""What happens within an interaction; written down in this order for whoever follows it."""

InteractionEvent = StepBegun | Event | ToolAnswered | Ended


def fault_of(problem: Problem) -> Fault:
    """Return what is kept of a problem."""
    violations = problem.violations if isinstance(problem, InvalidArgument) else ()
    return Fault(code=problem.code, message=problem.message, field=violations[0].field if violations else "")


def turns_of(interaction: Interaction) -> tuple[Turn, ...]:
    """Return what was said in one interaction: its input, its answers, what functions gave back."""
    return interaction.turns + tuple(turn for step in interaction.steps for turn in turns_of_step(step))


def turns_of_step(step: Step) -> tuple[Turn, ...]:
    """Return a step as turns: what the model said, and what functions of this server gave back."""
    candidate = step.answer.candidates[0]
    parts: list[Part] = [Thought(candidate.thought)] if candidate.thought else []
    if candidate.text:
        parts.append(Text(candidate.text))
    parts += candidate.calls
    said = (Turn("model", tuple(parts)),) if parts else ()
    return said + ((Turn("user", step.results),) if step.results else ())


def steps_of(events: Iterable[StepEvent]) -> tuple[Step, ...]:
    """Return the steps that events spell; the last one may have been cut off anywhere.

    A step that was cut off has the reason ``MAX_TOKENS``: whoever cut it says more.
    """
    drafts: list[_Draft] = []
    for event in events:
        if isinstance(event, StepBegun):
            drafts.append(_Draft(event.receipt))
        elif drafts:
            drafts[-1].add(event)
    return tuple(draft.step() for draft in drafts)


def calls_of(steps: Iterable[Step]) -> tuple[ToolCall, ...]:
    """Return the calls of the last step that nothing was given back for."""
    last = tuple(steps)[-1:]
    return tuple(
        call
        for step in last
        for call in step.answer.candidates[0].calls
        if call.id not in {result.id for result in step.results}
    )


class _Draft:
    """A step while its events are read."""

    def __init__(self, receipt: str) -> None:
        self._receipt = receipt
        self._usage = Usage()
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[TokenLogprob] = []
        self._results: list[ToolResult] = []
        self._end = Finished(FinishReason.MAX_TOKENS)

    def add(self, event: Event | ToolAnswered) -> None:
        """Take one more event."""
        if isinstance(event, ToolAnswered):
            self._results.append(event.result)
            return
        self._usage += usage_of(event)
        match event:
            case TextDelta():
                self._texts.append(event.text)
                self._logprobs += event.logprobs
            case ThoughtDelta():
                self._thoughts.append(event.text)
            case ToolCallMade():
                self._calls.append(event.call)
            case Finished():
                self._end = event
            case Started() | PrefixFound():
                pass

    def step(self) -> Step:
        """Return what was read."""
        candidate = Candidate(
            text="".join(self._texts),
            reason=self._end.reason,
            logprobs=tuple(self._logprobs),
            thought="".join(self._thoughts),
            calls=tuple(self._calls),
            detail=self._end.detail,
        )
        answer = Answer(candidates=(candidate,), usage=self._usage)
        return Step(receipt=self._receipt, answer=answer, results=tuple(self._results))
