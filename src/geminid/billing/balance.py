"""The balance of a project, and what a transfer does to it.

A balance is small and is all that a decision needs: no history is read. :func:`misfit` says whether a
transfer may follow, :func:`moved` what is left after it; entering (:mod:`geminid.billing.ledger`) and
proving (:mod:`geminid.billing.audit`) use the same two. Invariants: 0 <= held <= posted; credits and the
house's accounts sum to zero; the grants that are left are part of what is posted.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from geminid.billing.transfers import DIRECTIONS, GENESIS, Account, Kind, Transfer, id_of, seal_of
from geminid.core.money import NANO_MAX, Nano

GRANTS_MAX = 100
"""Grants with an end that a project may have at once: a balance stays small."""


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """Credits that expire: what is left of them. ``subject`` is the key they were granted under."""

    expires_ms: int
    subject: str
    left_nano: Nano


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """A project's accounts after ``seq`` transfers, the last of which has the seal ``head``.

    posted_nano: credits that are there. held_nano: the part of them that ``holds`` open holds keep back.
    The others are the house's accounts as far as this project moved them, credits less debits, so payments
    and grants are negative. They are kept by project so that no row is shared by all.
    grants: those with an end, the earliest first; the rest of the credits has none.
    """

    project: str
    posted_nano: Nano = 0
    held_nano: Nano = 0
    holds: int = 0
    payments_nano: Nano = 0
    grants_nano: Nano = 0
    revenue_nano: Nano = 0
    expired_nano: Nano = 0
    adjustments_nano: Nano = 0
    grants: tuple[Grant, ...] = ()
    seq: int = 0
    head: bytes = GENESIS

    @property
    def available_nano(self) -> Nano:
        """What a new hold may take."""
        return self.posted_nano - self.held_nano

    @property
    def house_nano(self) -> Nano:
        """The five accounts of the house together: always the negative of what is posted."""
        return (
            self.payments_nano
            + self.grants_nano
            + self.revenue_nano
            + self.expired_nano
            + self.adjustments_nano
        )


def misfit(balance: Balance, transfer: Transfer, hold: Transfer | None = None) -> str:
    """Say why ``transfer`` cannot follow, in words; empty when it can.

    hold: the open hold that a post or void names.
    """
    return (
        _out_of_chain(balance, transfer)
        or _malformed(transfer)
        or _RULES[transfer.kind](balance, transfer, hold)
    )


def moved(balance: Balance, transfer: Transfer, hold: Transfer | None = None) -> Balance:
    """Return the balance after a transfer that fits."""
    seq, head, amount = transfer.seq, transfer.seal, transfer.amount_nano
    if transfer.kind == "hold":
        return msgspec.structs.replace(
            balance, held_nano=balance.held_nano + amount, holds=balance.holds + 1, seq=seq, head=head
        )
    changes: dict[str, object] = {"seq": seq, "head": head}
    if hold is not None:
        changes |= {"held_nano": balance.held_nano - hold.amount_nano, "holds": balance.holds - 1}
    if transfer.kind != "void":
        paid_in = transfer.credit == "credits"
        field = _FIELDS[transfer.debit if paid_in else transfer.credit]
        signed = amount if paid_in else -amount
        changes["posted_nano"] = balance.posted_nano + signed
        changes[field] = getattr(balance, field) - signed
        if balance.grants or transfer.kind == "grant":
            changes["grants"] = _grants_after(balance.grants, transfer)
    return msgspec.structs.replace(balance, **changes)


_FIELDS: dict[Account, str] = {
    "payments": "payments_nano",
    "grants": "grants_nano",
    "revenue": "revenue_nano",
    "expired": "expired_nano",
    "adjustments": "adjustments_nano",
}


def _grants_after(grants: tuple[Grant, ...], transfer: Transfer) -> tuple[Grant, ...]:
    if transfer.kind == "expire":
        left = (
            Grant(each.expires_ms, each.subject, each.left_nano - transfer.amount_nano)
            if each.subject == transfer.subject
            else each
            for each in grants
        )
        return tuple(each for each in left if each.left_nano)
    if transfer.debit == "credits":
        return _drawn(grants, transfer.amount_nano)
    if transfer.kind != "grant" or transfer.expires_ms is None:
        return grants
    new = Grant(transfer.expires_ms, transfer.subject, transfer.amount_nano)
    return tuple(sorted((*grants, new), key=_end))


def _end(grant: Grant) -> tuple[int, str]:
    return grant.expires_ms, grant.subject


def _drawn(grants: tuple[Grant, ...], amount: Nano) -> tuple[Grant, ...]:
    """Spend ``amount``: first what expires first, then, outside of this list, what never does."""
    for place, grant in enumerate(grants):
        if grant.left_nano > amount:
            rest = Grant(grant.expires_ms, grant.subject, grant.left_nano - amount)
            return (rest, *grants[place + 1 :])
        amount -= grant.left_nano
    return ()


def _out_of_chain(balance: Balance, transfer: Transfer) -> str:
    if transfer.project != balance.project:
        return f"belongs to project {transfer.project}"
    if transfer.seq != balance.seq + 1:
        return f"has number {transfer.seq} where {balance.seq + 1} is due"
    if transfer.previous != balance.head:
        return "does not continue the chain"
    if transfer.seal != seal_of(transfer):
        return "was changed after it was sealed"
    return ""


def _malformed(transfer: Transfer) -> str:
    if (transfer.debit, transfer.credit) not in DIRECTIONS.get(transfer.kind, ()):
        return f"a {transfer.kind} does not go from {transfer.debit} to {transfer.credit}"
    if not 0 <= transfer.amount_nano <= NANO_MAX or not 0 <= transfer.unpaid_nano <= NANO_MAX:
        return "moves an impossible amount"
    if transfer.id != id_of(transfer.kind, transfer.subject, transfer.attempt, transfer.seq):
        return f"has an id that is not its own: {transfer.id}"
    return ""


_Rule = Callable[[Balance, Transfer, Transfer | None], str]


def _pays_in(balance: Balance, transfer: Transfer, hold: Transfer | None) -> str:
    if balance.posted_nano + transfer.amount_nano > NANO_MAX:
        return "makes the balance larger than can be kept"
    if transfer.kind == "grant" and transfer.expires_ms is not None:
        if len(balance.grants) >= GRANTS_MAX:
            return f"is one more than the {GRANTS_MAX} grants with an end that a project may have at once"
        if transfer.subject in {grant.subject for grant in balance.grants}:
            return "was granted already"
    return ""


def _takes_available(balance: Balance, transfer: Transfer, hold: Transfer | None) -> str:
    if transfer.amount_nano > balance.available_nano:
        return f"takes {transfer.amount_nano} where {balance.available_nano} is available"
    return ""


def _adjusts(balance: Balance, transfer: Transfer, hold: Transfer | None) -> str:
    rule = _takes_available if transfer.debit == "credits" else _pays_in
    return rule(balance, transfer, hold)


def _ends(balance: Balance, transfer: Transfer, hold: Transfer | None) -> str:
    if hold is None or (transfer.pending, transfer.subject, transfer.attempt) != (
        hold.id,
        hold.subject,
        hold.attempt,
    ):
        return "names no open hold"
    if not balance.holds or hold.amount_nano > balance.held_nano:
        return f"ends a hold of {hold.amount_nano} where {balance.held_nano} is held in all"
    if transfer.amount_nano > hold.amount_nano:
        return f"takes {transfer.amount_nano} where {hold.amount_nano} is held"
    if transfer.kind == "void" and transfer.amount_nano != hold.amount_nano:
        return f"gives {transfer.amount_nano} back where {hold.amount_nano} is held"
    return ""


def _expires(balance: Balance, transfer: Transfer, hold: Transfer | None) -> str:
    grant = next((each for each in balance.grants if each.subject == transfer.subject), None)
    if grant is None or transfer.amount_nano > grant.left_nano:
        return f"takes more than is left of grant {transfer.subject}"
    if transfer.time_ms < grant.expires_ms:
        return f"takes grant {transfer.subject} before its end"
    return _takes_available(balance, transfer, hold)


_RULES: dict[Kind, _Rule] = {
    "top_up": _pays_in,
    "grant": _pays_in,
    "refund": _pays_in,
    "adjust": _adjusts,
    "hold": _takes_available,
    "post": _ends,
    "void": _ends,
    "expire": _expires,
}
