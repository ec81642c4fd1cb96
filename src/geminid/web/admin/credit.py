"""Handlers of credits."""

from __future__ import annotations

from geminid.service.administration import Administration
from geminid.service.credits import Balance, Credit, Credited, Transfer
from geminid.web.admin.call import Call, Handler
from geminid.wire.admin import credits as wire
from geminid.wire.admin.fields import dollars_of, maybe_ms, maybe_time, nano_of, time_of


async def _get(acts: Administration, call: Call) -> wire.Balance:
    return balance_of(await acts.credits.balance(call.path["project"]))


async def _enter(acts: Administration, call: Call) -> wire.Credited:
    said: wire.NewEntry = call.body
    order = Credit(
        kind=said.kind,
        key=said.key,
        amount_nano=nano_of(said.amount, "amount"),
        expires_ms=maybe_ms(said.expire_time),
        note=said.note,
    )
    return credited(await acts.credits.enter(call.actor, call.path["project"], order))


async def _refund(acts: Administration, call: Call) -> wire.Credited:
    said: wire.NewRefund = call.body
    amount = None if said.amount is None else nano_of(said.amount, "amount")
    project = call.path["project"]
    return credited(await acts.credits.refund(call.actor, project, said.request, amount, said.note))


HANDLERS: dict[str, Handler] = {
    "credits.get": _get,
    "credits.enter": _enter,
    "credits.refund": _refund,
}


def balance_of(balance: Balance) -> wire.Balance:
    """Return a balance as it is told."""
    return wire.Balance(
        project=balance.project,
        available=dollars_of(balance.available_nano),
        posted=dollars_of(balance.posted_nano),
        held=dollars_of(balance.held_nano),
        holds=balance.holds,
        spent=dollars_of(balance.revenue_nano),
        grants=tuple(
            wire.Grant(
                key=grant.subject, left=dollars_of(grant.left_nano), expire_time=time_of(grant.expires_ms)
            )
            for grant in balance.grants
        ),
        entries=balance.seq,
        head=balance.head.hex(),
    )


def entry_of(transfer: Transfer) -> wire.Entry:
    """Return an entry of the ledger as it is told."""
    return wire.Entry(
        seq=transfer.seq,
        id=transfer.id,
        kind=transfer.kind,
        debit=transfer.debit,
        credit=transfer.credit,
        amount=dollars_of(transfer.amount_nano),
        time=time_of(transfer.time_ms),
        subject=transfer.subject,
        attempt=transfer.attempt,
        pending=transfer.pending,
        expire_time=maybe_time(transfer.expires_ms),
        unpaid=dollars_of(transfer.unpaid_nano),
        note=transfer.note,
        previous=transfer.previous.hex(),
        seal=transfer.seal.hex(),
    )


def credited(done: Credited) -> wire.Credited:
    """Return what was entered as it is told."""
    return wire.Credited(
        entry=entry_of(done.transfer), balance=balance_of(done.balance), repeated=done.repeated
    )
