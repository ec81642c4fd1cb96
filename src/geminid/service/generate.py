"""Answer, count and tell about models: the acts of the main path.

It gives every answer its id, finds card and engine, keeps deadlines, and tells an observer what each
request cost. It knows no wire. Invariant: every request that was admitted is observed exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from geminid.catalog.served import Served
from geminid.core import clock, ids
from geminid.core.card import EngineKind, ModelCard
from geminid.core.errors import DeadlineExceeded, InputTooLong, Problem
from geminid.core.events import Event, Finished, Started, TextDelta, ThoughtDelta, ToolCallMade, usage_of
from geminid.core.project import DEFAULT_PROJECT
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.engines.protocol import Engine
from geminid.service.folding import CHARACTERS_PER_TOKEN_MAX, Folded, characters_of, folded_to_fit
from geminid.service.resolve import Resolved, Resolver


class RequestRecord(msgspec.Struct, kw_only=True):
    """What one request was: filled while it runs, observed when it ends.

    outcome: ``finished``, ``cancelled`` (the caller left), ``INTERNAL`` (a bug) or the problem's
    code. first_token_s: from admission, negative when there was none. gaps_s: times between later
    deltas, each with its number of tokens.
    """

    model: str
    asked: str
    id: str
    usage: Usage = Usage()
    outcome: str = "cancelled"
    began_s: float = 0.0
    took_s: float = 0.0
    first_token_s: float = -1.0
    last_token_s: float = 0.0
    gap_sum_s: float = 0.0
    gap_tokens: int = 0


class Generation(msgspec.Struct, frozen=True):
    """An accepted request: its id, the card that answers, and its events.

    folded: the figures of an input that was too long and was folded, None for all others.
    """

    id: str
    card: ModelCard
    events: AsyncIterator[Event]
    folded: Folded | None = None


Observe = Callable[[RequestRecord], None]


ANSWER_SHARE = 4
"""Folding leaves at most one part in so many of the model's window to the answer."""

FOLDED_SHARE = 4
"""A folded input fills one part in so many of the window: reading it takes most of the time of an answer,
and small models find less in a full window than in a part of one."""

LongInput = Literal["refuse", "fold"]
"""What happens to a prompt that does not fit the model."""


class Generator:
    """Entry to every engine. ``observe`` is called once for each request, when it has ended."""

    def __init__(
        self,
        served: Served,
        engines: Mapping[EngineKind, Engine],
        observe: Observe,
        *,
        resolver: Resolver,
        long_input: LongInput = "refuse",
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self.served = served
        self._engines = engines
        self._observe = observe
        self._resolver = resolver
        self._long_input = long_input
        self._clock = clock
        self._new_id = new_id

    @asynccontextmanager
    async def generate(
        self, request: GenerateRequest, *, project: str = DEFAULT_PROJECT, deadline_ms: int | None = None
    ) -> AsyncIterator[Generation]:
        """Answer a request; entering waits until an engine has accepted it.

        Raises ``UnknownModel``, whatever the engine refuses with, and ``DeadlineExceeded``, which may
        also come while events are read.
        """
        card = self.served.resolve(request.model)
        record = RequestRecord(model=card.name, asked=request.model, id=self._new_id(), began_s=self._clock())
        try:
            async with _deadline(deadline_ms):
                resolved = await self._resolver.resolve(request, card, project)
                async with self._fitting(card, resolved.request) as (events, folded):
                    told = events if resolved.figures is None else _told(events, resolved)
                    watched = self._watched(record, told, request.candidates)
                    yield Generation(record.id, card, watched, folded)
        except Problem as problem:
            record.outcome = problem.code
            raise
        except Exception:
            record.outcome = "INTERNAL"
            raise
        finally:
            record.took_s = self._clock() - record.began_s
            self._observe(record)

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
        self, request: GenerateRequest, *, project: str = DEFAULT_PROJECT, deadline_ms: int | None = None
    ) -> Usage:
        """Return the usage that the request's prompt would have."""
        card = self.served.resolve(request.model)
        async with _deadline(deadline_ms):
            resolved = await self._resolver.resolve(request, card, project)
            return resolved.told(await self._engines[card.engine].count(card, resolved.request))

    async def _watched(
        self, record: RequestRecord, events: AsyncIterator[Event], candidates: int
    ) -> AsyncIterator[Event]:
        """Pass events on, noting what they cost and when they came."""
        async for event in events:
            record.usage += usage_of(event)
            match event:
                case ThoughtDelta() | TextDelta() | ToolCallMade():
                    self._time(record, event.tokens)
                case Finished():
                    candidates -= 1
                    if not candidates:
                        record.outcome = "finished"
            yield event

    def _time(self, record: RequestRecord, tokens: int) -> None:
        now_s = self._clock()
        if record.first_token_s < 0:
            record.first_token_s = now_s - record.began_s
        else:
            record.gap_sum_s += now_s - record.last_token_s
            record.gap_tokens += tokens
        record.last_token_s = now_s


async def _told(events: AsyncIterator[Event], resolved: Resolved) -> AsyncIterator[Event]:
    """Pass events on, with the prompt counted as it is to be told."""
    async for event in events:
        yield Started(resolved.told(event.usage)) if isinstance(event, Started) else event


@asynccontextmanager
async def _deadline(deadline_ms: int | None) -> AsyncIterator[None]:
    """Turn a passed deadline into its problem."""
    try:
        async with asyncio.timeout(None if deadline_ms is None else deadline_ms / 1000):
            yield
    except TimeoutError as error:
        raise DeadlineExceeded("The deadline passed before the answer was complete.") from error
