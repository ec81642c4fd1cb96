"""The acts by which cached contents are made, prolonged and ended, together with the money that this costs.

Making them is a request that is charged for its prompt; keeping them is charged when they end. Where a
project pays in advance, the whole time is held before. Invariants: cached contents with a hold have exactly
one open, which no recovery releases; row, content, hold and bill come and go in one transaction each, so none
is ever without the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from geminid.billing import ledger, quota
from geminid.billing.balance import Balance
from geminid.billing.orders import NOTHING, Declined, Entered, Hold, Outcome, Past, Post, Void
from geminid.billing.quota import Ask, Refused
from geminid.billing.standing import Standing
from geminid.core.errors import (
    Aborted,
    OutOfCredits,
    QuotaExceeded,
    QuotaViolation,
    Unavailable,
    UnknownCache,
)
from geminid.service.cache_storage import bill_of, subject_of, whole_storage_nano
from geminid.service.charge import Admit, Admitted, count_settled, exceeded
from geminid.store.caches import CacheRow
from geminid.store.hot import Needs, Room
from geminid.store.owners import LASTING
from geminid.store.quotas import WHOLE
from geminid.store.usage import UsageRow

NEVER_MS = 253_402_300_799_999
"""The end of the year 9999: a hold ends with what it is for, not by itself."""
QUOTA_ID = "CachedContentsPerProject"
METRIC = "generativelanguage.googleapis.com/cached_contents"


class Moved(Aborted):
    """Somebody has changed the cached contents since they were read: read them again."""


def too_many(asked: str, caches_max: int) -> QuotaExceeded:
    """Return the problem of a project that has as many cached contents as it may have."""
    return QuotaExceeded(asked, (QuotaViolation(QUOTA_ID, METRIC, caches_max),))


class Kept(NamedTuple):
    """Cached contents that were written, and the bill for making them."""

    cache: CacheRow
    bill: UsageRow


class KeepCache:
    """Make cached contents: charge what they cost to compute, and hold what it costs to keep them."""

    def __init__(
        self, admission: Admit | None, row: UsageRow, cache: CacheRow, content: bytes, caches_max: int
    ) -> None:
        """admission: None for a caller of whom nothing is counted. row: of the making, with what is to be
        paid for it. caches_max: how many a project may have."""
        self._admission = admission
        self._row = row
        self._cache = cache
        self._content = content
        self._caches_max = caches_max
        held = admission is not None and (admission.admitted is None or admission.admitted.hold is not None)
        self.needs = Needs(
            project=cache.project,
            models=(row.model, WHOLE) if admission is not None else (),
            hold=row.request if held else "",
            caches=True,
        )

    def decide(self, room: Room) -> Kept:
        """Raises ``QuotaExceeded`` where there are too many or keeping them would cost too much,
        ``OutOfCredits``, and ``Unavailable`` where the request was given up meanwhile."""
        cache, row = self._cache, self._row
        others = room.caches_of(cache.project)
        if len(others) >= self._caches_max:
            raise too_many(cache.asked, self._caches_max)
        admitted = self._admission.admitted if self._admission is not None else None
        if self._admission is not None and admitted is None:
            raise Unavailable("The request was not admitted.")
        if admitted is not None:
            _refuse_spending(room, (cache, *others), admitted.standing, self._settled(room, admitted))
            if admitted.hold is not None:
                cache, row = self._paid(room, row, Past(admitted.hold))
            count_settled(room, row, admitted)
        bill = msgspec.structs.replace(row, settled_ms=room.now_ms)
        room.add_usage(bill)
        room.put_cache(cache, self._content)
        return Kept(cache, bill)

    def undone(self) -> None:
        """Nothing is remembered."""

    def _settled(self, room: Room, admitted: Admitted) -> quota.State:
        """Return what is counted of the project as a whole, without what was reserved for this request."""
        state, cost = room.state(self._cache.project, WHOLE), self._row.cost_nano or 0
        for model, ticket in admitted.tickets:
            if model == WHOLE:
                state = quota.settle(state, ticket, tokens=0, spent_nano=cost)
        return state

    def _paid(self, room: Room, row: UsageRow, past: Past) -> tuple[CacheRow, UsageRow]:
        """Charge the making and hold the keeping, both or nothing."""
        assert past.hold is not None
        cache = msgspec.structs.replace(self._cache, holds=1)
        hold = past.hold
        if (row.project, hold.subject, hold.seq) not in room.open:
            past = room.past(row.project, hold.subject)
        post = Post(request=hold.subject, amount_nano=row.cost_nano or 0, attempt=hold.attempt)
        paid = ledger.post(room.balances[row.project], post, past, room.now_ms)
        if not isinstance(paid, Entered):  # somebody took this process for dead
            raise Unavailable("The request was given up meanwhile. Try again.")
        _enter(room, paid, _held(paid.balance, cache, room.now_ms))
        amount, unpaid = paid.transfer.amount_nano, paid.transfer.unpaid_nano
        entry = paid.transfer.seq
        return cache, msgspec.structs.replace(row, cost_nano=amount, unpaid_nano=unpaid, entry=entry)


class ProlongCache:
    """Move the end of cached contents, and hold as much as that costs."""

    def __init__(self, seen: CacheRow, expires_ns: int, now_ns: int) -> None:
        """seen: the row as it was read."""
        self._seen = seen
        self._expires_ns = expires_ns
        self._now_ns = now_ns
        self.needs = Needs(
            project=seen.project, models=(WHOLE,), standing=True, request=subject_of(seen), caches=True
        )

    def decide(self, room: Room) -> CacheRow:
        """Raises ``UnknownCache``, ``Moved``, ``OutOfCredits``, ``QuotaExceeded`` for a limit of spending."""
        row = _row(room, self._seen)
        if row is None or row.expires_ns <= self._now_ns:
            raise UnknownCache
        wanted = msgspec.structs.replace(row, expires_ns=self._expires_ns, updated_ns=self._now_ns)
        standing = room.standings.get(row.project, Standing(project=row.project))
        longer = self._expires_ns > row.expires_ns
        if longer:
            others = (each for each in room.caches_of(row.project) if each.id != row.id)
            _refuse_spending(room, (wanted, *others), standing, room.state(row.project, WHOLE))
        if row.holds:
            try:
                wanted = self._held_again(room, row, wanted)
            except OutOfCredits:
                if longer:
                    raise
                # What was held was given on a grant that has ended, and would be lost: it stays held.
        room.put_cache(wanted)
        return wanted

    def _held_again(self, room: Room, row: CacheRow, wanted: CacheRow) -> CacheRow:
        """Hold for the new time in the place of the old one, both or nothing."""
        wanted = msgspec.structs.replace(wanted, holds=row.holds + 1)
        void = Void(request=subject_of(row), note="its end was moved")
        past = room.past(row.project, subject_of(row))
        freed = _entered(ledger.void(room.balances[row.project], void, past, room.now_ms))
        _enter(room, freed, _held(freed.balance, wanted, room.now_ms))
        return wanted

    def undone(self) -> None:
        """Nothing is remembered."""


class EndCache:
    """End cached contents: charge what it did cost to keep them, and forget them."""

    def __init__(self, seen: CacheRow, now_ns: int, *, expired: bool = False) -> None:
        """seen: the row as it was read. expired: only if their time is over."""
        self._seen = seen
        self._now_ns = now_ns
        self._expired = expired
        self.needs = Needs(project=seen.project, models=(WHOLE,), request=subject_of(seen), caches=True)

    def decide(self, room: Room) -> UsageRow | None:
        """Return the bill; None where somebody else has ended them, or moved their end. Raises ``Moved``."""
        row = _row(room, self._seen)
        if row is None or (self._expired and row.expires_ns > self._now_ns):
            return None
        end_ns = min(self._now_ns, row.expires_ns)
        bill = msgspec.structs.replace(bill_of(row, end_ns), settled_ms=room.now_ms)
        if row.holds:
            post = Post(request=subject_of(row), amount_nano=bill.cost_nano or 0)
            past = room.past(row.project, subject_of(row))
            paid = _entered(ledger.post(room.balances[row.project], post, past, room.now_ms))
            _enter(room, paid)
            bill = msgspec.structs.replace(
                bill,
                cost_nano=paid.transfer.amount_nano,
                unpaid_nano=paid.transfer.unpaid_nano,
                entry=paid.transfer.seq,
            )
        if bill.cost_nano:
            state = quota.spent(room.state(row.project, WHOLE), bill.cost_nano, room.now_ms)
            room.count(row.project, WHOLE, state)
        room.add_usage(bill)
        room.drop_cache(row)
        return bill

    def undone(self) -> None:
        """Nothing is remembered."""


def _row(room: Room, seen: CacheRow) -> CacheRow | None:
    """Return the row as it is now, if the hold that was looked for is still its own; raises ``Moved``."""
    row = room.caches.get((seen.project, seen.id))
    if row is not None and row.holds != seen.holds:
        raise Moved("The cached contents were changed meanwhile.")
    return row


def _held(balance: Balance, cache: CacheRow, now_ms: int) -> Entered:
    """Hold what it costs to keep cached contents until their end; raises ``OutOfCredits``."""
    order = Hold(
        request=subject_of(cache), amount_nano=whole_storage_nano(cache), owner=LASTING, expires_ms=NEVER_MS
    )
    outcome = ledger.hold(balance, order, NOTHING, now_ms)
    if isinstance(outcome, Declined):
        raise OutOfCredits(
            f"The credits of this project do not cover keeping the cached contents. {outcome.message}"
        )
    return outcome


def _entered(outcome: Outcome) -> Entered:
    """A hold of cached contents is open as long as they are there; anything else is a fault of ours."""
    if isinstance(outcome, Declined):
        raise AssertionError(f"the hold of cached contents is not open: {outcome.message}")
    return outcome


def _enter(room: Room, *outcomes: Entered) -> None:
    """Enter what was decided, each on what the one before it left."""
    for outcome in outcomes:
        if outcome.rows:
            room.enter(outcome.balance, outcome.rows)


def _refuse_spending(room: Room, caches: Sequence[CacheRow], standing: Standing, state: quota.State) -> None:
    """Raise ``QuotaExceeded`` where a limit of spending does not cover keeping all of a project's.

    The first of them is the one that is asked for. Nothing is counted: that is done when they end.
    """
    ask = Ask(owner=LASTING, spend_nano=sum(map(whole_storage_nano, caches)))
    outcome = quota.admit(state, standing.whole, ask, room.now_ms)
    if isinstance(outcome, Refused):
        raise exceeded(caches[0].asked, [outcome], room.now_ms)
