"""Paying for what a process had kept of a batch and not paid for when it died.

An answer of a batch is kept before it is charged, so after a crash there may be answers that nobody has paid
for. It knows no bytes. Invariant: however often this is done for one receipt, it is charged once.
"""

from __future__ import annotations

import msgspec

from geminid.billing import ledger, quota
from geminid.billing.orders import Declined, Hold, Past, Post
from geminid.core.money import Nano
from geminid.service.charge import is_charged
from geminid.store.hot import Needs, Room
from geminid.store.quotas import WHOLE
from geminid.store.usage import UsageRow


class PayLate:
    """Charge one request that ended in another process: its hold if that is still there, else a new one.

    What the project cannot pay any more is written down as unpaid, since the answer is kept already.
    """

    def __init__(self, row: UsageRow, owner: str, ttl_ms: int) -> None:
        """row: as it was to be written. owner: this process."""
        self._row = row
        self._owner = owner
        self._ttl_ms = ttl_ms
        self.needs = Needs(
            project=row.project, models=(WHOLE,), standing=True, request=row.request, receipt=row.id
        )

    def decide(self, room: Room) -> UsageRow | None:
        """Return the row as it was written; None when it was there."""
        row = self._row
        if room.has_ended(row.id):
            return None
        standing = room.standings.get(row.project)
        if standing is not None and standing.mode == "prepaid" and is_charged(row.outcome):
            row = self._charged(room, row)
        state = quota.spent(room.state(row.project, WHOLE), row.cost_nano or 0, room.now_ms)
        room.count(row.project, WHOLE, state)
        row = msgspec.structs.replace(row, settled_ms=room.now_ms)
        room.add_usage(row)
        return row

    def undone(self) -> None:
        """Nothing is remembered."""

    def _charged(self, room: Room, row: UsageRow) -> UsageRow:
        past, cost = room.past(row.project, row.request), row.cost_nano or 0
        if past.hold is None or past.ending is not None:
            past = self._held(room, row, past, cost)
        if past.hold is None or past.ending is not None:  # paid under another receipt, or no credits at all
            return msgspec.structs.replace(row, cost_nano=0, unpaid_nano=cost)
        order = Post(request=row.request, amount_nano=cost, attempt=past.hold.attempt)
        outcome = ledger.post(room.balances[row.project], order, past, room.now_ms)
        if isinstance(outcome, Declined):
            return msgspec.structs.replace(row, cost_nano=0, unpaid_nano=cost)
        room.enter(outcome.balance, outcome.rows)
        paid = outcome.transfer
        return msgspec.structs.replace(
            row, cost_nano=paid.amount_nano, unpaid_nano=cost - paid.amount_nano, entry=paid.seq
        )

    def _held(self, room: Room, row: UsageRow, past: Past, cost: Nano) -> Past:
        balance = room.balances[row.project]
        order = Hold(
            request=row.request,
            amount_nano=min(cost, max(balance.available_nano, 0)),
            owner=self._owner,
            expires_ms=room.now_ms + self._ttl_ms,
        )
        outcome = ledger.hold(balance, order, past, room.now_ms)
        if isinstance(outcome, Declined):
            return Past()
        if outcome.rows:
            room.enter(outcome.balance, outcome.rows)
        return (
            Past(outcome.transfer) if outcome.transfer.kind == "hold" else Past(past.hold, outcome.transfer)
        )
