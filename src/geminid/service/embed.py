"""Turn texts into vectors: the act behind embedContent and its kin, for single calls and lines of batches.

Media of a text are read before; what vectors cost passes the meter as answers do. It knows no wire.
Invariants: every request that was admitted is observed exactly once; no vector leaves before its request is
settled, but those of a deferred one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from geminid.catalog.served import Served
from geminid.core import clock, ids
from geminid.core.caller import ANYBODY, Caller
from geminid.core.card import EmbeddingCard, EngineKind
from geminid.core.content import Blob, FileRef, Modality, Text, Turn
from geminid.core.embed import BETWEEN_PARTS, Embedding, EmbedInput, EmbedRequest
from geminid.core.errors import FieldViolation, InvalidArgument, Problem
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.engines.protocol import Embedder
from geminid.service.generate import (
    Counted,
    Observe,
    RequestRecord,
    limits_of,
    times_of,
    until_deadline,
)
from geminid.service.meter import INTERRUPTED, Charge, Meter
from geminid.service.resolve import Resolved, Resolver

T = TypeVar("T")
Parts = tuple[Text, ...]


class Embedded(msgspec.Struct, frozen=True):
    """The vectors of a request, in the order of its inputs. request: as it was computed, its media read.
    charge: None where nothing is metered; of a deferred request, what is still to be paid."""

    id: str
    card: EmbeddingCard
    request: EmbedRequest
    embeddings: tuple[Embedding, ...]
    usage: Usage
    charge: Charge | None = None


class _Read(msgspec.Struct, frozen=True):
    """A request whose media are read. parts: of what the text of an input that had media is made, by its
    place; resolved: how its usage is told."""

    request: EmbedRequest
    parts: Mapping[int, Parts] = {}
    resolved: Resolved | None = None

    def usage(self, tokens: Sequence[int]) -> Usage:
        """Return what is used where so many tokens of each input are read."""
        media: Counter[Modality] = Counter()
        for place, parts in self.parts.items():
            media.update(shared_out(tokens[place], parts))
        usage = Usage(prompt=sum(tokens), media=dict(media))
        return usage if self.resolved is None else self.resolved.told(usage)


class Embeddings:
    """Entry to every embedder. ``observe`` is called once for each request, when it has ended.

    served: tells what is offered now.
    """

    def __init__(
        self,
        served: Callable[[], Served],
        embedders: Mapping[EngineKind, Embedder],
        observe: Observe,
        *,
        resolver: Resolver,
        meter: Meter | None = None,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self._served = served
        self._embedders = embedders
        self._observe = observe
        self._resolver = resolver
        self._meter = meter
        self._clock = clock
        self._new_id = new_id

    def embeds(self, model: str) -> bool:
        """Return whether a name means a model that embeds."""
        return self._served().embeds(model)

    async def embed(
        self,
        request: EmbedRequest,
        caller: Caller = ANYBODY,
        *,
        deadline_ms: int | None = None,
        request_id: str = "",
        traceparent: str = "",
        deferred: bool = False,
        fresh: bool = False,
    ) -> Embedded:
        """Return a vector for each input.

        request_id, traceparent, deferred, fresh: as of :meth:`geminid.service.generate.Generator.generate`.
        Raises ``UnknownModel``, ``InvalidArgument`` for more dimensions than the model has and for a text
        that does not fit and may not be cut, whatever the embedder or the meter refuses with, and
        ``DeadlineExceeded``. A request that raises costs nothing.
        """
        card = self._served().resolve_embedding(request.model)
        record = self._record(card, request, caller, traceparent)
        charge = None
        try:
            charge = self._opened(record, request, caller, request_id, fresh=fresh)
            async with until_deadline(deadline_ms) as deadline:
                request = msgspec.structs.replace(request, project=caller.project)
                read = await self._read(request, card)
                record.read_s = self._clock() - record.began_s
                embeddings = await self._computed(record, charge, read, card)
                deadline.reschedule(None)  # the vectors are there: they must not be paid and then refused
                record.usage = read.usage([each.tokens for each in embeddings])
            await self._finish(record, charge, deferred)
            return Embedded(record.id, card, read.request, embeddings, record.usage, charge)
        except Problem as problem:
            record.outcome, record.refused_by = problem.code, limits_of(problem)
            raise
        except Exception:
            record.outcome = "INTERNAL"
            raise
        finally:
            record.took_s = self._clock() - record.began_s
            if charge is not None:
                await self._end(charge, record, deferred)
            self._observe(record)

    async def count(
        self, request: EmbedRequest, caller: Caller = ANYBODY, *, deadline_ms: int | None = None
    ) -> Counted:
        """Return the usage that vectors would have, and what they could cost."""
        card = self._served().resolve_embedding(request.model)
        async with until_deadline(deadline_ms):
            request = msgspec.structs.replace(request, project=caller.project)
            read = await self._read(request, card)
            usage = await _counted(self._embedders[card.engine], read, card)
        if self._meter is None:
            return Counted(usage, None)
        names = (request.model, card.name)
        return Counted(usage, self._meter.bound_nano(*names, request.tier, usage, 0, 1))

    def _record(
        self, card: EmbeddingCard, request: EmbedRequest, caller: Caller, traceparent: str
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
            verb="embed",
        )

    def _opened(
        self,
        record: RequestRecord,
        request: EmbedRequest,
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
            verb="embed",
            fresh=fresh,
        )

    async def _read(self, request: EmbedRequest, card: EmbeddingCard) -> _Read:
        """Return the request with its media read; raises ``InvalidArgument`` for what the model cannot do."""
        for asked in request.inputs:
            _check_dimensions(asked, card)
        places = [place for place, asked in enumerate(request.inputs) if asked.parts]
        if not places:
            return _Read(request)
        turns = tuple(Turn("user", request.inputs[place].parts) for place in places)
        resolved = await self._resolver.resolve(
            GenerateRequest(model=request.model, turns=turns), card, request.project
        )
        inputs, parts = list(request.inputs), {}
        for place, turn in zip(places, resolved.request.turns, strict=True):
            parts[place] = tuple(part for part in turn.parts if isinstance(part, Text))
            text = BETWEEN_PARTS.join(part.text for part in parts[place])
            inputs[place] = msgspec.structs.replace(inputs[place], text=text, parts=())
        return _Read(msgspec.structs.replace(request, inputs=tuple(inputs)), parts, resolved)

    async def _computed(
        self, record: RequestRecord, charge: Charge | None, read: _Read, card: EmbeddingCard
    ) -> tuple[Embedding, ...]:
        """Return the vectors, computed while the meter decides; a refusal ends that."""
        embedder = self._embedders[card.engine]
        if charge is not None and self._meter is not None:
            self._meter.begin(charge, await _bound(charge, embedder, read, card), 0, 1)
        record.accepted_s = record.begun_s = self._clock() - record.began_s
        embeddings = await _unless_refused(embedder.embed(card, read.request), charge)
        for asked, embedding in zip(read.request.inputs, embeddings, strict=True):
            if embedding.truncated and not asked.truncate:
                raise _too_long(asked, card)
        return embeddings

    async def _finish(self, record: RequestRecord, charge: Charge | None, deferred: bool) -> None:
        record.took_s = self._clock() - record.began_s
        record.outcome = "finished"
        if charge is None or self._meter is None:
            return
        if deferred:
            await self._meter.defer(charge, record.usage, record.outcome, times_of(record))
        else:
            await self._meter.settle(charge, record.usage, record.outcome, times_of(record))
            record.settled_s = self._clock() - record.began_s

    async def _end(self, charge: Charge, record: RequestRecord, deferred: bool) -> None:
        assert self._meter is not None
        left = deferred and record.outcome == "cancelled"
        outcome = INTERRUPTED if left else record.outcome
        await self._meter.end(charge, record.usage, outcome, times_of(record))
        record.cost_nano = charge.cost_nano


def counted_request(request: GenerateRequest) -> EmbedRequest:
    """Return a request for answers as one for vectors, each turn a text, so that its tokens are counted."""
    inputs = []
    for turn in request.turns:
        parts = tuple(part for part in turn.parts if isinstance(part, Text | Blob | FileRef))
        text = BETWEEN_PARTS.join(part.text for part in parts if isinstance(part, Text))
        read = any(not isinstance(part, Text) for part in parts)
        inputs.append(EmbedInput(text="" if read else text, parts=parts if read else ()))
    return EmbedRequest(model=request.model, inputs=tuple(inputs), labels=request.labels)


def shared_out(tokens: int, parts: Parts) -> dict[Modality, int]:
    """Return how many of a text's tokens were read from media, by modality.

    They go by the characters of its parts, since the words of all of them are one text to the model. What is
    left over is of words, if there are any.
    """
    characters: Counter[Modality] = Counter()
    for part in parts:
        characters[part.modality] += len(part.text)
    total = sum(characters.values())
    media: dict[Modality, int] = {
        kind: tokens * count // total for kind, count in characters.items() if kind != "text" and count
    }
    if media and not characters["text"]:
        media[max(media, key=lambda kind: characters[kind])] += tokens - sum(media.values())
    return media


async def _bound(charge: Charge, embedder: Embedder, read: _Read, card: EmbeddingCard) -> Usage:
    """Return at least what will be used: exactly that where rates are held. To count costs a journey to the
    embedder, which millions of lines of a batch can do without."""
    if charge.asked.caller.open or (charge.asked.tier == "batch" and not read.parts):
        return Usage(prompt=card.context_tokens_max * len(read.request.inputs))
    return await _counted(embedder, read, card)


async def _counted(embedder: Embedder, read: _Read, card: EmbeddingCard) -> Usage:
    if not read.parts:
        return Usage(prompt=await embedder.count(card, read.request))
    alone = [msgspec.structs.replace(read.request, inputs=(each,)) for each in read.request.inputs]
    return read.usage([await embedder.count(card, each) for each in alone])


async def _unless_refused(work: Coroutine[Any, Any, T], charge: Charge | None) -> T:
    """Do ``work``; a refusal of the meter that comes before its end is raised then."""
    if charge is None or charge.admission is None:
        return await work
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait((working, charge.admission), return_when=asyncio.FIRST_COMPLETED)
        if (refused := charge.refused) is not None:
            raise refused
        return await working
    finally:
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def _check_dimensions(asked: EmbedInput, card: EmbeddingCard) -> None:
    if asked.dimensions is None or asked.dimensions <= card.dimensions:
        return
    raise _wrong(
        f"{asked.field}output_dimensionality",
        f"{card.name} gives vectors of {card.dimensions} numbers, so there are none of {asked.dimensions}; "
        f"ask for 1 to {card.dimensions}, or leave that to the model.",
    )


def _too_long(asked: EmbedInput, card: EmbeddingCard) -> InvalidArgument:
    most = card.context_tokens_max
    reason = f"The input token count exceeds the maximum number of tokens allowed ({most})."
    return _wrong(f"{asked.field}content", reason)


def _wrong(field: str, reason: str) -> InvalidArgument:
    return InvalidArgument(reason, violations=(FieldViolation(reason, field),))
