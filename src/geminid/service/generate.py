"""Answer, count and tell about models: the acts of the main path.

It gives every answer its id, finds card and engine, keeps deadlines, and tells an observer what each
request cost. It knows no wire. Invariant: every request that was admitted is observed exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple, Protocol

import msgspec

from geminid.billing.faults import Unpriced
from geminid.catalog.served import Served
from geminid.core import clock, ids
from geminid.core.caller import ANYBODY, Caller
from geminid.core.card import EngineKind, ModelCard
from geminid.core.errors import (
    DeadlineExceeded,
    InputTooLong,
    OutOfCredits,
    Problem,
    QuotaExceeded,
    UnknownCache,
)
from geminid.core.events import (
    Event,
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    ThoughtDelta,
    ToolCallMade,
    usage_of,
)
from geminid.core.money import Nano
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.engines.protocol import Engine, Events
from geminid.service.cache_contents import CachedContents
from geminid.service.folding import CHARACTERS_PER_TOKEN_MAX, Folded, characters_of, folded_to_fit
from geminid.service.meter import INTERRUPTED, Charge, Meter, Times
from geminid.service.resolve import Resolved, Resolver


class _Answering:
    """What an answer is while it is made: its record, and what its engine says of it."""

    def __init__(self, record: RequestRecord) -> None:
        self.record = record
        self.deferred = False
        self.keep: Keep | None = None
        self.events: AsyncIterator[Event] | None = None
        self.deadline: asyncio.Timeout | None = None

    def usage(self) -> Usage:
        """Return what was produced, also what nobody has read."""
        usage = self.record.usage
        produced = self.events.produced() if isinstance(self.events, Events) else None
        if produced is None:
            return usage
        if produced.cached and usage.prompt and not self.record.found_tokens:  # nobody read that it was found
            usage += Usage(cached=produced.cached - sum(produced.cached_media.values()))
        return msgspec.structs.replace(usage, candidates=produced.candidates, thoughts=produced.thoughts)

    def note_begin(self) -> None:
        """Note when the engine began with it, if it tells."""
        waited_ms = self.events.waited_ms() if isinstance(self.events, Events) else None
        if waited_ms is not None:
            self.record.begun_s = self.record.accepted_s + waited_ms / 1000


class RequestRecord(msgspec.Struct, kw_only=True):
    """What one request was: filled while it runs, observed when it ends.

    outcome: ``finished``, ``cancelled`` (the caller left), ``INTERNAL`` (a bug) or the problem's
    code. refused_by: the limits that refused it, by Google's names. traceparent: the caller's, if any.
    From the start, negative when it did not come to that: read_s, until its media were read; accepted_s,
    until the engine had it; admitted_s, until the meter had let it pass; begun_s, until the engine began
    with it; first_token_s, until its first token; settled_s, until it was charged. took_s: until its end,
    before that. gap_sum_s: time between later deltas, of gap_tokens tokens.
    found_tokens: how many of the prompt's tokens the engine found computed, beside cached contents.
    request, answered: what was asked and answered, where that is wanted (:class:`Generator`). verb: what was
    asked for: an answer, vectors, or sound written down.
    """

    model: str
    asked: str
    id: str
    project: str = ""
    key_name: str = ""
    tier: str = "standard"
    traceparent: str = ""
    usage: Usage = Usage()
    found_tokens: int = 0
    cost_nano: Nano | None = None
    outcome: str = "cancelled"
    refused_by: tuple[str, ...] = ()
    began_s: float = 0.0
    took_s: float = 0.0
    read_s: float = -1.0
    accepted_s: float = -1.0
    admitted_s: float = -1.0
    begun_s: float = -1.0
    first_token_s: float = -1.0
    last_token_s: float = 0.0
    settled_s: float = -1.0
    gap_sum_s: float = 0.0
    gap_tokens: int = 0
    reasons: tuple[FinishReason, ...] = ()
    request: GenerateRequest | None = None
    answered: list[str] = []
    verb: Literal["generate", "embed", "transcribe"] = "generate"


class Generation(msgspec.Struct, frozen=True):
    """An accepted request: its id, the card that answers, and its events.

    folded: the figures of an input that was too long and was folded, None for all others.
    charge: what it costs, once its events have ended; None where nothing is metered.
    """

    id: str
    card: ModelCard
    events: AsyncIterator[Event]
    folded: Folded | None = None
    charge: Charge | None = None


class Counted(NamedTuple):
    """The usage that a prompt would have, and the most that its request could cost, where it has a price."""

    usage: Usage
    bound_nano: Nano | None


Observe = Callable[[RequestRecord], None]
Keep = Callable[[Finished], Awaitable[None]]
"""Keeps an answer that is whole, before it is charged; what it raises ends the request instead."""


ANSWER_SHARE = 4
"""Folding leaves at most one part in so many of the model's window to the answer."""

FOLDED_SHARE = 4
"""A folded input fills one part in so many of the window: reading it takes most of the time of an answer,
and small models find less in a full window than in a part of one."""

LongInput = Literal["refuse", "fold"]
"""What happens to a prompt that does not fit the model."""


class FindsCaches(Protocol):
    """Whatever knows cached contents: :class:`geminid.service.caches.Caches`."""

    async def use(self, request: GenerateRequest, card: ModelCard, project: str) -> CachedContents:
        """Return the cached contents that a request names, ready to be used."""


class Generator:
    """Entry to every engine. ``observe`` is called once for each request, when it has ended.

    caches: where cached contents are found; until that is set there are none.

    keep_words: observed requests tell what was asked and answered.
    """

    def __init__(
        self,
        served: Served,
        engines: Mapping[EngineKind, Engine],
        observe: Observe,
        *,
        resolver: Resolver,
        meter: Meter | None = None,
        long_input: LongInput = "refuse",
        keep_words: bool = False,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self.served = served
        self.caches: FindsCaches | None = None
        self._engines = engines
        self._observe = observe
        self._resolver = resolver
        self._meter = meter
        self._long_input = long_input
        self._keep_words = keep_words
        self._clock = clock
        self._new_id = new_id

    @property
    def folds(self) -> bool:
        """Whether prompts that do not fit a model are made to."""
        return self._long_input == "fold"

    @property
    def observe(self) -> Observe:
        """What is called with each request that has ended, for acts beside this one."""
        return self._observe

    @asynccontextmanager
    async def generate(
        self,
        request: GenerateRequest,
        caller: Caller = ANYBODY,
        *,
        deadline_ms: int | None = None,
        own_deadline: bool = False,
        request_id: str = "",
        traceparent: str = "",
        whole: bool = False,
        deferred: bool = False,
        fresh: bool = False,
        keep: Keep | None = None,
    ) -> AsyncIterator[Generation]:
        """Answer a request; entering waits until an engine has accepted it and the meter has admitted it.

        own_deadline: the deadline is the caller's, who pays for what he got until then. request_id: the
        caller's own name for the request, by which it is charged once. traceparent: of the caller's trace.
        whole: nothing of the answer leaves this process before its last event, so it may be made while the
        meter decides; a refusal then comes while events are read.
        deferred: an answer that ended well is not charged here: whoever asked keeps it first, and then has
        the meter ``pay`` its charge. One that was left costs nothing. fresh: request_id was certainly never
        used before. keep: is called when all candidates have ended, with the last event, which is passed on
        afterwards.
        Raises ``UnknownModel``, whatever the engine or the meter refuses with, and ``DeadlineExceeded``,
        which may also come while events are read.
        """
        card = self.served.resolve(request.model)
        record = self._record(card, request, caller, traceparent)
        answering, charge = _Answering(record), None
        answering.deferred, answering.keep = deferred, keep
        try:
            charge = self._opened(record, request, caller, request_id, fresh=fresh)
            async with until_deadline(deadline_ms) as deadline:
                request = msgspec.structs.replace(request, project=caller.project)
                resolved = await self._resolved(request, card, caller.project)
                record.read_s = self._clock() - record.began_s
                async with self._fitting(card, resolved.request) as (events, folded):
                    answering.events, answering.deadline = events, deadline
                    told = events if resolved.figures is None else _told(events, resolved)
                    started = await self._started(told, record)
                    if charge is not None and self._meter is not None:
                        bound = tokens_bound(card, resolved.request)
                        if whole:
                            self._meter.begin(charge, started.usage, bound, request.candidates)
                        else:
                            await self._meter.admit(charge, started.usage, bound, request.candidates)
                            record.admitted_s = self._clock() - record.began_s
                    watched = self._watched(started, told, answering, charge, request.candidates)
                    yield Generation(record.id, card, watched, folded, charge)
        except Problem as problem:
            record.outcome, record.refused_by = problem.code, limits_of(problem)
            raise
        except Exception:
            record.outcome = "INTERNAL"
            raise
        finally:
            record.took_s = self._clock() - record.began_s
            record.usage = answering.usage()
            answering.note_begin()
            if charge is not None:
                late = own_deadline and record.outcome == DeadlineExceeded.code
                left = INTERRUPTED if deferred and record.outcome == "cancelled" else ""
                await self._end(charge, record, left or ("cancelled" if late else _charged_as(record)))
            self._observe(record)

    def _record(
        self, card: ModelCard, request: GenerateRequest, caller: Caller, traceparent: str
    ) -> RequestRecord:
        return RequestRecord(
            model=card.name,
            asked=request.model,
            id=self._new_id(),
            project=caller.project,
            key_name=caller.key_name,
            tier=request.tier,
            traceparent=traceparent,
            began_s=self._clock(),
            request=request if self._keep_words else None,
        )

    async def _end(self, charge: Charge, record: RequestRecord, outcome: str) -> None:
        assert self._meter is not None
        await self._meter.end(charge, record.usage, outcome, times_of(record))
        if charge.settling is not None and record.settled_s < 0:
            record.settled_s = self._clock() - record.began_s
        record.cost_nano = charge.cost_nano

    def _opened(
        self,
        record: RequestRecord,
        request: GenerateRequest,
        caller: Caller,
        request_id: str,
        *,
        fresh: bool,
    ) -> Charge | None:
        if self._meter is None:
            return None
        return self._meter.open(
            record.id,
            caller,
            model=record.model,
            asked=record.asked,
            tier=request.tier,
            labels=request.labels,
            request=request_id,
            cache=request.cached_content,
            fresh=fresh,
        )

    async def _resolved(self, request: GenerateRequest, card: ModelCard, project: str) -> Resolved:
        """Return the request with its media read, and the cached contents that it names before its turns."""
        if not request.cached_content:
            return await self._resolver.resolve(request, card, project)
        if self.caches is None:
            raise UnknownCache
        cached = await self.caches.use(request, card, project)
        return cached.before(await self._resolver.resolve(request, card, project))

    async def _started(self, events: AsyncIterator[Event], record: RequestRecord) -> Started:
        """Return the first event of an engine, which says what was accepted."""
        started = await anext(aiter(events))
        assert isinstance(started, Started)
        record.accepted_s = self._clock() - record.began_s
        return started

    @asynccontextmanager
    async def _fitting(
        self, card: ModelCard, request: GenerateRequest
    ) -> AsyncIterator[tuple[AsyncIterator[Event], Folded | None]]:
        """Ask the engine, with a prompt that is too long folded before, where that is wanted."""
        engine = self._engines[card.engine]
        folded = None
        if self._long_input == "fold":
            folded = await self._folded(engine, card, request)
        async with engine.generate(card, folded.request if folded else request) as events:
            yield events, folded

    async def _folded(self, engine: Engine, card: ModelCard, request: GenerateRequest) -> Folded | None:
        """Return the request made to fit, or None when it fits as it is beside its answer."""
        asked = request.tokens_max or card.output_tokens_default or card.output_tokens_max
        room = card.input_tokens_max - min(asked, card.input_tokens_max // ANSWER_SHARE)

        async def count(some: GenerateRequest) -> int:
            return (await engine.count(card, some)).prompt

        characters = characters_of(request)
        if characters < room:
            return None  # hardly any text has more tokens than characters: the engine need not count it
        if characters <= room * CHARACTERS_PER_TOKEN_MAX and await count(request) <= room:
            return None
        for tokens_max in (card.input_tokens_max // FOLDED_SHARE, room):
            with contextlib.suppress(InputTooLong):
                return await folded_to_fit(request, tokens_max, count)
        return None  # what cannot be left out is too much: the engine says by how much

    async def count(
        self, request: GenerateRequest, caller: Caller = ANYBODY, *, deadline_ms: int | None = None
    ) -> Counted:
        """Return the usage that the request's prompt would have, and what the request could cost."""
        card = self.served.resolve(request.model)
        async with until_deadline(deadline_ms):
            resolved = await self._resolved(request, card, caller.project)
            usage = resolved.told(await self._engines[card.engine].count(card, resolved.request))
        if self._meter is None:
            return Counted(usage, None)
        bound, names = tokens_bound(card, request), (request.model, card.name)
        nano = self._meter.bound_nano(*names, request.tier, usage, bound, request.candidates)
        return Counted(usage, nano)

    async def _watched(
        self,
        started: Started,
        events: AsyncIterator[Event],
        answering: _Answering,
        charge: Charge | None,
        candidates: int,
    ) -> AsyncIterator[Event]:
        """Pass events on, noting what they cost and when they came. The last one is passed on once the
        request is settled: who has read it has paid for it."""
        record = answering.record
        record.usage += started.usage
        yield started
        async for event in events:
            if charge is not None and (refused := charge.refused) is not None:
                raise refused
            record.usage += usage_of(event)
            match event:
                case ThoughtDelta() | TextDelta() | ToolCallMade():
                    self._time(record, event.tokens)
                    if self._keep_words and isinstance(event, TextDelta):
                        record.answered.append(event.text)
                case PrefixFound():
                    record.found_tokens += event.tokens
                case Finished():
                    record.reasons += (event.reason,)
                    candidates -= 1
                    if not candidates:
                        await self._finish(event, answering, charge)
            yield event

    async def _finish(self, event: Finished, answering: _Answering, charge: Charge | None) -> None:
        record = answering.record
        if answering.deadline is not None:
            answering.deadline.reschedule(None)  # the answer is whole: it must not be paid and then refused
        if answering.keep is not None:
            await answering.keep(event)
        record.took_s = self._clock() - record.began_s
        record.outcome = "finished"
        answering.note_begin()
        if charge is not None and self._meter is not None and answering.deferred:
            await self._meter.defer(charge, record.usage, _charged_as(record), times_of(record))
        elif charge is not None and self._meter is not None:
            await self._meter.settle(charge, record.usage, _charged_as(record), times_of(record))
            record.settled_s = self._clock() - record.began_s

    def _time(self, record: RequestRecord, tokens: int) -> None:
        now_s = self._clock()
        if record.first_token_s < 0:
            record.first_token_s = now_s - record.began_s
        else:
            record.gap_sum_s += now_s - record.last_token_s
            record.gap_tokens += tokens
        record.last_token_s = now_s


async def _told(events: AsyncIterator[Event], resolved: Resolved) -> AsyncIterator[Event]:
    """Pass events on, with the prompt counted as it is to be told. Where media are told in figures that are
    not this engine's, what was found of them has none."""
    async for event in events:
        match event:
            case Started():
                yield Started(resolved.told(event.usage))
            case PrefixFound():
                yield PrefixFound(event.tokens - sum(event.media.values()))
            case _:
                yield event


def tokens_bound(card: ModelCard, request: GenerateRequest) -> int:
    """Return the most tokens that an engine may produce for each candidate, whatever it thinks."""
    unsaid = (card.output_tokens_default or card.output_tokens_max) + card.thinking.budget_tokens("high")
    return min(request.tokens_max or unsaid, card.output_tokens_max)


def times_of(record: RequestRecord) -> Times:
    """Return the times of a request in whole milliseconds."""
    return Times(
        read_ms=_ms(record.read_s),
        accepted_ms=_ms(record.accepted_s),
        admitted_ms=_ms(record.admitted_s),
        begun_ms=_ms(record.begun_s),
        first_token_ms=_ms(record.first_token_s),
        took_ms=round(record.took_s * 1000),
    )


def _ms(seconds: float) -> int | None:
    return round(seconds * 1000) if seconds >= 0 else None


def limits_of(problem: Problem) -> tuple[str, ...]:
    """Return by what a request was refused, where it was because of money or limits."""
    match problem:
        case QuotaExceeded():
            return tuple(each.quota_id for each in problem.violations)
        case OutOfCredits() | Unpriced():
            return ("credits",)
    return ()


def _charged_as(record: RequestRecord) -> str:
    """An answer without a single token is our fault and not paid."""
    empty = not record.usage.candidates and not record.usage.thoughts
    return "empty" if record.outcome == "finished" and empty else record.outcome


@asynccontextmanager
async def until_deadline(deadline_ms: int | None) -> AsyncIterator[asyncio.Timeout]:
    """Turn a passed deadline into its problem."""
    try:
        async with asyncio.timeout(None if deadline_ms is None else deadline_ms / 1000) as timeout:
            yield timeout
    except TimeoutError as error:
        raise DeadlineExceeded("The deadline passed before the answer was complete.") from error
