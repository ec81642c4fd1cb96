"""One request on its way through the meter: what it may cost, what was admitted, what it did cost.

Two acts on the database: :class:`Admit` holds and counts before the answer, :class:`Settle` charges and
corrects after it. They are the rules of billing put together, in one transaction each; which connection
that is, they do not know. Invariant: an admitted request is settled once, and then charged or released.
"""

from __future__ import annotations

import msgspec

from geminid.billing import ledger, quota
from geminid.billing.limits import Limits
from geminid.billing.orders import NOTHING, Declined, Hold, Past, Post, Void
from geminid.billing.quota import Ask, Refused, Ticket
from geminid.billing.standing import Standing
from geminid.billing.transfers import Transfer
from geminid.core.caller import Caller
from geminid.core.errors import (
    Aborted,
    AlreadyExists,
    ExpiredKey,
    InvalidKey,
    OutOfCredits,
    QuotaExceeded,
    QuotaViolation,
)
from geminid.core.money import Nano
from geminid.store.hot import Needs, Room
from geminid.store.quotas import WHOLE
from geminid.store.usage import UsageRow, UsageVerb

ATTEMPTS_MAX = 8
"""How often a request may be tried again under its id."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is, before anything is known of its size.

    receipt: its id of ours. request: what it is charged as, the caller's own id or ours. model: the card
    that answers; asked: the name that was asked for. verb: what it is. cache: the cached contents that it
    makes or uses. fresh: nobody has ever charged anything as ``request``, so nobody need look.
    """

    receipt: str
    request: str
    caller: Caller
    model: str
    asked: str
    tier: str
    labels: dict[str, str] = {}
    created_ms: int
    verb: UsageVerb = "generate"
    cache: str = ""
    fresh: bool = False


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted and held for a request; given back, once, to :class:`Settle`."""

    standing: Standing
    tickets: tuple[tuple[str, Ticket], ...] = ()
    hold: Transfer | None = None


class Admit:
    """Let a request run: the key is good, no limit is reached, credits cover what it can cost."""

    def __init__(
        self, asked: Asked, tokens: int, bound_nano: Nano | None, owner: str, ttl_ms: int, why: str = ""
    ) -> None:
        """bound_nano: None where there is no price, and ``why`` says so."""
        self._asked = asked
        self._tokens = tokens
        self._bound = bound_nano
        self._owner = owner
        self._ttl_ms = ttl_ms
        self._why = why
        self.admitted: Admitted | None = None
        # Lines of a batch have no rates, and their key was good when the batch was taken.
        self._batch = asked.tier == "batch"
        self.needs = Needs(
            project=asked.caller.project,
            models=(WHOLE,) if self._batch else (asked.model, WHOLE),
            begins=asked.request,
            key_id="" if self._batch else asked.caller.key_id,
            standing=True,
            request=asked.request if asked.request != asked.receipt and not asked.fresh else "",
            durable=False,  # a hold that is lost with the machine is lost with its request
        )

    def decide(self, room: Room) -> Admitted:
        """Raises ``InvalidKey``, ``QuotaExceeded``, ``OutOfCredits``, and ``Aborted`` or ``AlreadyExists``
        for a request that runs or was paid before."""
        asked = self._asked
        standing = self._standing(room)
        past = room.past(asked.caller.project, asked.request)
        _refuse_repeated(past, asked.request, None if self._batch else ATTEMPTS_MAX)
        states, tickets = self._count(room, standing)
        hold = None
        if standing.mode == "prepaid":
            hold = self._hold(room, past)
        for model, state in states.items():
            room.count(asked.caller.project, model, state)
        self.admitted = Admitted(standing=standing, tickets=tickets, hold=hold)
        return self.admitted

    def undone(self) -> None:
        """Forget that the request was admitted."""
        self.admitted = None

    def _standing(self, room: Room) -> Standing:
        caller = self._asked.caller
        if caller.key_id and not self._batch:
            key = room.keys.get(caller.key_id)
            if key is None or key.revoked_ms is not None:
                raise InvalidKey
            if key.expires_ms is not None and key.expires_ms <= room.now_ms:
                raise ExpiredKey
        standing = room.standings.get(caller.project)
        if standing is None and not caller.key_id:
            return Standing(project=caller.project)  # keys of the settings need no row
        if standing is None or not standing.live:
            raise InvalidKey
        return standing

    def _count(
        self, room: Room, standing: Standing
    ) -> tuple[dict[str, quota.State], tuple[tuple[str, Ticket], ...]]:
        """Ask both states; where one refuses, neither counts."""
        asked, project = self._asked, self._asked.caller.project
        spend = self._bound or 0
        asks = (
            (asked.model, _limits_of(standing, asked), Ask(owner=self._owner, tokens=self._tokens)),
            (WHOLE, standing.whole, Ask(owner=self._owner, spend_nano=spend)),
        )[self._batch :]
        states: dict[str, quota.State] = {}
        tickets, refused = [], []
        for model, limits, ask in asks:
            outcome = quota.admit(room.state(project, model), limits, ask, room.now_ms)
            if isinstance(outcome, Refused):
                refused.append(outcome)
                if outcome.moved:
                    room.count(project, model, outcome.state)
                continue
            states[model] = outcome.state
            tickets.append((model, outcome.ticket))
        if refused:
            raise exceeded(asked.asked, refused, room.now_ms)
        return states, tuple(tickets)

    def _hold(self, room: Room, past: Past) -> Transfer:
        asked = self._asked
        if self._bound is None:
            raise OutOfCredits(self._why)
        balance = room.balances[asked.caller.project]
        order = Hold(
            request=asked.request,
            amount_nano=self._bound,
            owner=self._owner,
            expires_ms=room.now_ms + self._ttl_ms,
        )
        outcome = ledger.hold(balance, order, past, room.now_ms)
        if isinstance(outcome, Declined):
            raise OutOfCredits(f"The credits of this project do not cover the request. {outcome.message}")
        if outcome.rows:
            room.enter(outcome.balance, outcome.rows)
        return outcome.transfer


class Settle:
    """End an admitted request: charge what it cost or release it, and write what it was."""

    def __init__(self, admission: Admit | None, row: UsageRow, *, again: bool = False) -> None:
        """admission: None for a caller of whom nothing is counted; it may still be undecided, as long as it
        is decided before this is. row: with what is to be paid. again: it may be settled already."""
        self._admission = admission
        self._row = row
        counted = admission is not None
        admitted = admission.admitted if admission is not None else None
        unheld = admitted is not None and admitted.hold is None
        self.needs = Needs(
            project=row.project if counted else "",
            models=(row.model, WHOLE) if counted else (),
            hold=row.request if counted and not unheld else "",
            receipt=row.id if again else "",
        )

    def decide(self, room: Room) -> UsageRow | None:
        """Return the row as it was written: what is paid may be less than what was to be. None: the request
        was not admitted, so there is nothing to settle."""
        row = self._row
        if room.has_ended(row.id):
            return row
        admitted = self._admission.admitted if self._admission is not None else None
        if self._admission is not None and admitted is None:
            return None
        if admitted is not None:
            if admitted.hold is not None:
                row = self._end(room, row, admitted.hold)
            count_settled(room, row, admitted)
        row = msgspec.structs.replace(row, settled_ms=room.now_ms)
        room.add_usage(row)
        return row

    def undone(self) -> None:
        """Nothing is remembered."""

    def _end(self, room: Room, row: UsageRow, hold: Transfer) -> UsageRow:
        open_ = (row.project, hold.subject, hold.seq) in room.open
        past = Past(hold) if open_ else room.past(row.project, hold.subject)
        balance, request, attempt = room.balances[row.project], hold.subject, hold.attempt
        if is_charged(row.outcome):
            post = Post(request=request, amount_nano=row.cost_nano or 0, attempt=attempt)
            outcome = ledger.post(balance, post, past, room.now_ms)
        else:
            void = Void(request=request, attempt=attempt, note=row.outcome)
            outcome = ledger.void(balance, void, past, room.now_ms)
        if isinstance(outcome, Declined):  # somebody took this process for dead
            return msgspec.structs.replace(row, unpaid_nano=row.cost_nano or 0, cost_nano=0)
        if outcome.rows:
            room.enter(outcome.balance, outcome.rows)
            room.open.discard((row.project, hold.subject, hold.seq))
        if outcome.transfer.kind == "post":
            paid, unpaid = outcome.transfer.amount_nano, outcome.transfer.unpaid_nano
            entry = outcome.transfer.seq
            return msgspec.structs.replace(row, cost_nano=paid, unpaid_nano=unpaid, entry=entry)
        return row


def count_settled(room: Room, row: UsageRow, admitted: Admitted) -> None:
    """Put what was counted for an admitted request right: what it used, what it cost, that it has ended."""
    for model, ticket in admitted.tickets:
        spent = (row.cost_nano or 0) if model == WHOLE else 0
        tokens = row.usage.prompt if model != WHOLE else 0
        state = quota.settle(room.state(row.project, model), ticket, tokens=tokens, spent_nano=spent)
        room.count(row.project, model, state)


def is_charged(outcome: str) -> bool:
    """Return whether a request that ended so is paid for: an answer, or one whose reader left."""
    return outcome in ("finished", "cancelled")


def exceeded(asked: str, refused: list[Refused], now_ms: int) -> QuotaExceeded:
    """Return the problem that tells every limit that is reached, and when the last of them clears."""
    refusals = [refusal for each in refused for refusal in each.refusals]
    violations = tuple(QuotaViolation(each.quota_id, each.metric, each.value) for each in refusals)
    times = [each.clears_at_ms for each in refused]
    if None in times:
        return QuotaExceeded(asked, violations)
    latest = max(time for time in times if time is not None)
    return QuotaExceeded(asked, violations, retry_after_ms=max(latest - now_ms, 1))


def _limits_of(standing: Standing, asked: Asked) -> Limits:
    """The card's own limits, or those of the name that was asked for, or those of every model."""
    if asked.model not in standing.models and asked.asked in standing.models:
        return standing.models[asked.asked]
    return standing.limits_of(asked.model)


def _refuse_repeated(past: Past, request: str, attempts_max: int | None) -> None:
    if past == NOTHING or past.hold is None:
        return
    if past.ending is None:
        raise Aborted(f"Request {request} is being answered.")
    if past.ending.kind == "post":
        raise AlreadyExists(f"Request {request} was answered and paid; it is not charged again.")
    if attempts_max is not None and past.hold.attempt >= attempts_max:
        raise AlreadyExists(f"Request {request} was tried {attempts_max} times; give it another id.")
