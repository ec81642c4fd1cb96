"""A transfer: one amount from one account to another, sealed into the chain of its project.

The model is TigerBeetle's: a transfer debits one account and credits one, is never changed, and has an
id that is taken once; a *hold* is pending until exactly one *post* or *void* names it. Accounts are six
for each project: its credits, and its share of the five of the house. Invariant: the seal of a transfer
covers each of its fields and, through the seal before it, all that happened earlier in its project.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import msgspec

from geminid.core.money import Nano

Account = Literal["credits", "payments", "grants", "revenue", "expired", "adjustments"]
Kind = Literal["top_up", "grant", "refund", "adjust", "hold", "post", "void", "expire"]

DIRECTIONS: dict[Kind, tuple[tuple[Account, Account], ...]] = {
    "top_up": (("payments", "credits"),),
    "grant": (("grants", "credits"),),
    "refund": (("revenue", "credits"),),
    "adjust": (("adjustments", "credits"), ("credits", "adjustments")),
    "hold": (("credits", "revenue"),),
    "post": (("credits", "revenue"),),
    "void": (("credits", "revenue"),),
    "expire": (("credits", "expired"),),
}
"""(debit, credit) by kind; an adjustment goes either way."""

GENESIS = bytes(32)
"""Stands for the seal before a project's first transfer."""

_FORM = "geminid/ledger/1"
"""Names the canonical form; a transfer of another form would not verify as one of this."""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger.

    seq: 1, 2, 3 … within the project. id: unique within the project; it follows from the fields
    (:func:`id_of`), so one thing cannot be entered twice.
    amount_nano: what moves; a hold keeps it back, a post takes it, a void gives it back.
    subject: a request's id, the key of an entry, or the grant that expires. attempt: 1, 2, 3 …: which hold
    for that request this is or is about. pending: the id of the hold that a post or void ends.
    expires_ms: when a hold may be ended by others, when a grant ends; None is never. owner: the process
    that holds. unpaid_nano: by how much a post exceeded its hold, which nobody pays. note: why.
    previous, seal: SHA-256, 32 bytes each.
    """

    project: str
    seq: int
    id: str
    kind: Kind
    debit: Account
    credit: Account
    amount_nano: Nano
    time_ms: int
    subject: str
    attempt: int = 0
    pending: str = ""
    expires_ms: int | None = None
    owner: str = ""
    unpaid_nano: Nano = 0
    note: str = ""
    previous: bytes = GENESIS
    seal: bytes = b""


def id_of(kind: Kind, subject: str, attempt: int = 0, seq: int = 0) -> str:
    """Return the id under which something is entered.

    A post and a void of one hold would have the same, so only one of them can ever be. A charge is refunded
    once. A grant may expire in pieces, hence the number of the entry.
    """
    match kind:
        case "hold":
            return f"hold:{subject}/{attempt}"
        case "post" | "void":
            return f"end:{subject}/{attempt}"
        case "refund":
            return f"refund:{subject}/{attempt}"
        case "expire":
            return f"expire:{subject}/{seq}"
        case _:
            return f"{kind}:{subject}"


def sealed(transfer: Transfer) -> Transfer:
    """Return the transfer with its seal."""
    return msgspec.structs.replace(transfer, seal=seal_of(transfer))


def seal_of(transfer: Transfer) -> bytes:
    """Return the SHA-256 of a transfer's canonical form."""
    return sha256(canonical(transfer)).digest()


def canonical(transfer: Transfer) -> bytes:
    """Return every field but the seal as a JSON array in the order of the fields, compact, in UTF-8.

    The name of the form comes first, the previous seal, in hexadecimal, last. Anyone can make it again.
    """
    return _ENCODER.encode(
        (
            _FORM,
            transfer.project,
            transfer.seq,
            transfer.id,
            transfer.kind,
            transfer.debit,
            transfer.credit,
            transfer.amount_nano,
            transfer.time_ms,
            transfer.subject,
            transfer.attempt,
            transfer.pending,
            transfer.expires_ms,
            transfer.owner,
            transfer.unpaid_nano,
            transfer.note,
            transfer.previous.hex(),
        )
    )


_ENCODER = msgspec.json.Encoder()
