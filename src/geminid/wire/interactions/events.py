"""What happens in an interaction to the events of a stream, framed.

An event's id is its place: how many characters of text and how many other events were told up to its end.
However the engine's deltas were cut or joined, the same place means the same point of the answer, so a stream
that is told again goes on after any id. Invariant: the texts of all deltas of a step are its text; a stream
that fails has no ``[DONE]``.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, UnsetType

from geminid.core.content import ToolCall
from geminid.core.events import Finished, TextDelta, ThoughtDelta, ToolCallMade
from geminid.core.interaction import Ended, Interaction, InteractionEvent, StepBegun
from geminid.wire.interactions import answers
from geminid.wire.interactions.answers import ENCODER, Sign, Telling
from geminid.wire.interactions.errors import code_of
from geminid.wire.interactions.replies import (
    Arguments,
    Call,
    Error,
    ErrorEvent,
    Lifecycle,
    Output,
    Signature,
    StatusUpdate,
    Step,
    StepDelta,
    StepStart,
    StepStop,
    StreamEvent,
    Summary,
    Text,
    Thought,
)
from geminid.wire.interactions.replies import Interaction as Told
from geminid.wire.sse import SSE_HEADERS

CREATED, COMPLETED = "interaction.created", "interaction.completed"
DONE = b"event: done\ndata: [DONE]\n\n"


class EventWriter:
    """Writes one interaction, event by event in their order, as framed server-sent events.

    after: the id behind which the stream goes on, 0 for all of it. It counts, so it must be given every event
    from the first on.
    """

    def __init__(self, interaction: Interaction, telling: Telling, sign: Sign, after: int = 0) -> None:
        self._interaction = interaction
        self._telling = telling
        self._sign = sign
        self._after = after
        self._at = 0
        self._receipt = ""
        self._index = 0
        self._open: type[Step] | None = None
        self._thought = False
        self.failed = False

    def begin(self) -> bytes:
        """Return what is told before anything happens."""
        opening = Told(id=self._id, status="in_progress", model=self._interaction.model)
        update = StatusUpdate(interaction_id=self._id, status="in_progress")
        return self._tell(Lifecycle(interaction=opening, event_type=CREATED)) + self._tell(update)

    def write(self, event: InteractionEvent) -> bytes:
        """Return what is told of one event; nothing for many."""
        match event:
            case TextDelta():
                return self._text(event.text)
            case ThoughtDelta():
                return self._think(event)
            case ToolCallMade():
                return self._call(event.call)
            case StepBegun():
                self._receipt, self._thought = event.receipt, False
            case Finished():
                return self._stop()
            case Ended():
                return self._end(event.interaction)
        return b""

    @property
    def _id(self) -> str:
        return self._interaction.id if self._interaction.stored else ""

    def _text(self, text: str) -> bytes:
        if not text:
            return b""
        begun = self._start(Output()) if self._open is not Output else b""
        rest = self._unsaid(text)
        return begun + self._delta(Text(rest)) if rest else begun

    def _think(self, delta: ThoughtDelta) -> bytes:
        if not delta.text and not delta.tokens:
            return b""
        begun = self._start(Thought()) if self._open is not Thought else b""
        self._thought = True
        rest = self._unsaid(delta.text) if self._telling.thoughts else ""
        return begun + self._delta(Summary(Text(rest))) if rest else begun

    def _call(self, call: ToolCall) -> bytes:
        said = self._stop()
        if not self._thought:  # a call comes back with proof, and the thought bears it
            self._thought = True
            said += self._start(Thought()) + self._stop()
        said += self._start(Call(id=call.id, name=call.name, arguments={}))
        arguments = ENCODER.encode(call.args).decode()
        return said + self._tell(StepDelta(index=self._index, delta=Arguments(arguments))) + self._stop()

    def _end(self, interaction: Interaction) -> bytes:
        said = self._stop()
        if interaction.fault is not None:
            self.failed = True
            fault = interaction.fault
            return said + self._tell(ErrorEvent(error=Error(fault.message, code_of(fault.code))))
        told = answers.heading(interaction, self._telling)
        told.id, told.previous_interaction_id = self._id, UNSET
        return said + self._tell(Lifecycle(interaction=told, event_type=COMPLETED))

    def _start(self, step: Step) -> bytes:
        said = self._stop()
        self._open = type(step)
        return said + self._tell(StepStart(index=self._index, step=step))

    def _stop(self) -> bytes:
        if self._open is None:
            return b""
        said = b""
        if self._open is Thought:
            proof = Signature(self._sign(self._receipt, self._index))
            said = self._tell(StepDelta(index=self._index, delta=proof))
        said += self._tell(StepStop(index=self._index))
        self._open, self._index = None, self._index + 1
        return said

    def _delta(self, delta: Text | Summary) -> bytes:
        return framed(StepDelta(index=self._index, delta=delta, event_id=self._place()))

    def _unsaid(self, text: str) -> str:
        """Count a text, and return what of it stands behind the place after which the stream goes on."""
        start = self._at
        self._at += len(text)
        return text if start >= self._after else text[self._after - start :]

    def _tell(self, event: StreamEvent) -> bytes:
        self._at += 1
        if self._at <= self._after:
            return b""
        event.event_id = self._place()
        return framed(event)

    def _place(self) -> str | UnsetType:
        return str(self._at) if self._interaction.stored else UNSET  # nothing else can be resumed


def framed(event: StreamEvent) -> bytes:
    """Return an event as it is sent."""
    return b"event: %b\ndata: %b\n\n" % (event.event_type.encode(), ENCODER.encode(event))


class EventFraming:
    """The framing of one stream; what the writer gives is framed already.

    opening: gives what comes first. failed: whether the stream has ended in an error.
    """

    headers = SSE_HEADERS

    def __init__(self) -> None:
        self.opening: Callable[[], bytes] = lambda: b""
        self.failed: Callable[[], bool] = lambda: False

    def first(self) -> bytes:
        """Return what stands before anything has happened."""
        return self.opening()

    def frame(self, chunk: bytes) -> bytes:
        """Return ``chunk``."""
        return chunk

    def last(self) -> bytes:
        """Return what ends the stream; nothing for one that has failed, which must not look whole."""
        return b"" if self.failed() else DONE
