"""The acts on a project's credits: top up, grant, adjust, refund; what is there, and whether it all fits.

Every entry has a key of the operator's, by which it happens once: the same key again is answered with
what was entered. It decides nothing that :mod:`geminid.billing.ledger` does not. Invariant: an entry, the
balance after it and its trace are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection

from geminid.billing import audit, ledger
from geminid.billing.audit import Report
from geminid.billing.balance import Balance
from geminid.billing.orders import Credit, Declined, Outcome
from geminid.billing.transfers import Transfer, id_of
from geminid.core.errors import AlreadyExists, FailedPrecondition, NotFound, Problem
from geminid.core.money import Nano
from geminid.service.acting import NowMs, Page, check_time, now_ms, trace, wrong
from geminid.service.projects import known, live
from geminid.store import ledger as rows
from geminid.store.database import Database
from geminid.store.moment import one_moment

__all__ = ["Balance", "Credit", "Credited", "Credits", "Report", "Transfer", "UnknownCharge"]

KEY_CHARACTERS_MAX = 100
NOTE_CHARACTERS_MAX = 500


class UnknownCharge(NotFound):
    """No request of this project was charged under this id."""

    def __init__(self, request: str) -> None:
        super().__init__(f"No request {request} of this project was charged.")


class Credited(NamedTuple):
    """What was entered, and the balance after it. repeated: it was entered before."""

    transfer: Transfer
    balance: Balance
    repeated: bool


class Credits:
    """The credits of all projects of one database."""

    def __init__(self, database: Database, now_ms: NowMs = now_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    async def balance(self, project: str) -> Balance:
        """Return what a project has; raises UnknownProject."""

        def act(connection: Connection) -> Balance:
            live(connection, project)
            return rows.find(connection, project)

        return await self._database.read(act)

    async def page(self, project: str, size: int, after: str = "") -> Page[Transfer]:
        """Return ``size`` entries of a project's ledger at most, the oldest first; raises UnknownProject."""
        seq = _seq(after)

        def act(connection: Connection) -> tuple[Transfer, ...]:
            known(connection, project)
            return rows.page(connection, project, seq, size + 1)

        found = await self._database.read(act)
        more = len(found) > size and size > 0
        return Page(found[:size], str(found[size - 1].seq) if more else "")

    async def enter(self, actor: str, project: str, order: Credit) -> Credited:
        """Enter credits, once for each key.

        Raises UnknownProject, InvalidArgument, AlreadyExists when the key was used for something else,
        FailedPrecondition when an adjustment takes more than is available.
        """
        _check(order.key, order.note)
        if order.expires_ms is not None:
            check_time(order.expires_ms, 0)

        def decide(connection: Connection, balance: Balance, now_ms: int) -> Outcome:
            same = rows.transfer(connection, project, id_of(order.kind, order.key))
            return ledger.credit(balance, order, same, now_ms)

        return await self._database.write(partial(self._act, actor, project, decide))

    async def refund(
        self, actor: str, project: str, request: str, amount_nano: Nano | None = None, note: str = ""
    ) -> Credited:
        """Give back what a request was charged, or a part of it, once. amount_nano: None is all of it.

        Raises UnknownProject, UnknownCharge, InvalidArgument, AlreadyExists.
        """
        _check(request, note)

        def decide(connection: Connection, balance: Balance, now_ms: int) -> Outcome:
            charge = rows.past(connection, project, request).ending
            if charge is None or charge.kind != "post":
                raise UnknownCharge(request)
            same = rows.transfer(connection, project, id_of("refund", request, charge.attempt))
            amount = charge.amount_nano if amount_nano is None else amount_nano
            return ledger.refund(balance, charge, amount, same, now_ms, note)

        return await self._database.write(partial(self._act, actor, project, decide))

    async def verify(self, project: str = "") -> Report:
        """Re-derive every balance from the entries, of all projects or of one.

        What is proved is one moment of it, whatever is entered meanwhile.
        """

        def act(connection: Connection) -> Report:
            one_moment(connection)
            if project:
                known(connection, project)
                return audit.verify(rows.all_transfers(connection, project), [rows.find(connection, project)])
            return audit.verify(rows.all_transfers(connection), rows.all_balances(connection))

        return await self._database.read(act)

    def _act(
        self,
        actor: str,
        project: str,
        decide: Callable[[Connection, Balance, int], Outcome],
        connection: Connection,
    ) -> Credited:
        now_ms = self._now_ms()
        live(connection, project)
        outcome = decide(connection, rows.lock(connection, project), now_ms)
        if isinstance(outcome, Declined):
            raise _problem(outcome)
        if not outcome.repeated:
            rows.enter(connection, outcome.balance, outcome.rows)
            entered = outcome.transfer
            said = {"seq": entered.seq, "debit": entered.debit, "amount_nano": entered.amount_nano}
            trace(connection, now_ms, actor, f"credits.{entered.kind}", entered.id, project, **said)
        return Credited(outcome.transfer, outcome.balance, outcome.repeated)


def _check(key: str, note: str) -> None:
    if not 0 < len(key) <= KEY_CHARACTERS_MAX or not key.isprintable():
        raise wrong("key", f"must have 1 to {KEY_CHARACTERS_MAX} characters, all printable")
    if len(note) > NOTE_CHARACTERS_MAX or not note.isprintable():
        raise wrong("note", f"must have at most {NOTE_CHARACTERS_MAX} characters, all printable")


def _seq(after: str) -> int:
    if after and (not after.isdecimal() or len(after) > 18):
        raise wrong("pageToken", "was not given by this server")
    return int(after or 0)


_PROBLEMS: dict[str, type[Problem]] = {
    "insufficient": FailedPrecondition,
    "conflict": AlreadyExists,
    "full": FailedPrecondition,
    "ended": FailedPrecondition,
    "no_hold": FailedPrecondition,
}


def _problem(declined: Declined) -> Problem:
    return _PROBLEMS[declined.reason](declined.message)
