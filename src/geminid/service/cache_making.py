"""Making cached contents: read, count, hold, compute, write; or take back whatever was done.

It knows no wire. Invariant: a making that fails, or whose caller leaves, leaves nothing behind: neither a row
nor a hold nor a prefix in the engine; one that has returned is on the disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import msgspec

from geminid.billing.faults import Unpriced
from geminid.billing.rating import storage_cost
from geminid.catalog.served import Served
from geminid.core import clock, ids
from geminid.core.cache import Cache, NewCache
from geminid.core.caller import Caller
from geminid.core.card import EngineKind, ModelCard
from geminid.core.content import Text, Turn
from geminid.core.errors import Problem, Unavailable
from geminid.core.money import Nano
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.engines.protocol import Engine
from geminid.service.cache_contents import Contents, contents_of, encode
from geminid.service.cache_keeper import CacheKeeper
from geminid.service.cache_limits import NS, CacheLimits, end_of, refuse_too_small
from geminid.service.cache_money import KeepCache, Kept, too_many
from geminid.service.generate import Observe, RequestRecord, limits_of, times_of, until_deadline
from geminid.service.meter import Charge, Meter
from geminid.service.resolve import Resolver
from geminid.store import caches as rows
from geminid.store.caches import CacheRow
from geminid.store.database import Database

log = logging.getLogger("geminid.caches")
_NO_TURN = (Turn("user", (Text(""),)),)


class Made(NamedTuple):
    """New cached contents, the receipt of their making, and what that cost; None without a price."""

    cache: Cache
    receipt: str
    cost_nano: Nano | None


class CacheMaker:
    """Makes the cached contents of all projects. Used on one event loop only.

    served: tells which models are served at this moment. observe: is called once for each making.
    """

    def __init__(
        self,
        database: Database,
        meter: Meter,
        keeper: CacheKeeper,
        served: Callable[[], Served],
        engines: Mapping[EngineKind, Engine],
        resolver: Resolver,
        limits: CacheLimits,
        observe: Observe,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.cache_id,
        new_receipt: Callable[[], str] = ids.response_id,
    ) -> None:
        self._database = database
        self._meter = meter
        self._keeper = keeper
        self._served = served
        self._engines = engines
        self._resolver = resolver
        self._limits = limits
        self._observe = observe
        self._now_ns = now_ns
        self._clock = clock
        self._new_id = new_id
        self._new_receipt = new_receipt
        self._undoing: set[asyncio.Task[None]] = set()

    async def make(
        self, caller: Caller, new: NewCache, request_id: str = "", deadline_ms: int | None = None
    ) -> Made:
        """Compute contents and keep them. request_id: the caller's own name for this, by which it is charged
        once.

        Raises ``UnknownModel``, ``InvalidArgument`` for media that cannot be read, for too little, and for an
        end out of bounds, ``InputTooLong``, ``CachesFull``, and whatever the meter refuses with.
        """
        end_of(new.expiration, self._limits, self._now_ns())
        card = self._served().resolve(new.request.model)
        record = RequestRecord(
            model=card.name,
            asked=new.request.model,
            id=self._new_receipt(),
            project=caller.project,
            key_name=caller.key_name,
            began_s=self._clock(),
        )
        try:
            async with until_deadline(deadline_ms):
                kept = await self._charged(caller, new, card, record, request_id)
            record.outcome, record.usage, record.cost_nano = "finished", kept.bill.usage, kept.bill.cost_nano
        except Problem as problem:
            record.outcome, record.refused_by = problem.code, limits_of(problem)
            raise
        except Exception:
            record.outcome = "INTERNAL"
            raise
        finally:
            record.took_s = self._clock() - record.began_s
            self._observe(record)
        self._keeper.look()
        return Made(kept.cache, record.id, record.cost_nano)

    async def close(self) -> None:
        """Wait for what is being taken back."""
        await asyncio.gather(*self._undoing, return_exceptions=True)

    async def _charged(
        self, caller: Caller, new: NewCache, card: ModelCard, record: RequestRecord, request_id: str
    ) -> Kept:
        """Make cached contents at the meter, or take back whatever was done."""
        making = _Making(self._new_id(), record)
        charge = self._meter.open(
            record.id,
            caller,
            model=card.name,
            asked=record.asked,
            tier="standard",
            labels={},
            request=request_id,
            verb="cache",
            cache=making.id,
        )
        try:
            return await self._made(caller, new, card, charge, making)
        except BaseException as error:
            outcome = error.code if isinstance(error, Problem) else "cancelled"
            await self._undone(card, charge, making, outcome)
            raise

    async def _made(
        self, caller: Caller, new: NewCache, card: ModelCard, charge: Charge, making: _Making
    ) -> Kept:
        """Read, count, hold, compute, keep: in this order, so that what must be refused is refused early."""
        engine, limits, record = self._engines[card.engine], self._limits, making.record
        resolved = await self._resolver.resolve(new.request, card, caller.project)
        record.read_s = self._clock() - record.began_s
        contents = contents_of(resolved)
        bare = contents.request(card.name, caller.project)
        if not (bare.turns or bare.system or bare.tools):
            refuse_too_small(0, limits)
        counted = resolved.told(await engine.count(card, _countable(bare)))
        refuse_too_small(counted.prompt, limits)
        record.accepted_s = self._clock() - record.began_s
        ttl_ns = end_of(new.expiration, limits, now := self._now_ns()) - now
        storage_nano = _storage_nano(charge, counted.prompt, ttl_ns)
        await self._refuse_another(caller.project, charge.asked.asked)
        await self._meter.admit(charge, counted, 0, 0, storage_nano)
        record.admitted_s = self._clock() - record.began_s
        making.computing = True
        kept = await self._keeper.make(making.id, card, bare)
        usage = resolved.told(Usage(prompt=kept.prompt, media=kept.media))
        refuse_too_small(usage.prompt, limits)
        record.took_s = self._clock() - record.began_s
        return await self._kept(caller, new, contents, charge, making, usage, storage_nano)

    async def _refuse_another(self, project: str, asked: str) -> None:
        """Refuse what would be one too many before it is computed; who is let through is looked at again."""
        count = await self._database.read(partial(rows.count, project=project))
        if count >= self._limits.project_max:
            raise too_many(asked, self._limits.project_max)

    async def _kept(
        self,
        caller: Caller,
        new: NewCache,
        contents: Contents,
        charge: Charge,
        making: _Making,
        usage: Usage,
        storage_nano: Nano | None,
    ) -> Kept:
        """Write what was computed, with its money; once this returns, it is on the disk."""
        now = self._now_ns()
        bill = self._meter.row_of(charge, usage, "finished", times_of(making.record))
        if bill.bound_nano is not None and storage_nano is not None:
            bill = msgspec.structs.replace(bill, bound_nano=bill.bound_nano - storage_nano)
        unit = charge.sheet.unit("storage") if charge.sheet is not None else None
        row = CacheRow(
            project=caller.project,
            id=making.id,
            model=charge.asked.model,
            asked=charge.asked.asked,
            display_name=new.display_name,
            key_id=caller.key_id,
            key_name=caller.key_name,
            usage=usage,
            nano_per_million=unit.nano_per_million if unit is not None else None,
            created_ns=now,
            updated_ns=now,
            expires_ns=end_of(new.expiration, self._limits, now),
        )
        content = await asyncio.to_thread(encode, contents)
        act = KeepCache(charge.act, bill, row, content, self._limits.project_max)
        making.writing = asyncio.ensure_future(self._meter.do(act))
        kept = await asyncio.shield(making.writing)
        self._keeper.remember(kept.cache, contents, len(content))
        return kept

    async def _undone(self, card: ModelCard, charge: Charge, making: _Making, outcome: str) -> None:
        """Take everything back, also where whoever asked has left and waits no more."""
        task = asyncio.create_task(self._undo(card, charge, making, outcome))
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)
        await asyncio.shield(task)

    async def _undo(self, card: ModelCard, charge: Charge, making: _Making, outcome: str) -> None:
        if making.writing is not None:
            await asyncio.wait([making.writing])
            # It may be written: before its caller left, or by a database that was lost before it said so.
            charge.unsure = making.writing.exception() is not None
            if await self._ended(charge.asked.caller.project, making.id):
                return
        if making.computing:
            await self._keeper.drop(making.id, card)
        making.record.took_s = self._clock() - making.record.began_s
        await self._meter.end(charge, Usage(), outcome, times_of(making.record))

    async def _ended(self, project: str, cache_id: str) -> bool:
        """End what nobody was told of; return whether it was there. What cannot be ended now expires."""
        try:
            find = partial(rows.find, project=project, cache_id=cache_id, now_ns=0)
            row = await self._database.read(find)
            return row is not None and await self._keeper.end(row, row.created_ns) is not None
        except Unavailable as problem:
            log.warning("cached contents %s, of which nobody was told, may be there: %s", cache_id, problem)
            return False


class _Making:
    """How far a making has come."""

    def __init__(self, cache_id: str, record: RequestRecord) -> None:
        self.id = cache_id
        self.record = record
        self.computing = False
        self.writing: asyncio.Future[Kept] | None = None


def _countable(request: GenerateRequest) -> GenerateRequest:
    """Return a request that can be counted: one without a turn is no prompt."""
    return request if request.turns else msgspec.structs.replace(request, turns=_NO_TURN)


def _storage_nano(charge: Charge, tokens: int, ttl_ns: int) -> Nano | None:
    """Return what keeping so many tokens will cost; None where it has no price."""
    if charge.sheet is None:
        return 0
    try:
        return storage_cost(tokens, -(-ttl_ns // NS), charge.sheet).total_nano
    except Unpriced:
        return None
