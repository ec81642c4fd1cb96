"""Answer, count and tell about models: the acts of the main path.

It gives every answer its id, finds card and engine, keeps deadlines, and tells an observer what each
request cost. It knows no wire. Invariant: every request that was admitted is observed exactly once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec

from geminid.catalog.served import Served
from geminid.core import clock, ids
from geminid.core.card import EngineKind, ModelCard
from geminid.core.errors import DeadlineExceeded, Problem
from geminid.core.events import Event, Finished, Started, TextDelta
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.engines.protocol import Engine


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
    """An accepted request: its id, the card that answers, and its events."""

    id: str
    card: ModelCard
    events: AsyncIterator[Event]


Observe = Callable[[RequestRecord], None]


class Generator:
    """Entry to every engine. ``observe`` is called once for each request, when it has ended."""

    def __init__(
        self,
        served: Served,
        engines: Mapping[EngineKind, Engine],
        observe: Observe,
        *,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self.served = served
        self._engines = engines
        self._observe = observe
        self._clock = clock
        self._new_id = new_id

    @asynccontextmanager
    async def generate(
        self, request: GenerateRequest, *, deadline_ms: int | None = None
    ) -> AsyncIterator[Generation]:
        """Answer a request; entering waits until an engine has accepted it.

        Raises ``UnknownModel``, whatever the engine refuses with, and ``DeadlineExceeded``, which may
        also come while events are read.
        """
        card = self.served.resolve(request.model)
        record = RequestRecord(model=card.name, asked=request.model, id=self._new_id(), began_s=self._clock())
        try:
            async with (
                _deadline(deadline_ms),
                self._engines[card.engine].generate(card, request) as events,
            ):
                yield Generation(record.id, card, self._watched(record, events, request.candidates))
        except Problem as problem:
            record.outcome = problem.code
            raise
        except Exception:
            record.outcome = "INTERNAL"
            raise
        finally:
            record.took_s = self._clock() - record.began_s
            self._observe(record)

    async def count(self, request: GenerateRequest, *, deadline_ms: int | None = None) -> Usage:
        """Return the usage that the request's prompt would have."""
        card = self.served.resolve(request.model)
        async with _deadline(deadline_ms):
            return await self._engines[card.engine].count(card, request)

    async def _watched(
        self, record: RequestRecord, events: AsyncIterator[Event], candidates: int
    ) -> AsyncIterator[Event]:
        """Pass events on, noting what they cost and when they came."""
        async for event in events:
            match event:
                case Started():
                    record.usage += event.usage
                case TextDelta():
                    self._time(record, event.tokens)
                    record.usage += Usage(candidates=event.tokens)
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


@asynccontextmanager
async def _deadline(deadline_ms: int | None) -> AsyncIterator[None]:
    """Turn a passed deadline into its problem."""
    try:
        async with asyncio.timeout(None if deadline_ms is None else deadline_ms / 1000):
            yield
    except TimeoutError as error:
        raise DeadlineExceeded("The deadline passed before the answer was complete.") from error
