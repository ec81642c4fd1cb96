"""What is asked of the ledger, what must be known to decide, and what comes of it: values only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from geminid.billing.balance import Balance
from geminid.billing.transfers import Transfer
from geminid.core.money import Nano


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Keep back what a request can cost at most. expires_ms: when others may end it."""

    request: str
    amount_nano: Nano
    owner: str
    expires_ms: int


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """Charge what a request did cost, and release the rest of its hold. attempt: of the hold."""

    request: str
    amount_nano: Nano
    attempt: int = 1
    note: str = ""


class Void(msgspec.Struct, frozen=True, kw_only=True):
    """Release a hold and charge nothing. note: why."""

    request: str
    attempt: int = 1
    note: str = ""


Order = Hold | Post | Void


class Credit(msgspec.Struct, frozen=True, kw_only=True):
    """Credits from the operator. key: his own name for this entry, by which it happens once.

    amount_nano: of an adjustment it may be negative. expires_ms: of a grant; None is never.
    """

    kind: Literal["top_up", "grant", "adjust"]
    key: str
    amount_nano: Nano
    expires_ms: int | None = None
    note: str = ""


class Past(msgspec.Struct, frozen=True):
    """What is known about a request: its latest hold, and how that ended."""

    hold: Transfer | None = None
    ending: Transfer | None = None

    def then(self, row: Transfer) -> Past:
        """Return what is known after one more row."""
        return Past(row) if row.kind == "hold" else Past(self.hold, row)


NOTHING = Past()


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """It is so. ``transfer`` says it; ``repeated`` means that it was so before.

    Asked for a hold of a request that is paid already, it is the post that is returned.
    """

    balance: Balance
    transfer: Transfer
    rows: tuple[Transfer, ...] = ()
    repeated: bool = False


class Declined(msgspec.Struct, frozen=True, kw_only=True):
    """It cannot be so, and nothing was entered. ``standing`` is the transfer that stands in the way."""

    reason: Literal["insufficient", "ended", "conflict", "no_hold", "full"]
    message: str
    available_nano: Nano = 0
    standing: Transfer | None = None


Outcome = Entered | Declined


class Decided(msgspec.Struct, frozen=True):
    """A batch: the balance after it, all rows in their order, and one outcome for each order."""

    balance: Balance
    rows: tuple[Transfer, ...]
    outcomes: tuple[Outcome, ...]


def past_of(rows: Iterable[Transfer]) -> Past:
    """Return what the rows of one request tell, given in the order of their numbers."""
    past = NOTHING
    for row in rows:
        if row.kind in ("hold", "post", "void"):
            past = past.then(row)
    return past
