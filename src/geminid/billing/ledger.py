"""The ledger's acts: they take a balance and return the next one with the rows to insert.

Every act can be repeated: the same id again finds what was entered and enters nothing. What is known about
an id is passed in (``Past``, ``same``), read in the transaction in which the rows are inserted; the unique
id of a row is the database's own guard beneath that. An act that is declined changes nothing.

Policies, each with its reason:

* A post above its hold takes the hold and says what it did not take (``unpaid_nano``). The caller was told
  an upper bound; a bound that was too low is the house's mistake, and a balance never falls below zero.
* A post after its hold ended is declined: the credits may be spent by now. One after the hold's end of
  time but before anybody ended it is taken, for the credits are still there.
* A grant that expires while holds are open keeps as much as they hold, since they were given on it; what
  they leave expires with the next act.
* A clock that goes back changes nothing here. One that is ahead expires grants early, for good.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from geminid.billing.balance import Balance, misfit, moved
from geminid.billing.orders import (
    NOTHING,
    Credit,
    Decided,
    Declined,
    Entered,
    Hold,
    Order,
    Outcome,
    Past,
    Post,
    Void,
)
from geminid.billing.transfers import DIRECTIONS, Kind, Transfer, id_of, sealed
from geminid.core.errors import Internal, InvalidArgument
from geminid.core.money import NANO_MAX, Nano, format_dollars


def decide(balance: Balance, orders: Sequence[Order], pasts: Mapping[str, Past], now_ms: int) -> Decided:
    """Decide on many orders of one project, in turn, within one transaction.

    pasts: what is known of the requests in it, by id; a request that is not there is new.
    """
    balance, expired = _without_expired(balance, now_ms)
    known, rows, outcomes = dict(pasts), list(expired), []
    for order in orders:
        outcome = _ACTS[type(order)](balance, order, known.get(order.request, NOTHING), now_ms)
        if isinstance(outcome, Entered) and outcome.rows:
            balance = outcome.balance
            rows.extend(outcome.rows)
            known[order.request] = known.get(order.request, NOTHING).then(outcome.transfer)
        outcomes.append(outcome)
    return Decided(balance, tuple(rows), tuple(outcomes))


def hold(balance: Balance, order: Hold, past: Past, now_ms: int) -> Outcome:
    """Keep credits back for a request, if so many are available.

    A request that is running or paid has its hold or its post returned: it is never charged twice. One that
    was voided may be tried again.
    """
    _refuse_negative(order.amount_nano)
    if past.hold is not None and past.ending is None:
        if order.amount_nano > past.hold.amount_nano:
            return Declined(
                reason="conflict", message="This request is running with a smaller hold.", standing=past.hold
            )
        return Entered(balance=balance, transfer=past.hold, repeated=True)
    if past.ending is not None and past.ending.kind == "post":
        return Entered(balance=balance, transfer=past.ending, repeated=True)
    balance, rows = _without_expired(balance, now_ms)
    if order.amount_nano > balance.available_nano:
        return _insufficient(order.amount_nano, balance.available_nano)
    transfer = _next(
        balance,
        "hold",
        order.amount_nano,
        now_ms,
        order.request,
        past.hold.attempt + 1 if past.hold else 1,
        owner=order.owner,
        expires_ms=order.expires_ms,
    )
    return _entered(balance, transfer, rows)


def post(balance: Balance, order: Post, past: Past, now_ms: int) -> Outcome:
    """End a hold by charging ``amount_nano``, at most what is held. The first ending stands."""
    _refuse_negative(order.amount_nano)
    held = _open_hold(balance, order, past, "post")
    if not isinstance(held, Transfer):
        return held
    paid = min(order.amount_nano, held.amount_nano)
    transfer = _next(
        balance,
        "post",
        paid,
        now_ms,
        order.request,
        order.attempt,
        pending=held.id,
        unpaid_nano=order.amount_nano - paid,
        note=order.note,
    )
    return _entered(balance, transfer, (), held)


def void(balance: Balance, order: Void, past: Past, now_ms: int) -> Outcome:
    """End a hold and charge nothing. The first ending stands."""
    held = _open_hold(balance, order, past, "void")
    if not isinstance(held, Transfer):
        return held
    transfer = _next(
        balance,
        "void",
        held.amount_nano,
        now_ms,
        order.request,
        order.attempt,
        pending=held.id,
        note=order.note,
    )
    return _entered(balance, transfer, (), held)


def credit(balance: Balance, order: Credit, same: Transfer | None, now_ms: int) -> Outcome:
    """Enter credits. same: the transfer that has this order's id already, if any.

    Raises InvalidArgument for an amount or an end that means nothing.
    """
    _refuse_senseless(order)
    direction = DIRECTIONS[order.kind][1 if order.amount_nano < 0 else 0]
    amount = abs(order.amount_nano)
    if same is not None:
        alike = (same.debit, same.credit) == direction and same.amount_nano == amount
        return _repeated(balance, same, alike and same.expires_ms == order.expires_ms)
    if order.expires_ms is not None and order.expires_ms <= now_ms:
        raise InvalidArgument("a grant cannot have ended before it begins")
    balance, rows = _without_expired(balance, now_ms)
    if order.amount_nano < -balance.available_nano:
        return _insufficient(amount, balance.available_nano)
    debit, credited = direction
    transfer = _next(
        balance,
        order.kind,
        amount,
        now_ms,
        order.key,
        debit=debit,
        credit=credited,
        expires_ms=order.expires_ms,
        note=order.note,
    )
    return _entered_if_it_fits(balance, transfer, rows)


def refund(
    balance: Balance, charge: Transfer, amount_nano: Nano, same: Transfer | None, now_ms: int, note: str = ""
) -> Outcome:
    """Give back ``amount_nano`` of what ``charge``, a post, took: once, and never more than that.

    What comes back has no end, whatever it was paid with. same: the refund that this charge has already.
    Raises InvalidArgument.
    """
    if charge.kind != "post" or charge.project != balance.project:
        raise InvalidArgument("only a charge of this project can be refunded")
    if not 0 < amount_nano <= charge.amount_nano:
        most = format_dollars(charge.amount_nano)
        raise InvalidArgument(f"A refund must be more than nothing and at most the charge, {most}.")
    if same is not None:
        return _repeated(balance, same, same.amount_nano == amount_nano)
    balance, rows = _without_expired(balance, now_ms)
    transfer = _next(balance, "refund", amount_nano, now_ms, charge.subject, charge.attempt, note=note)
    return _entered_if_it_fits(balance, transfer, rows)


def expire(balance: Balance, now_ms: int) -> Decided:
    """Take back what is left of grants that ended, beyond what holds keep of them."""
    balance, rows = _without_expired(balance, now_ms)
    return Decided(balance, rows, ())


def lapsed(
    holds: Iterable[Transfer], now_ms: int, gone: Collection[str] = ()
) -> Iterator[tuple[Transfer, str]]:
    """Tell which of the open ``holds`` nobody will end any more, and why; whoever asks voids them.

    gone: processes that are known to have died.
    """
    for each in holds:
        if each.owner in gone:
            yield each, "its process ended"
        elif each.expires_ms is not None and each.expires_ms <= now_ms:
            yield each, "its time ended"


_ACTS: dict[type[Order], Callable[[Balance, Any, Past, int], Outcome]] = {
    Hold: hold,
    Post: post,
    Void: void,
}


def _without_expired(balance: Balance, now_ms: int) -> tuple[Balance, tuple[Transfer, ...]]:
    if not balance.grants or balance.grants[0].expires_ms > now_ms:
        return balance, ()
    kept, rows = balance.held_nano, []
    for grant in balance.grants:
        if grant.expires_ms > now_ms:
            break
        amount = max(grant.left_nano - kept, 0)
        kept -= grant.left_nano - amount
        if amount:
            entered = _entered(balance, _next(balance, "expire", amount, now_ms, grant.subject))
            balance = entered.balance
            rows.append(entered.transfer)
    return balance, tuple(rows)


def _next(
    balance: Balance,
    kind: Kind,
    amount_nano: Nano,
    now_ms: int,
    subject: str,
    attempt: int = 0,
    **details: Any,
) -> Transfer:
    seq = balance.seq + 1
    debit, credited = DIRECTIONS[kind][0]
    return Transfer(
        project=balance.project,
        seq=seq,
        id=id_of(kind, subject, attempt, seq),
        kind=kind,
        amount_nano=amount_nano,
        time_ms=now_ms,
        subject=subject,
        attempt=attempt,
        previous=balance.head,
        **{"debit": debit, "credit": credited, **details},
    )


def _entered(
    balance: Balance, transfer: Transfer, before: tuple[Transfer, ...] = (), hold: Transfer | None = None
) -> Entered:
    """Nothing enters that the audit would not accept: a rule that is broken here is a fault of ours."""
    transfer = sealed(transfer)
    wrong = misfit(balance, transfer, hold)
    if wrong:
        raise Internal(f"The ledger refused its own entry {transfer.id}: it {wrong}.")
    return Entered(balance=moved(balance, transfer, hold), transfer=transfer, rows=(*before, transfer))


def _entered_if_it_fits(balance: Balance, transfer: Transfer, before: tuple[Transfer, ...]) -> Outcome:
    wrong = misfit(balance, sealed(transfer))
    if wrong:
        return Declined(reason="full", message=f"This entry {wrong}.", available_nano=balance.available_nano)
    return _entered(balance, transfer, before)


def _open_hold(
    balance: Balance, order: Post | Void, past: Past, kind: Literal["post", "void"]
) -> Transfer | Outcome:
    """Return the very hold that ``order`` names if it is open, or else what there is to answer."""
    if past.hold is None:
        return Declined(reason="no_hold", message=f"Nothing is held for request {order.request}.")
    if past.hold.attempt != order.attempt:
        words = "This hold has ended, and the request was tried again."
        return Declined(reason="ended", message=words, standing=past.hold)
    standing = past.ending
    if standing is None:
        return past.hold
    if standing.kind == kind:
        return Entered(balance=balance, transfer=standing, repeated=True)
    words = "paid" if standing.kind == "post" else f"released ({standing.note or 'without a word'})"
    return Declined(reason="ended", message=f"This hold was {words} already.", standing=standing)


def _repeated(balance: Balance, same: Transfer, alike: bool) -> Outcome:
    if alike:
        return Entered(balance=balance, transfer=same, repeated=True)
    return Declined(
        reason="conflict", message=f"{same.id} was entered before, with other content.", standing=same
    )


def _insufficient(wanted: Nano, available: Nano) -> Declined:
    return Declined(
        reason="insufficient",
        message=f"Up to {format_dollars(wanted)} is needed and {format_dollars(available)} is available.",
        available_nano=available,
    )


def _refuse_negative(amount: Nano) -> None:
    if not 0 <= amount <= NANO_MAX:
        raise Internal(f"{amount} nano-dollars cannot be held or charged.")


def _refuse_senseless(order: Credit) -> None:
    if not order.key:
        raise InvalidArgument("an entry needs a key, by which it happens once")
    if order.amount_nano == 0 or (order.amount_nano < 0 and order.kind != "adjust"):
        raise InvalidArgument(f"{format_dollars(order.amount_nano)} is no amount for a {order.kind}")
    if abs(order.amount_nano) > NANO_MAX:
        raise InvalidArgument(f"{format_dollars(order.amount_nano)} is more than can be kept")
    if order.expires_ms is not None and order.kind != "grant":
        raise InvalidArgument("only a grant expires")
