"""Sums over usage ⇄ rows: of single requests, and of hours whose single requests are not kept any more.

Rows that are removed are added to their hours in the same transaction, so a sum over any time stays what it
was. Hours keep no labels. Invariant: each request is in exactly one of the two, as a row or in an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Table,
    case,
    cast,
    func,
    literal_column,
    select,
)

from geminid.billing.rating import CostLine, Item
from geminid.core.money import Nano
from geminid.core.price import ModalityClass
from geminid.store.tables import transfers, usage, usage_hour_lines, usage_hours
from geminid.store.usage import MODALITIES, UsageRow, UsageVerb, page, projects

HOUR_MS = 3_600_000
PAGE_ROWS = 1_000
TOKENS = (
    *("prompt", "cached", "candidates", "thoughts"),
    *MODALITIES,
    *(f"cached_{kind}" for kind in MODALITIES[1:]),
)
"""What is counted of tokens, in the order of the columns."""

Dimension = str
"""``project``, ``model``, ``tier``, ``key_id``, ``key_name``, ``outcome``, or ``label:NAME``."""
LABEL = "label:"
STORAGE: UsageVerb = "storage"
FORGOTTEN = "?"
"""The value of every label of what is kept by the hour, and of those that a database cannot say."""


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What some requests were together.

    requests: how many, to which the keeping of cached contents does not count. unpriced: those of them that
    have no price. tokens: by the words of :data:`TOKENS`. cost_nano: what is paid for them, credits_nano: the
    part that credits paid, unpaid_nano: what nobody pays, saved_nano: what cached tokens saved.
    """

    requests: int = 0
    unpriced: int = 0
    tokens: Mapping[str, int] = {}
    cost_nano: Nano = 0
    credits_nano: Nano = 0
    unpaid_nano: Nano = 0
    saved_nano: Nano = 0

    def __add__(self, other: Total) -> Total:
        return Total(
            requests=self.requests + other.requests,
            unpriced=self.unpriced + other.unpriced,
            tokens={word: self.tokens.get(word, 0) + other.tokens.get(word, 0) for word in TOKENS},
            cost_nano=self.cost_nano + other.cost_nano,
            credits_nano=self.credits_nano + other.credits_nano,
            unpaid_nano=self.unpaid_nano + other.unpaid_nano,
            saved_nano=self.saved_nano + other.saved_nano,
        )


class LineKey(NamedTuple):
    """Which lines of bills belong together."""

    model: str
    tier: str
    item: Item
    modality: ModalityClass
    nano_per_million: Nano


class LineSum(NamedTuple):
    """Such lines together: quantities, and costs that were rounded one by one."""

    quantity: int = 0
    cost_nano: Nano = 0

    def plus(self, quantity: int, cost_nano: Nano) -> LineSum:
        """Return the sum with one more line."""
        return LineSum(self.quantity + quantity, self.cost_nano + cost_nano)


class Mismatch(NamedTuple):
    """A row of usage, or an entry that charges, without its fellow. ``entry`` is the entry's number."""

    entry: int
    what: str


_SUMMED = ("requests", "unpriced", *(f"{word}_tokens" for word in TOKENS))
_AMOUNTS = ("cost_nano", "credits_nano", "unpaid_nano", "saved_nano")


def totals(
    connection: Connection, project: str, from_ms: int, until_ms: int, by: Sequence[Dimension] = ()
) -> dict[tuple[str, ...], Total]:
    """Return what was settled in a span of time, by the values of ``by``.

    project: empty is all of them. Hours are counted to the span in which they begin.
    """
    sums: dict[tuple[str, ...], Total] = {}
    for table, time, figures in ((usage, usage.c.settled_ms, _row_figures()), (usage_hours, _HOUR, _HOURS)):
        groups = [_group(connection, table, name) for name in by]
        wanted = select(*groups, *(func.coalesce(func.sum(each), 0) for each in figures))
        places: list[Any] = [literal_column(str(place)) for place in range(1, len(by) + 1)]
        wanted = wanted.where(time >= from_ms, time < until_ms).group_by(*places)
        for name in (project,) if project else projects(connection, table):  # as the index is ordered
            for row in connection.execute(wanted.where(table.c.project == name)):
                _add(sums, tuple(row[: len(by)]), tuple(map(int, row[len(by) :])))
    return {key: total for key, total in sums.items() if total.requests or total.cost_nano}


def lines(connection: Connection, project: str, from_ms: int, until_ms: int) -> dict[LineKey, LineSum]:
    """Return the lines of all bills of a project that were settled in a span of time, summed."""
    sums: dict[LineKey, LineSum] = {}
    for row in each_row(connection, project, from_ms, until_ms):
        for line in row.lines:
            _count(sums, _line_key(row, line), line.quantity, line.cost_nano)
    columns = usage_hour_lines.c
    wanted = (
        select(*(columns[name] for name in LineKey._fields), columns.quantity, columns.cost_nano)
        .where(columns.project == project)
        .where(columns.hour_ms >= from_ms, columns.hour_ms < until_ms)
    )
    for *key, quantity, cost in connection.execute(wanted):
        _count(sums, LineKey(*key), quantity, cost)
    return sums


def each_row(connection: Connection, project: str, from_ms: int, until_ms: int) -> Iterator[UsageRow]:
    """Yield every row of a project that was settled in a span of time, a page of them in memory."""
    after = None
    while rows := page(connection, project, from_ms, until_ms, after, PAGE_ROWS):
        yield from rows
        after = rows[-1].settled_ms, rows[-1].id


def first_ms(connection: Connection, project: str, unless_ms: int) -> int:
    """Return when the first request was settled; ``unless_ms`` when there is none."""
    found = []
    for table, time in ((usage, usage.c.settled_ms), (usage_hours, _HOUR)):
        for name in (project,) if project else projects(connection, table):
            first = select(func.min(time)).where(table.c.project == name)
            found.append(connection.execute(first).scalar())
    return min((int(each) for each in found if each is not None), default=unless_ms)


def kept_from(connection: Connection, project: str) -> int:
    """Return the time since which single requests are kept: the end of the last hour that is summed up."""
    last = select(func.max(usage_hours.c.hour_ms))
    found = connection.execute(last.where(usage_hours.c.project == project) if project else last).scalar()
    return 0 if found is None else int(found) + HOUR_MS


def add_to_hours(connection: Connection, rows: Iterable[UsageRow]) -> None:
    """Add requests to their hours; it is for the caller to remove them in the same transaction."""
    hours: dict[tuple[Any, ...], tuple[int, ...]] = {}
    bills: dict[tuple[Any, ...], LineSum] = {}
    for row in rows:
        hour = row.project, row.settled_ms // HOUR_MS * HOUR_MS, row.model, row.tier
        key = (*hour, row.key_id, row.key_name, row.outcome)
        figures = _figures(row)
        hours[key] = tuple(map(sum, zip(hours[key], figures, strict=True))) if key in hours else figures
        for line in row.lines:
            _count(bills, (*hour, *_line_key(row, line)[2:]), line.quantity, line.cost_nano)
    _merge(connection, usage_hours, [(*key, *figures) for key, figures in hours.items()])
    _merge(connection, usage_hour_lines, [(*key, *summed) for key, summed in bills.items()])


def mismatches(connection: Connection, project: str, from_ms: int, until_ms: int) -> Iterator[Mismatch]:
    """Yield the rows of a span of time that do not say what the entry says that charged them.

    Rows that are kept by the hour are not looked at one by one any more.
    """
    same = (transfers.c.project == usage.c.project) & (transfers.c.seq == usage.c.entry)
    wanted = (
        select(usage.c.id, usage.c.request, usage.c.entry, usage.c.cost_nano, *_ENTRY)
        .select_from(usage.outerjoin(transfers, same))
        .where(usage.c.entry.is_not(None), usage.c.project == project)
        .where(usage.c.settled_ms >= from_ms, usage.c.settled_ms < until_ms)
    )
    for receipt, request, entry, cost, kind, subject, amount in connection.execute(wanted):
        if (kind, subject, amount) != ("post", request, cost):
            told = f"{kind} {subject}, {amount}" if kind else "nothing"
            yield Mismatch(entry, f"receipt {receipt} says post {request}, {cost}; the ledger says {told}")


_ENTRY = (transfers.c.kind, transfers.c.subject, transfers.c.amount_nano)
_HOUR = usage_hours.c.hour_ms
_HOURS: tuple[ColumnElement[Any], ...] = tuple(usage_hours.c[name] for name in (*_SUMMED, *_AMOUNTS))


def _row_figures() -> tuple[ColumnElement[Any], ...]:
    """What a row adds to the sums, in the order of the columns of hours."""
    cost = func.coalesce(usage.c.cost_nano, 0)
    return (
        case((usage.c.verb == STORAGE, 0), else_=1),
        case((usage.c.cost_nano.is_(None) & (usage.c.verb != STORAGE), 1), else_=0),
        *(usage.c[f"{word}_tokens"] for word in TOKENS),
        cost,
        case((usage.c.entry.is_not(None), cost), else_=0),
        usage.c.unpaid_nano,
        usage.c.saved_nano,
    )


def _figures(row: UsageRow) -> tuple[int, ...]:
    tokens, cost = row.usage, row.cost_nano or 0
    text = tokens.prompt - sum(tokens.media.values())
    media = (tokens.media.get(kind, 0) for kind in MODALITIES[1:])
    cached = (tokens.cached_media.get(kind, 0) for kind in MODALITIES[1:])
    counts = (tokens.prompt, tokens.cached, tokens.candidates, tokens.thoughts, text, *media, *cached)
    paid, one = cost if row.entry is not None else 0, int(row.verb != STORAGE)
    return (one, one * (row.cost_nano is None), *counts, cost, paid, row.unpaid_nano, row.saved_nano)


def _add(sums: dict[tuple[str, ...], Total], key: tuple[str, ...], figures: tuple[int, ...]) -> None:
    requests, unpriced, *rest = figures
    counts, (cost, credits_, unpaid, saved) = rest[: len(TOKENS)], rest[len(TOKENS) :]
    more = Total(
        requests=requests,
        unpriced=unpriced,
        tokens=dict(zip(TOKENS, counts, strict=True)),
        cost_nano=cost,
        credits_nano=credits_,
        unpaid_nano=unpaid,
        saved_nano=saved,
    )
    sums[key] = sums[key] + more if key in sums else more


def _count(sums: dict[Any, LineSum], key: tuple[Any, ...], quantity: int, cost_nano: Nano) -> None:
    sums[key] = sums.get(key, LineSum()).plus(quantity, cost_nano)


def _line_key(row: UsageRow, line: CostLine) -> LineKey:
    return LineKey(row.model, row.tier, line.item, line.modality, line.nano_per_million)


def _group(connection: Connection, table: Table, name: Dimension) -> ColumnElement[Any]:
    """Return what rows are grouped by; a label that a request does not have is empty."""
    if not name.startswith(LABEL):
        return table.c[name]
    if table is usage_hours:
        return literal_column(f"'{FORGOTTEN}'")
    label, sqlite = name.removeprefix(LABEL), connection.dialect.name == "sqlite"
    if sqlite:
        said = func.json_extract(usage.c.labels, f'$."{label}"')
    else:
        said = func.json_extract_path_text(cast(usage.c.labels, JSON), label)
    place = (func.instr if sqlite else func.strpos)(usage.c.labels, "\\u0000")
    return case((place > 0, FORGOTTEN), else_=func.coalesce(said, ""))  # NUL is what no database can say


def _merge(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows; where there is one with the same key, add the other columns to it."""
    if not rows:
        return
    insert = _upsert(connection)(table)
    keys = [column.name for column in table.primary_key.columns]
    names = [column.name for column in table.columns]
    added = {name: table.c[name] + insert.excluded[name] for name in names if name not in keys}
    act = insert.on_conflict_do_update(index_elements=keys, set_=added)
    # in one order everywhere, so that two who do this at once never wait for each other
    connection.execute(act, [dict(zip(names, row, strict=True)) for row in sorted(rows)])


def _upsert(connection: Connection) -> Callable[[Table], Any]:
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert
    from sqlalchemy.dialects.postgresql import insert as postgres_insert

    return postgres_insert
