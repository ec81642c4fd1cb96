"""Statements: what a project had, paid in, used and has left, for one month; and the proof that it is so.

The money is summed from the ledger, the lines from the usage, and then the two are held against each other:
by sums, and charge by charge as long as requests are kept one by one. Months are Pacific, as Google's bills
are. Invariant: a statement says of itself whether it is sound; one that is not is never made to look so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec
from sqlalchemy import Connection

from geminid.billing import audit
from geminid.billing.rating import Item
from geminid.billing.transfers import Kind
from geminid.core.money import Nano, decimal_dollars
from geminid.core.price import ModalityClass
from geminid.service.acting import TIME_MS_MAX, NowMs, now_ms
from geminid.service.spans import Span, month_of, name_of_month, zone_of
from geminid.service.usage import Total, known
from geminid.store import ledger, ledger_sums
from geminid.store import projects as project_rows
from geminid.store import usage_sums as sums
from geminid.store.database import Database
from geminid.store.ledger_sums import Movement
from geminid.store.moment import one_moment

MISMATCHES_TOLD = 5
SIGNS: dict[Kind, int] = {
    "top_up": 1,
    "grant": 1,
    "refund": 1,
    "adjust": 1,
    "post": -1,
    "expire": -1,
    "hold": 0,
    "void": 0,
}
"""What an entry does to the credits; an adjustment goes either way."""


class UsageLine(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of bills with one price together. cost_nano: the sum of lines that were rounded one by one."""

    model: str
    tier: str
    item: Item
    modality: ModalityClass
    nano_per_million: Nano
    quantity: int
    cost_nano: Nano


class ModelTotal(msgspec.Struct, frozen=True, kw_only=True):
    """One model in one tier."""

    model: str
    tier: str
    total: Total


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of one kind: how many, and what they changed of the credits, negative where they took."""

    kind: Kind
    entries: int
    amount_nano: Nano


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was proved, or was not; ``what`` says so in words."""

    name: str
    sound: bool
    what: str


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One month of one project.

    closed: the month is over. opening and closing: credits that are there, held ones among them. head: the
    seal of the last entry of the month, number ``seq``; whoever keeps it can prove later that nothing before
    it was changed. used_nano: what all requests cost; due_nano: the part of it that no credits paid.
    """

    project: str
    title: str
    month: str
    from_ms: int
    until_ms: int
    made_ms: int
    closed: bool
    opening_nano: Nano
    entries: tuple[Entries, ...]
    closing_nano: Nano
    seq: int
    head: bytes
    models: tuple[ModelTotal, ...]
    lines: tuple[UsageLine, ...]
    used_nano: Nano
    due_nano: Nano
    unpaid_nano: Nano
    checks: tuple[Check, ...]

    @property
    def sound(self) -> bool:
        """Whether everything fits."""
        return all(check.sound for check in self.checks)


class Statements:
    """Makes statements from one database."""

    def __init__(self, database: Database, now_ms: NowMs = now_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    async def statement(self, project: str, month: str = "") -> Statement:
        """Return the statement of ``2026-11``; empty is the month that is now.

        Raises UnknownProject, and NotFound for what is no month.
        """
        made_ms = self._now_ms()
        zone = zone_of("")
        span = month_of(month or name_of_month(made_ms, zone), zone)

        def act(connection: Connection) -> Statement:
            one_moment(connection)
            known(connection, project)
            return _statement(connection, project, span, made_ms)

        return await self._database.read(act)


def _statement(connection: Connection, project: str, span: Span, made_ms: int) -> Statement:
    before = ledger_sums.movements(connection, project, 0, span.from_ms)
    moved = ledger_sums.movements(connection, project, span.from_ms, span.until_ms)
    last = ledger_sums.last_before(connection, project, span.until_ms)
    totals = sums.totals(connection, project, span.from_ms, span.until_ms, ("model", "tier"))
    lines = tuple(
        UsageLine(**key._asdict(), quantity=line.quantity, cost_nano=line.cost_nano)
        for key, line in sorted(sums.lines(connection, project, span.from_ms, span.until_ms).items())
    )
    used = sum(totals.values(), Total())
    row = project_rows.find(connection, project)
    opening = worth(before)
    return Statement(
        project=project,
        title=row.title if row is not None else "",
        month=span.name,
        from_ms=span.from_ms,
        until_ms=span.until_ms,
        made_ms=made_ms,
        closed=span.until_ms <= made_ms,
        opening_nano=opening,
        entries=_entries(moved),
        closing_nano=opening + worth(moved),
        seq=last.seq if last is not None else 0,
        head=last.seal if last is not None else b"",
        models=tuple(
            ModelTotal(model=model, tier=tier, total=totals[model, tier]) for model, tier in sorted(totals)
        ),
        lines=lines,
        used_nano=used.cost_nano,
        due_nano=used.cost_nano - used.credits_nano,
        unpaid_nano=used.unpaid_nano,
        checks=(
            _ledger_fits(connection, project),
            _charges_fit(moved, used),
            _receipts_fit(connection, project, span),
            _lines_fit(lines, used),
        ),
    )


def worth(moved: Iterable[Movement]) -> Nano:
    """Return by how much entries changed the credits that are there."""
    return sum(_signed(each) for each in moved)


def _signed(moved: Movement) -> Nano:
    sign = SIGNS[moved.kind]
    return moved.amount_nano * (sign if moved.kind != "adjust" or moved.paid_in else -sign)


def _entries(moved: Iterable[Movement]) -> tuple[Entries, ...]:
    found: dict[Kind, Entries] = {}
    for each in moved:
        if not SIGNS[each.kind]:
            continue
        had = found.get(each.kind, Entries(kind=each.kind, entries=0, amount_nano=0))
        found[each.kind] = Entries(
            kind=each.kind,
            entries=had.entries + each.entries,
            amount_nano=had.amount_nano + _signed(each),
        )
    return tuple(found[kind] for kind in SIGNS if kind in found)


# -- the proof -----------------------------------------------------------------------------------------------


def _ledger_fits(connection: Connection, project: str) -> Check:
    """Replay all entries; what they lead to is what the sums say, and what is stored."""
    balance = ledger.find(connection, project)
    report = audit.verify(ledger.all_transfers(connection, project), [balance] if balance.seq else [])
    if report.misfit is not None:
        return Check(name="ledger", sound=False, what=f"entry {report.misfit.seq} {report.misfit.what}")
    ever = worth(ledger_sums.movements(connection, project, 0, TIME_MS_MAX))
    return _equal(
        "ledger",
        f"all {report.transfers} entries replay to the stored balance",
        {"the sums of the entries make": ever, "the balance is": balance.posted_nano},
    )


def _charges_fit(moved: Iterable[Movement], used: Total) -> Check:
    charged = sum(each.amount_nano for each in moved if each.kind == "post")
    return _equal(
        "charges",
        f"usage and ledger agree on charges of ${decimal_dollars(charged)}",
        {"the ledger charged": charged, "the usage was charged": used.credits_nano},
    )


def _receipts_fit(connection: Connection, project: str, span: Span) -> Check:
    found = sums.mismatches(connection, project, span.from_ms, span.until_ms)
    words = [f"entry {each.entry}: {each.what}" for each in islice(found, MISMATCHES_TOLD)]
    since = sums.kept_from(connection, project)
    what = "each receipt says what its entry says"
    if since > span.from_ms:
        what += "; older ones are kept by the hour, and agree in sum"
    return Check(name="receipts", sound=not words, what="; ".join(words) or what)


def _lines_fit(lines: Iterable[UsageLine], used: Total) -> Check:
    billed = sum(line.cost_nano for line in lines)
    return _equal(
        "lines",
        f"the lines make ${decimal_dollars(billed)}",
        {"the lines make": billed, "paid and unpaid are": used.cost_nano + used.unpaid_nano},
    )


def _equal(name: str, what: str, amounts: Mapping[str, Nano]) -> Check:
    if len(set(amounts.values())) == 1:
        return Check(name=name, sound=True, what=what)
    words = ", ".join(f"{word} ${decimal_dollars(nano)}" for word, nano in amounts.items())
    return Check(name=name, sound=False, what=words)
