"""Write down what is said in a sound: the act behind transcriptions and translations.

Sound costs what the price book says of the model's name: 32 tokens of audio for each second begun, tokens of
text for the prompt and for what is written. It knows no wire and no parser. Invariants: every request that
was admitted is observed exactly once; no word leaves before the request is admitted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from geminid.core import clock, ids
from geminid.core.caller import ANYBODY, Caller
from geminid.core.card import SpeechCard
from geminid.core.errors import FieldViolation, InvalidArgument, NotFound, Problem, UnknownModel
from geminid.core.speech import Listen, Listening, Segment, SpeechEvent, SpeechRequest, Understood
from geminid.core.usage import Usage
from geminid.media.faults import Unreadable
from geminid.media.figures import google_tokens
from geminid.media.reading import Measures
from geminid.service.generate import Observe, RequestRecord, limits_of, times_of, until_deadline
from geminid.service.meter import Charge, Meter

WINDOW_S = 30
WINDOW_TOKENS_MAX = 448
"""What is written of half a minute at most."""
NO_MODEL = (
    "There is no speech model on this server to transcribe sound with; its operator can fetch one with: "
    "geminid pull whisper-base"
)


class Listener(Protocol):
    """Whatever hears: :class:`geminid.media.pool.ReaderPool`."""

    def hearing(
        self, source: Path, mime_type: str, listen: Listen
    ) -> AbstractAsyncContextManager[AsyncIterator[SpeechEvent]]:
        """Have what is said in a file written down."""


class Hearing(msgspec.Struct, frozen=True):
    """A sound that is being written down: the events that follow the first, which is ``listening``.

    usage: tells what was used so far. charge: None where nothing is metered.
    """

    id: str
    card: SpeechCard
    listening: Listening
    events: AsyncIterator[SpeechEvent]
    usage: Callable[[], Usage]
    charge: Charge | None = None


class Transcriptions:
    """Entry to the speech model. ``observe`` is called once for each request, when it has ended.

    speech: tells which model there is now, None where there is none. names: what it is called beside its own
    name.
    """

    def __init__(
        self,
        speech: Callable[[], SpeechCard | None],
        names: Collection[str],
        listener: Listener,
        observe: Observe,
        *,
        meter: Meter | None = None,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self._speech = speech
        self._names = frozenset(names)
        self._listener = listener
        self._observe = observe
        self._meter = meter
        self._clock = clock
        self._new_id = new_id

    def resolve(self, name: str) -> SpeechCard:
        """Return the model behind a name; raises ``UnknownModel``, and ``NotFound`` where there is none."""
        card = self._speech()
        if card is None:
            raise NotFound(NO_MODEL)
        if name != card.name and name not in self._names:
            raise UnknownModel(name)
        return card

    @asynccontextmanager
    async def transcribe(
        self,
        request: SpeechRequest,
        path: Path,
        caller: Caller = ANYBODY,
        *,
        deadline_ms: int | None = None,
        request_id: str = "",
        traceparent: str = "",
    ) -> AsyncIterator[Hearing]:
        """Write down what is said in a file; entering waits until it was read and the meter has admitted it.

        request_id, traceparent: as of :meth:`geminid.service.generate.Generator.generate`. Raises
        ``UnknownModel``, ``InvalidArgument`` for a file that cannot be heard, what the meter refuses with,
        and ``DeadlineExceeded``; what cannot be heard may turn out while events are read. Who leaves pays for
        the sound and for what was written until then.
        """
        card = self.resolve(request.model)
        _check_language(request.listen, card)
        record = self._record(card, request, caller, traceparent)
        charge = None
        try:
            charge = self._opened(record, request, caller, request_id)
            async with (
                until_deadline(deadline_ms) as deadline,
                self._listener.hearing(path, request.mime_type, request.listen) as events,
            ):
                listening = await anext(aiter(events))
                assert isinstance(listening, Listening)
                await self._begin(record, charge, listening)
                told = self._watched(events, record, charge, lambda: deadline.reschedule(None))
                yield Hearing(record.id, card, listening, told, lambda: record.usage, charge)
        except Problem as problem:
            record.outcome, record.refused_by = problem.code, limits_of(problem)
            raise _of_file(problem) from problem
        except Exception:
            record.outcome = "INTERNAL"
            raise
        finally:
            record.took_s = self._clock() - record.began_s
            if charge is not None and self._meter is not None:
                await self._meter.end(charge, record.usage, record.outcome, times_of(record))
                record.cost_nano = charge.cost_nano
            self._observe(record)

    def _record(
        self, card: SpeechCard, request: SpeechRequest, caller: Caller, traceparent: str
    ) -> RequestRecord:
        return RequestRecord(
            model=card.name,
            asked=request.model,
            id=self._new_id(),
            project=caller.project,
            key_name=caller.key_name,
            traceparent=traceparent,
            began_s=self._clock(),
            verb="transcribe",
        )

    def _opened(
        self, record: RequestRecord, request: SpeechRequest, caller: Caller, request_id: str
    ) -> Charge | None:
        if self._meter is None:
            return None
        return self._meter.open(
            record.id,
            caller,
            model=record.model,
            asked=record.asked,
            tier="standard",
            labels=request.labels,
            request=request_id,
            verb="transcribe",
        )

    async def _begin(self, record: RequestRecord, charge: Charge | None, listening: Listening) -> None:
        record.usage = usage_of(listening)
        record.read_s = record.accepted_s = record.begun_s = self._clock() - record.began_s
        if charge is not None and self._meter is not None:
            await self._meter.admit(charge, record.usage, tokens_bound(listening.length_ms), 1)
            record.admitted_s = self._clock() - record.began_s

    async def _watched(
        self,
        events: AsyncIterator[SpeechEvent],
        record: RequestRecord,
        charge: Charge | None,
        end_deadline: Callable[[], None],
    ) -> AsyncIterator[SpeechEvent]:
        """Pass events on, noting what they cost. The last one is passed on once the request is settled."""
        async for event in events:
            match event:
                case Segment():
                    record.usage += Usage(candidates=len(event.tokens))
                    if record.first_token_s < 0:
                        record.first_token_s = self._clock() - record.began_s
                case Understood():
                    end_deadline()  # it must not be paid and then refused
                    await self._finish(record, charge)
            yield event

    async def _finish(self, record: RequestRecord, charge: Charge | None) -> None:
        record.took_s = self._clock() - record.began_s
        record.outcome = "finished"
        if charge is not None and self._meter is not None:
            await self._meter.settle(charge, record.usage, record.outcome, times_of(record))
            record.settled_s = self._clock() - record.began_s


def seconds_of(length_ms: int) -> int:
    """Return how many seconds of sound are counted: those that have begun."""
    return -(-length_ms // 1000)


def usage_of(listening: Listening) -> Usage:
    """Return what a sound takes before a word of it is written."""
    audio = google_tokens(Measures(heard_ms=seconds_of(listening.length_ms) * 1000), None)
    return Usage(prompt=sum(audio.values()) + listening.prompt_tokens, media=audio)


def tokens_bound(length_ms: int) -> int:
    """Return the most tokens that are written of a sound, as far as a hold must cover them."""
    windows = -(-length_ms // (WINDOW_S * 1000)) + 1
    return windows * WINDOW_TOKENS_MAX


def _check_language(listen: Listen, card: SpeechCard) -> None:
    if listen.language and card.languages and listen.language not in card.languages:
        reason = f"{card.title} does not know the language {listen.language}."
        raise InvalidArgument(reason, violations=(FieldViolation(reason, "language"),))


def _of_file(problem: Problem) -> Problem:
    """Return a problem with the sound itself as one with its field."""
    if not isinstance(problem, Unreadable):
        return problem
    return InvalidArgument(problem.message, violations=(FieldViolation(problem.message, "file"),))
