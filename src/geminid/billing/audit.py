"""The ledger's proof: from the rows alone, every balance again.

Rows are replayed by the rules they were entered by; beyond these it is checked what only the whole
history shows: that a hold ends once, that a request is paid once, that no key is entered twice. The first
row that does not fit is named, and nothing after it is believed. Rows are read as they come; of a request
no more is kept in memory than its last attempt. It knows no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec

from geminid.billing.balance import Balance, misfit, moved
from geminid.billing.transfers import Transfer


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """What does not fit. seq and id are those of the first such transfer; of a balance that its transfers
    do not lead to, seq is its own and id is empty."""

    project: str
    seq: int
    id: str
    what: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was proved. The amounts are sums over all projects: ``posted_nano + house_nano`` is zero."""

    transfers: int = 0
    projects: int = 0
    open_holds: int = 0
    posted_nano: int = 0
    held_nano: int = 0
    house_nano: int = 0
    misfit: Misfit | None = None

    @property
    def sound(self) -> bool:
        """Whether everything fits."""
        return self.misfit is None


def verify(transfers: Iterable[Transfer], balances: Iterable[Balance]) -> Report:
    """Re-derive every balance and compare it with what is stored.

    transfers: those of each project together, by their numbers. balances: as stored, in any order.
    """
    stored = {balance.project: balance for balance in balances}
    report = Report()
    seen: set[str] = set()
    for project, rows in groupby(transfers, key=lambda row: row.project):
        if project in seen:
            return _with(report, _misfit(next(rows), "comes apart from the others of its project"))
        seen.add(project)
        replay = Replay(project)
        wrong = replay.run(rows) or replay.difference(stored.get(project))
        report = _counted(report, replay)
        if wrong is not None:
            return _with(report, wrong)
    for project in sorted(stored.keys() - seen):
        wrong = Replay(project).difference(stored[project])
        if wrong is not None:
            return _with(report, wrong)
    return report


class Replay:
    """One project's history, up to where it was read."""

    def __init__(self, project: str) -> None:
        self.balance = Balance(project=project)
        self.holds: dict[str, Transfer] = {}
        self._attempts: dict[str, int] = {}  # by request: its last attempt, negative once it is paid
        self._keys: set[str] = set()

    def run(self, rows: Iterable[Transfer]) -> Misfit | None:
        """Take rows until one does not fit; return what is wrong with it."""
        for row in rows:
            wrong = self._out_of_history(row) or misfit(self.balance, row, self.holds.get(row.pending))
            if wrong:
                return _misfit(row, wrong)
            self.balance = moved(self.balance, row, self.holds.pop(row.pending, None))
            self._note(row)
        return None

    def difference(self, stored: Balance | None) -> Misfit | None:
        """Return how a stored balance differs from the one that the rows lead to."""
        if stored is None:
            return self._unlike(self.balance, "is not stored")
        pairs = _fields(self.balance, stored)
        words = [f"{name} is stored as {kept}, its transfers make it {made}" for name, made, kept in pairs]
        return self._unlike(stored, "; ".join(words)) if words else None

    def _unlike(self, balance: Balance, what: str) -> Misfit:
        return Misfit(project=balance.project, seq=balance.seq, id="", what=f"the balance: {what}")

    def _out_of_history(self, row: Transfer) -> str:
        last = self._attempts.get(row.subject, 0)
        match row.kind:
            case "hold" if last < 0:
                return "holds for a request that was paid already"
            case "hold" if row.attempt != last + 1 or f"hold:{row.subject}/{last}" in self.holds:
                return f"is attempt {row.attempt} where {last} is the latest"
            case "refund" if last != -row.attempt:
                return "refunds what was never paid"
            case "top_up" | "grant" | "adjust" | "refund" if row.id in self._keys:
                return "was entered before"
        return ""

    def _note(self, row: Transfer) -> None:
        match row.kind:
            case "hold":
                self.holds[row.id] = row
                self._attempts[row.subject] = row.attempt
            case "post":
                self._attempts[row.subject] = -row.attempt
            case "top_up" | "grant" | "adjust" | "refund":
                self._keys.add(row.id)


def _fields(made: Balance, stored: Balance) -> Iterator[tuple[str, object, object]]:
    for name in Balance.__struct_fields__:
        one, other = getattr(made, name), getattr(stored, name)
        if one != other:
            yield name, _shown(one), _shown(other)


def _shown(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _misfit(row: Transfer, what: str) -> Misfit:
    return Misfit(project=row.project, seq=row.seq, id=row.id, what=what)


def _with(report: Report, wrong: Misfit) -> Report:
    return msgspec.structs.replace(report, misfit=wrong)


def _counted(report: Report, replay: Replay) -> Report:
    balance = replay.balance
    return Report(
        transfers=report.transfers + balance.seq,
        projects=report.projects + 1,
        open_holds=report.open_holds + balance.holds,
        posted_nano=report.posted_nano + balance.posted_nano,
        held_nano=report.held_nano + balance.held_nano,
        house_nano=report.house_nano + balance.house_nano,
    )
