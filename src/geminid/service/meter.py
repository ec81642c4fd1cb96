"""The meter: nothing that costs money runs except through here.

A request is screened, admitted with a hold that covers the most it can cost, and settled when it has
ended, however it ended. What is decided in between is :mod:`geminid.service.charge`'s. It knows no engine and
no wire. Invariant: whoever was admitted is settled, in this process or, if that dies, by another one
(:mod:`geminid.service.recovery`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

import msgspec

from geminid.billing.faults import Unpriced
from geminid.billing.prices import PriceSheet
from geminid.billing.rating import Cost, rate, saved_by_caching, upper_bound
from geminid.core.caller import Caller
from geminid.core.errors import Problem, QuotaExceeded, QuotaViolation, Unavailable
from geminid.core.money import Nano
from geminid.core.price import PriceTier
from geminid.core.usage import Usage
from geminid.service.charge import Admit, Admitted, Asked, Settle, is_charged
from geminid.store.hot import Act
from geminid.store.usage import UsageRow, UsageVerb

T = TypeVar("T")

SCREEN_MS = 1_000
"""How long a limit that was reached is believed to be, without asking the database again."""
SCREENED_MAX = 10_000
INTERRUPTED = "interrupted"
"""The outcome of a request that this server gave up of itself, to try it again: it costs nothing."""
PAUSES_S = (0.1, 1.0, 5.0, 15.0, 30.0, 60.0)
"""Between tries to settle a request whose reader has left while the database is away."""

log = logging.getLogger("geminid.meter")


class Ledger(Protocol):
    """Whatever does acts: :class:`geminid.store.hot.Hot`."""

    def do(self, act: Act[T]) -> asyncio.Future[T]:
        """Do an act in a transaction."""


class PriceFinder(Protocol):
    """Whatever knows prices: :class:`geminid.service.prices.Book`."""

    def sheet(self, names: tuple[str, ...], tier: PriceTier, time_ms: int) -> PriceSheet | None:
        """Return the prices of the first name that has any."""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from when a request came until its media were read, the engine had accepted it, it was
    admitted, the engine began with it, its first token, its end."""

    read_ms: int | None = None
    accepted_ms: int | None = None
    admitted_ms: int | None = None
    begun_ms: int | None = None
    first_token_ms: int | None = None
    took_ms: int = 0


class Charge:
    """One request at the meter. ``cost_nano`` is known once it is settled; None is without a price."""

    __slots__ = (
        "act",
        "admission",
        "asked",
        "begun",
        "bound_nano",
        "cost_nano",
        "due",
        "settling",
        "sheet",
        "unsure",
    )

    def __init__(self, asked: Asked, sheet: PriceSheet | None) -> None:
        self.asked = asked
        self.sheet = sheet
        self.bound_nano: Nano | None = None
        self.cost_nano: Nano | None = None
        self.act: Admit | None = None
        self.admission: asyncio.Future[Admitted] | None = None
        self.begun = False
        self.due: UsageRow | None = None  # what is to be paid later, once the answer is kept
        self.settling: asyncio.Future[UsageRow | None] | None = None
        self.unsure = False  # whether it is settled: somebody tried, and nobody knows what came of it

    @property
    def refused(self) -> BaseException | None:
        """Why the request may not run, as far as that is known by now."""
        if self.admission is None or not self.admission.done():
            return None
        return self.admission.exception()


def wall_ms() -> int:
    """Return the machine's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Meter:
    """Used on one event loop only. owner: this process, by a name that no other has or had.

    ttl_ms: how long a request may run at the most; after that anybody may release its hold.
    """

    def __init__(
        self,
        store: Ledger,
        prices: PriceFinder,
        *,
        owner: str,
        ttl_ms: int,
        now_ms: Callable[[], int] = wall_ms,
        pauses_s: tuple[float, ...] = PAUSES_S,
    ) -> None:
        self._store = store
        self._prices = prices
        self._owner = owner
        self._ttl_ms = ttl_ms
        self._now_ms = now_ms
        self._pauses_s = pauses_s
        self._reached: dict[tuple[str, str], tuple[int, int, tuple[QuotaViolation, ...]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[None]] = set()

    @property
    def owner(self) -> str:
        """This process, by its name."""
        return self._owner

    def open(
        self,
        receipt: str,
        caller: Caller,
        *,
        model: str,
        asked: str,
        tier: PriceTier,
        labels: dict[str, str],
        request: str = "",
        verb: UsageVerb = "generate",
        cache: str = "",
        fresh: bool = False,
    ) -> Charge:
        """Begin with a request: nothing is held or counted yet.

        request: the caller's own id for it, by which it is charged once. cache: the cached contents that it
        makes or uses. fresh: that id was certainly never used before. Raises ``QuotaExceeded`` where a limit
        was reached a moment ago and cannot have cleared since.
        """
        now_ms = self._now_ms()
        if tier != "batch":
            self._screen(caller.project, asked, now_ms)
        told = Asked(
            receipt=receipt,
            request=request or receipt,
            caller=caller,
            model=model,
            asked=asked,
            tier=tier,
            labels=labels,
            created_ms=now_ms,
            verb=verb,
            cache=cache,
            fresh=fresh,
        )
        return Charge(told, self._prices.sheet((asked, model), tier, now_ms))

    async def admit(
        self, charge: Charge, prompt: Usage, tokens_max: int, candidates: int, more_nano: Nano | None = 0
    ) -> None:
        """Hold and count a request, and wait until it is; see :meth:`begin`.

        Raises ``QuotaExceeded``, ``OutOfCredits``, ``InvalidKey`` for a key that was revoked meanwhile, and
        ``Unavailable`` when nothing can be held. It is for the caller to settle what was admitted, also when
        this is cancelled.
        """
        self.begin(charge, prompt, tokens_max, candidates, more_nano)
        if charge.admission is not None:
            await asyncio.shield(charge.admission)

    def begin(
        self, charge: Charge, prompt: Usage, tokens_max: int, candidates: int, more_nano: Nano | None = 0
    ) -> None:
        """Have a request held and counted; ``tokens_max`` bounds each candidate. more_nano: what it costs to
        keep what it makes; None where that has no price.

        Until it is, nothing that was produced may leave this process. Whoever does not wait looks at
        ``charge.refused``; settling raises it.
        """
        charge.begun, why = True, ""
        if charge.sheet is not None:
            try:
                bound_nano = upper_bound(prompt, tokens_max, candidates, charge.sheet)
                if more_nano is None:
                    raise Unpriced(charge.sheet.key, charge.sheet.tier, "storage")
                charge.bound_nano = bound_nano + more_nano
            except Unpriced as error:
                why = error.message
                charge.sheet = charge.sheet if error.what == "storage" else None
        else:
            why = f"{charge.asked.asked} has no price, so it cannot be paid with credits."
        if charge.asked.caller.open:
            return
        act = Admit(charge.asked, prompt.prompt, charge.bound_nano, self._owner, self._ttl_ms, why)
        charge.act, charge.admission = act, self._store.do(act)
        charge.admission.add_done_callback(partial(self._note, charge.asked))

    async def settle(self, charge: Charge, usage: Usage, outcome: str, times: Times) -> None:
        """Charge a request for ``usage``, or release it, as it ended; once it returns, that is on the disk.

        A second time changes nothing. Raises ``Unavailable`` when it cannot be written; then the
        request may still be settled as failed.
        """
        if not charge.begun:
            return
        if charge.settling is None:
            row = self.row_of(charge, usage, outcome, times)
            charge.settling = self._store.do(Settle(charge.act, row, again=charge.unsure))
        try:
            written = await asyncio.shield(charge.settling)
        except Problem:
            charge.settling, charge.unsure = None, True
            raise
        if written is not None:
            charge.cost_nano = written.cost_nano
        elif charge.admission is not None:
            await asyncio.shield(charge.admission)

    async def do(self, act: Act[T]) -> T:
        """Do an act of money that is no request's own. Cancelling undoes nothing."""
        return await asyncio.shield(self._store.do(act))

    async def defer(self, charge: Charge, usage: Usage, outcome: str, times: Times) -> None:
        """Note in ``charge.due`` what a request is to be charged, which is :meth:`pay`'s to do once its
        answer is kept. Raises what it was refused with."""
        if not charge.begun:
            return
        if charge.admission is not None:
            await asyncio.shield(charge.admission)
        charge.due = self.row_of(charge, usage, outcome, times)

    async def pay(self, charge: Charge) -> UsageRow | None:
        """Charge what was deferred; return the row as it was written, None where there is nothing to pay.

        A second time changes nothing. Raises ``Unavailable`` when it cannot be written; then it may be tried
        again.
        """
        if charge.due is None:
            return None
        settle = Settle(charge.act, charge.due, again=charge.unsure)
        charge.unsure = True
        written = await asyncio.shield(self._store.do(settle))
        charge.cost_nano = written.cost_nano if written is not None else None
        return written

    async def give_up(self, charge: Charge) -> None:
        """Release what was held for a request whose answer nobody will have, deferred or not."""
        charge.due = None
        await self.end(charge, Usage(), INTERRUPTED, Times())

    async def end(self, charge: Charge, usage: Usage, outcome: str, times: Times) -> None:
        """Settle a request whose caller waits no more; tried again, later, while it cannot be written.

        Whoever waits for this may be cancelled, also again: it goes on.
        """
        settling = charge.settling
        if not charge.begun or (settling is not None and settling.done() and not settling.exception()):
            return
        if charge.due is not None:
            return  # it ended well, and whoever deferred it pays
        task = asyncio.create_task(self._end(charge, usage, outcome, times))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    def bound_nano(
        self, asked: str, model: str, tier: PriceTier, prompt: Usage, tokens_max: int, candidates: int
    ) -> Nano | None:
        """Return the most that a request can cost; None where there is no price."""
        sheet = self._prices.sheet((asked, model), tier, self._now_ms())
        if sheet is None:
            return None
        try:
            return upper_bound(prompt, tokens_max, candidates, sheet)
        except Unpriced:
            return None

    async def close(self) -> None:
        """Wait for what is being settled; what could not be is another process's to release."""
        await asyncio.gather(*self._ending, return_exceptions=True)
        late = tuple(self._late)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _note(self, asked: Asked, admission: asyncio.Future[Admitted]) -> None:
        problem = admission.exception()
        if isinstance(problem, QuotaExceeded):
            self._remember(asked, problem)

    async def _end(self, charge: Charge, usage: Usage, outcome: str, times: Times) -> None:
        if charge.refused is not None:
            return
        try:
            await self.settle(charge, usage, outcome, times)
        except Problem as problem:
            if charge.refused is not None:
                return  # it never ran
            if not isinstance(problem, Unavailable):
                raise
            task = asyncio.create_task(self._settle_late(charge, usage, outcome, times))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _settle_late(self, charge: Charge, usage: Usage, outcome: str, times: Times) -> None:
        for pause_s in self._pauses_s:
            await asyncio.sleep(pause_s)
            try:
                await self.settle(charge, usage, outcome, times)
            except Unavailable as problem:
                log.warning("request %s cannot be settled yet: %s", charge.asked.receipt, problem)
            else:
                return
        log.error("request %s was not settled; its hold will be released", charge.asked.receipt)

    def row_of(self, charge: Charge, usage: Usage, outcome: str, times: Times) -> UsageRow:
        """Return what a request was, as it is to be written: with what it costs, before anybody has paid."""
        asked, caller = charge.asked, charge.asked.caller
        cost = self._cost(charge, usage, outcome)
        return UsageRow(
            id=asked.receipt,
            project=caller.project,
            request=asked.request,
            key_id=caller.key_id,
            key_name=caller.key_name,
            labels=asked.labels,
            model=asked.model,
            asked=asked.asked,
            tier=asked.tier,
            usage=usage,
            lines=cost.lines if cost is not None else (),
            cost_nano=cost.total_nano if cost is not None else None,
            bound_nano=charge.bound_nano,
            outcome=outcome,
            created_ms=asked.created_ms,
            read_ms=times.read_ms,
            accepted_ms=times.accepted_ms,
            admitted_ms=times.admitted_ms,
            begun_ms=times.begun_ms,
            first_token_ms=times.first_token_ms,
            took_ms=times.took_ms,
            verb=asked.verb,
            cache=asked.cache,
            saved_nano=self._saved(charge, usage, outcome),
        )

    def _saved(self, charge: Charge, usage: Usage, outcome: str) -> Nano:
        if charge.sheet is None or not is_charged(outcome):
            return 0
        return saved_by_caching(usage, charge.sheet)

    def _cost(self, charge: Charge, usage: Usage, outcome: str) -> Cost | None:
        """A request that failed costs nothing, whatever it used; one without a price has no cost at all."""
        if charge.sheet is None:
            return None
        return rate(usage, charge.sheet) if is_charged(outcome) else FREE

    def _screen(self, project: str, asked: str, now_ms: int) -> None:
        reached = self._reached.get((project, asked))
        if reached is None:
            return
        until_ms, clears_ms, violations = reached
        if now_ms < until_ms:
            raise QuotaExceeded(asked, violations, retry_after_ms=max(clears_ms - now_ms, 1))
        del self._reached[project, asked]

    def _remember(self, asked: Asked, problem: QuotaExceeded) -> None:
        """Of limits that count requests alone it is known when they clear, whatever the next request is."""
        retry_ms = problem.retry_after_ms
        if retry_ms is None or not all(_of_requests(each) for each in problem.violations):
            return
        if len(self._reached) >= SCREENED_MAX:
            self._reached.clear()
        now_ms = self._now_ms()
        until_ms = now_ms + min(SCREEN_MS, retry_ms)
        self._reached[asked.caller.project, asked.asked] = (until_ms, now_ms + retry_ms, problem.violations)


FREE = Cost((), 0)


def _of_requests(violation: QuotaViolation) -> bool:
    return violation.quota_id.startswith("GenerateRequestsPer")
