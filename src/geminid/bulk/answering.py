"""Lines answered by the same act as live requests: read, generate, write; in the tier below all others.

It knows no files. Invariant: nothing is charged here; what has to be is in the answer's charge, for whoever
keeps the answer first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from geminid.bulk.work import Answered, BrokenOff, Known, Name, Prepared
from geminid.catalog.manners import manner_of
from geminid.core.batch import Job
from geminid.core.caller import Caller
from geminid.core.content import Text
from geminid.core.errors import DeadlineExceeded, Unavailable
from geminid.core.events import Answer, fold
from geminid.core.request import GenerateRequest
from geminid.service.acting import NowMs, now_ms
from geminid.service.generate import Generation, Generator
from geminid.service.meter import Charge, Meter, Times
from geminid.service.signatures import Signer
from geminid.store.usage import UsageRow
from geminid.wire.gemini.batch_formats import ANSWERS
from geminid.wire.lines import About, AnswerFormat, Rules

NEAR_CHARACTERS = 2_000
"""By so much of its beginning a request finds its neighbours."""

DUPLICATE_LABEL = "geminid-duplicate-of"
DUPLICATE = "duplicate"
"""The outcome of a line that was answered with another's answer where that is free."""

Duplicates = Literal["charged", "free"]

WithReceipt = Callable[[bytes, str, str], bytes]
"""(body, receipt in it, another) → the body with the other."""

_ENCODER = msgspec.msgpack.Encoder()


class Copier:
    """Charges lines that have the answer of another."""

    def __init__(
        self,
        meter: Meter | None,
        duplicates: Duplicates,
        new_id: Callable[[], str],
        with_receipt: WithReceipt = ANSWERS.with_receipt,
    ) -> None:
        self._meter = meter
        self._duplicates = duplicates
        self._new_id = new_id
        self._with_receipt = with_receipt

    def of(self, with_receipt: WithReceipt) -> Copier:
        """Return one for bodies of another format."""
        return Copier(self._meter, self._duplicates, self._new_id, with_receipt)

    async def copy(self, job: Job, known: Known, name: Name) -> Answered:
        """Return the answer under a receipt of its own, and what is to be paid for it."""
        row, receipt = known.row, self._new_id()
        if row is None or self._meter is None:
            return Answered(known.body, None)
        charge = self._opened(self._meter, job, row, receipt, name)
        if self._duplicates == "charged":
            await self._admitted(self._meter, charge, row)
        else:
            charge.due = self._meter.row_of(charge, row.usage, DUPLICATE, Times())
        return Answered(self._with_receipt(known.body, row.id, receipt), charge)

    async def _admitted(self, meter: Meter, charge: Charge, row: UsageRow) -> None:
        tokens_max = row.usage.candidates + row.usage.thoughts
        try:
            await meter.admit(charge, row.usage, tokens_max, 1)
            await meter.defer(charge, row.usage, row.outcome, Times())
        except BaseException:
            await meter.give_up(charge)
            raise

    def _opened(self, meter: Meter, job: Job, row: UsageRow, receipt: str, name: Name) -> Charge:
        return meter.open(
            receipt,
            caller_of(job),
            model=row.model,
            asked=row.asked,
            tier="batch",
            labels={**row.labels, DUPLICATE_LABEL: row.request.rpartition(":")[2]},
            request=name.request_id,
            verb=row.verb,
            cache=row.cache,
            fresh=name.fresh,
        )


class GenerateAnswerer:
    """Answers lines that ask for answers; ``lines`` is how they are spelled."""

    def __init__(
        self,
        generator: Generator,
        copier: Copier,
        signer: Signer,
        meter: Meter | None,
        *,
        lines: AnswerFormat = ANSWERS,
        strict: bool = False,
        check_signatures: bool = True,
        now_ms: NowMs = now_ms,
    ) -> None:
        self._generator = generator
        self.lines = lines
        self.copy = copier.of(lines.with_receipt).copy
        self._signer = signer
        self._meter = meter
        self._strict = strict
        self._check_signatures = check_signatures
        self._now_ms = now_ms

    def prepare(self, job: Job, request: bytes) -> Prepared:
        """Read the body of one request."""
        manner = manner_of(job.model)
        if not self._check_signatures:
            manner = msgspec.structs.replace(manner, signatures_checked=False)
        card = self._generator.served.resolve(job.model)
        rules = Rules(job.model, card, manner, self._strict, self._signer.genuine)
        asked, telling = self.lines.read_request(request, rules)
        return Prepared(asked, telling, digest_of(asked, telling) if repeatable(asked) else b"", near(asked))

    async def answer(self, job: Job, prepared: Prepared, name: Name) -> Answered:
        """Ask the engine, and write what it says as a whole answer on one line."""
        left_ms = job.deadline_ms - self._now_ms()
        if left_ms <= 0:
            raise DeadlineExceeded("The batch expired before this request was answered.")
        opened = self._generator.generate(
            prepared.request,
            caller_of(job),
            deadline_ms=left_ms,
            request_id=name.request_id,
            whole=True,
            deferred=True,
            fresh=name.fresh,
        )
        charge = None
        try:
            async with opened as generation:
                charge = generation.charge
                answer = await self._folded(generation)
        except BaseException:
            if charge is not None and charge.due is not None and self._meter is not None:
                await self._meter.give_up(charge)
            raise
        sign = partial(self._signer.sign, generation.id)
        about = About(generation.card, generation.id, self._now_ms() // 1000)
        body = self.lines.write_answer(answer, about, prepared.telling, sign)
        return Answered(body, generation.charge)

    async def _folded(self, generation: Generation) -> Answer:
        try:
            return await fold(generation.events)
        except Unavailable as problem:
            if generation.charge is not None and generation.charge.refused is problem:
                raise
            raise BrokenOff(problem.message, retry_after_ms=problem.retry_after_ms) from problem


def caller_of(job: Job) -> Caller:
    """Return on whose account the lines of a job are answered."""
    return Caller(project=job.project, key_id=job.key_id, key_name=job.key_name)


def repeatable(request: GenerateRequest) -> bool:
    """Return whether asking twice is asking for the same: nothing of the answer is left to chance."""
    sampling = request.sampling
    return sampling.temperature == 0 or sampling.top_k == 1 or sampling.seed is not None


def digest_of(*values: Any) -> bytes:
    """Return a digest that no two different requests share."""
    digest = blake2b(digest_size=16)
    for value in values:
        digest.update(_ENCODER.encode(value))
    return digest.digest()


def near(request: GenerateRequest) -> str:
    """Return how a request begins: cached contents, system text, the first words."""
    pieces, size = [request.cached_content], 0
    for parts in (request.system, *(turn.parts for turn in request.turns)):
        pieces += [part.text[:NEAR_CHARACTERS] for part in parts if isinstance(part, Text)]
        size += len(pieces[-1])
        if size >= NEAR_CHARACTERS:
            break
    return "\0".join(pieces)[:NEAR_CHARACTERS]
