"""Messages about credits: balances, entries of the ledger, and the proof that they fit."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from geminid.wire.admin.fields import Dollars, EntryKey, Note, Time
from geminid.wire.admin.message import Message


class Grant(Message, frozen=True):
    """Credits that expire: what is left of them."""

    key: str
    left: Dollars
    expire_time: Time


class Balance(Message, frozen=True):
    """What a project has."""

    project: str
    available: Annotated[Dollars, Meta(description="What a new request may use.")]
    posted: Annotated[Dollars, Meta(description="Credits that are there.")]
    held: Annotated[Dollars, Meta(description="The part of them that running requests keep back.")]
    holds: Annotated[int, Meta(description="How many requests do.")]
    spent: Annotated[Dollars, Meta(description="What requests have cost so far, less refunds.")]
    grants: Annotated[tuple[Grant, ...], Meta(description="Credits that expire, the earliest first.")]
    entries: Annotated[int, Meta(description="Entries of the ledger so far.")]
    head: Annotated[str, Meta(description="The seal of the last of them, hexadecimal.")]


class Entry(Message, frozen=True):
    """One entry of the ledger: an amount from one account to another. It is never changed."""

    seq: int
    id: str
    kind: Literal["top_up", "grant", "refund", "adjust", "hold", "post", "void", "expire"]
    debit: str
    credit: str
    amount: Dollars
    time: Time
    subject: Annotated[str, Meta(description="The request's id, or the key of the entry.")]
    attempt: int
    pending: Annotated[str, Meta(description="The hold that this ends.")]
    expire_time: Time | None
    unpaid: Annotated[Dollars, Meta(description="By how much a charge exceeded its hold; nobody pays it.")]
    note: str
    previous: Annotated[str, Meta(description="The seal of the entry before.")]
    seal: Annotated[str, Meta(description="SHA-256 over all of this, hexadecimal.")]


class EntryPage(Message, frozen=True):
    """Entries, the oldest first."""

    entries: tuple[Entry, ...]
    next_page_token: str = ""


class NewEntry(Message, frozen=True):
    """Credits to be entered. The same key again is answered with what was entered."""

    kind: Literal["top_up", "grant", "adjust"]
    key: EntryKey
    amount: Annotated[Dollars, Meta(description="Of an adjustment it may be negative.")]
    expire_time: Annotated[Time | None, Meta(description="When a grant ends; null is never.")] = None
    note: Note = ""


class NewRefund(Message, frozen=True):
    """Of what a request was charged, what is to be given back; once."""

    request: Annotated[str, Meta(description="The id of the request.", min_length=1, max_length=100)]
    amount: Annotated[Dollars | None, Meta(description="Null is all of it.")] = None
    note: Note = ""


class Credited(Message, frozen=True):
    """What was entered, and the balance after it."""

    entry: Entry
    balance: Balance
    repeated: Annotated[bool, Meta(description="It was entered before.")]


class Proof(Message, frozen=True):
    """Every balance derived again from the entries."""

    sound: bool
    transfers: int
    projects: int
    open_holds: int
    posted: Dollars
    held: Dollars
    house: Dollars
    misfit: Annotated[str, Meta(description="The first that does not fit, in words; empty when all do.")]
