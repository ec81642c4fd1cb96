"""What must hold of a history when it is over, whatever was done to it: from the rows and the journals."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection

from geminid.billing import audit
from geminid.billing.rating import rate, total
from geminid.billing.transfers import Transfer
from geminid.core.usage import Usage
from geminid.service.charge import is_charged
from geminid.store import ledger as ledger_rows
from geminid.store import quotas, usage
from geminid.store.usage import UsageRow
from sim.plan import MINUTE_MS, NOON_MS, Account, Manner
from sim.worker import Prices

PRICES = Prices()


class Told:
    """What the journals say of one project."""

    def __init__(self, account: Account, lines: Iterable[list[Any]]) -> None:
        self.asked: dict[str, list[Any]] = {}
        self.models: dict[str, str] = {}
        self.prompts: dict[str, int] = {}
        self.admitted: dict[str, list[Any]] = {}
        self.made: dict[str, Usage] = {}
        self.answered: dict[str, int | None] = {}
        self.ended: dict[str, str] = {}
        self.entered: set[str] = set()
        self.left: dict[str, list[str]] = {}
        self.revoked_s: float | None = None
        for word, subject, *said in lines:
            if word == "asked" and said[0] == account.id:
                self.asked[subject] = said
                self.models[said[1]] = said[2]
                self.prompts[said[1]] = said[3]
            elif word == "entered" and subject == account.id:
                self.entered.add(said[0])
            elif word == "revoked" and subject == account.id:
                self.revoked_s = min(said[0], self.revoked_s or said[0])
            elif word == "left" and said[0]:
                self.left[subject] = said[0]
            elif subject in self.asked:
                if word == "engine":
                    self.made[subject] = msgspec.convert(said[0], Usage)
                elif word in ("admitted", "answered", "ended"):
                    getattr(self, word)[subject] = said[0]


def prove(
    connection: Connection,
    account: Account,
    lines: Iterable[list[Any]],
    where: str,
    manner: Manner,
    whole: bool,
    figures: Any,
) -> None:
    """Raise AssertionError, with ``where``, unless everything holds. whole: no connection was cut."""
    told = Told(account, lines)
    transfers = list(ledger_rows.all_transfers(connection, account.id))
    balance = ledger_rows.find(connection, account.id)
    rows = {row.id: row for row in usage.page(connection, account.id, 0, NOON_MS * 2, None, 100_000)}

    report = audit.verify(transfers, [balance])
    assert report.sound, f"{where}: {report.misfit}"
    assert balance.posted_nano + balance.house_nano == 0, f"{where}: debits are not credits: {balance}"
    assert balance.holds == balance.held_nano == 0, f"{where}: is still held: {balance}"
    assert not ledger_rows.open_holds(connection, account.id), f"{where}: open holds"
    states = quotas.of_project(connection, account.id)
    running = {model: state.running for model, state in states.items() if state.running}
    assert not running, f"{where}: still counted as running: {running}"

    for row in rows.values():
        _prove_row(row, told, where)
    _prove_payments(account, transfers, rows.values(), where)
    _prove_promises(account, told, rows, transfers, where, whole)
    if manner == "together":
        _prove_rates(account, told, transfers, rows.values(), where)
    if manner != "wild":
        _prove_spending(account, rows.values(), where)
    _prove_windows(account, told, where)
    _prove_concurrency(account, told, transfers, where)

    figures.requests += len(told.asked)
    figures.admitted += len(told.admitted)
    figures.refused += sum(word == "RESOURCE_EXHAUSTED" for word in told.ended.values())
    figures.rows += len(rows)
    figures.transfers += len(transfers)
    figures.voided += sum(each.kind == "void" and each.note.startswith("its ") for each in transfers)
    figures.repeated += sum(word in ("ALREADY_EXISTS", "ABORTED") for word in told.ended.values())


def _prove_row(row: UsageRow, told: Told, where: str) -> None:
    """What the engine made is what the row says, and what the row says is what it costs."""
    where = f"{where}, request {row.id} ({row.outcome})"
    assert row.id in told.asked, f"{where}: nobody asked"
    made = told.made.get(row.id)
    assert made is not None, f"{where}: nothing was made of it"
    if row.id not in told.admitted and not row.usage.prompt:  # it left before it knew that it was admitted
        made = Usage(candidates=made.candidates, thoughts=made.thoughts)
    assert row.usage == made, f"{where}: {row.usage} is not what was made, {made}"
    sheet = PRICES.sheet((row.model,), row.tier, row.created_ms)
    if sheet is None:
        assert row.cost_nano is None, f"{where}: has a cost without a price"
        return
    due = rate(made, sheet).total_nano if is_charged(row.outcome) else 0
    assert row.cost_nano + row.unpaid_nano == due == total(row.lines), f"{where}: {due} is due, {row}"


def _prove_payments(
    account: Account, transfers: list[Transfer], rows: Iterable[UsageRow], where: str
) -> None:
    """Each request is paid once, with what its rows say."""
    posts = Counter[str]()
    for each in transfers:
        if each.kind == "post":
            assert each.subject not in posts, f"{where}: {each.subject} was paid twice"
            posts[each.subject] += each.amount_nano
    costs, charged = Counter[str](), Counter[str]()
    for row in rows:
        if account.mode == "prepaid":
            costs[row.request] += row.cost_nano or 0
            charged[row.request] += bool(row.cost_nano)
    assert +posts == +costs, (
        f"{where}: posted {posts - costs} and not charged, charged {costs - posts} and not posted"
    )
    assert not charged or max(charged.values()) <= 1, f"{where}: charged twice: {charged.most_common(1)}"


def _prove_promises(
    account: Account,
    told: Told,
    rows: dict[str, UsageRow],
    transfers: list[Transfer],
    where: str,
    whole: bool,
) -> None:
    """What a process had been told is so, even if it was killed a moment later."""
    for receipt, cost_nano in told.answered.items():
        row = rows.get(receipt)
        assert row is not None, f"{where}: {receipt} was answered and is not there"
        assert row.outcome in ("finished", "empty"), f"{where}: {receipt} was answered and is {row.outcome}"
        assert row.cost_nano == cost_nano, f"{where}: {receipt} was told {cost_nano} and pays {row.cost_nano}"
    for receipt in (told.admitted.keys() & told.ended.keys()) if whole else ():
        assert receipt in rows, f"{where}: {receipt} ended as {told.ended[receipt]} without a row"
    assert not told.left, f"{where}: left by processes that had ended everything: {told.left}"
    missing = told.entered - {each.id for each in transfers}
    assert not missing, f"{where}: entered and not there: {missing}"
    if told.revoked_s is not None:
        late = [each for each in told.admitted if told.asked[each][4] > told.revoked_s]
        assert not late, f"{where}: admitted with a key that was revoked: {late}"


def _prove_rates(
    account: Account, told: Told, transfers: list[Transfer], rows: Iterable[UsageRow], where: str
) -> None:
    """No minute and no day has more than the limits: counted from the holds, also those of the dead."""
    own = account.limits.models[account.limited]
    unread = {row.request for row in rows if not row.usage.prompt}
    holds = [
        each for each in transfers if each.kind == "hold" and told.models[each.subject] == account.limited
    ]
    times = [each.time_ms for each in holds]
    tokens = [0 if each.subject in unread else told.prompts[each.subject] for each in holds]
    if isinstance(own.rpm, int):
        assert _most(times, [1] * len(times)) <= own.rpm, f"{where}: more than {own.rpm} in a minute: {times}"
    if isinstance(own.tpm, int):
        assert _most(times, tokens) <= own.tpm, (
            f"{where}: more than {own.tpm} tokens in a minute: {times}, {tokens}"
        )
    if isinstance(own.rpd, int):
        assert len(times) <= own.rpd, f"{where}: {len(times)} in a day of {own.rpd}"


def _prove_spending(account: Account, rows: Iterable[UsageRow], where: str) -> None:
    most = account.limits.spending.day_nano
    if isinstance(most, int):
        spent = sum(row.cost_nano or 0 for row in rows)
        assert spent <= most, f"{where}: spent {spent} in a day of {most}"


def _prove_windows(account: Account, told: Told, where: str) -> None:
    """In the time of the counts themselves, which never goes back, no minute has more, whatever the clocks."""
    rpm = account.limits.models[account.limited].rpm
    times = defaultdict(list)
    for tickets in told.admitted.values():
        for model, time_ms, moves in tickets:
            if model == account.limited:
                times[moves].append(time_ms)
    for found in times.values():
        found.sort()
        if isinstance(rpm, int):
            assert _most(found, [1] * len(found)) <= rpm, f"{where}: more than {rpm} in a minute: {found}"


def _prove_concurrency(account: Account, told: Told, transfers: list[Transfer], where: str) -> None:
    """At no entry of the ledger are more holds of the limited model open than may run."""
    most = account.limits.models[account.limited].concurrent
    if not isinstance(most, int):
        return
    running = 0
    for each in transfers:
        if told.models.get(each.subject) == account.limited:
            running += {"hold": 1, "post": -1, "void": -1}.get(each.kind, 0)
            assert running <= most, f"{where}: {running} run at once where {most} may, at {each.seq}"


def _most(times: list[int], weights: list[int]) -> int:
    """The most weight in any minute; times ascend."""
    most = inside = first = 0
    for last, time_ms in enumerate(times):
        inside += weights[last]
        while times[first] <= time_ms - MINUTE_MS:
            inside -= weights[first]
            first += 1
        most = max(most, inside)
    return most
