"""What requests were, used and cost: one by one, summed, and row by row for export.

Everything is booked under the time at which it was settled, so that whoever reads on from where he stopped
misses nothing. It decides nothing about money. Invariant: sums stay what they were when old requests are
summed up by the hour; those have no labels any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from geminid.core.errors import NotFound
from geminid.service.acting import TIME_MS_MAX, NowMs, Page, now_ms, wrong
from geminid.service.projects import UnknownProject
from geminid.service.spans import SPANS_MAX, Span, days, zone_of
from geminid.store import projects as project_rows
from geminid.store import usage as rows
from geminid.store import usage_sums as sums
from geminid.store.database import Database
from geminid.store.usage import UsageRow
from geminid.store.usage_sums import FORGOTTEN, LABEL, Total

__all__ = ["FORGOTTEN", "Summary", "Total", "UnknownReceipt", "UsageBook", "UsageRow", "UsageSum", "known"]

EXPORT_ROWS = 1_000
LABEL_CHARACTERS_MAX = 256
COLUMNS: dict[str, tuple[str, ...]] = {
    "project": ("project",),
    "model": ("model",),
    "tier": ("tier",),
    "key": ("key_id", "key_name"),
    "outcome": ("outcome",),
}
"""What may be summed by beside ``day`` and ``label:NAME``, and the columns behind it."""


class UnknownReceipt(NotFound):
    """No request has this receipt (of the project, if one is named), or it is not kept by itself any more."""

    def __init__(self, receipt: str) -> None:
        super().__init__(f"There is no receipt {receipt[:64]} here.")


class UsageSum(NamedTuple):
    """One sum. ``by`` names what it is the sum of, column by column."""

    by: dict[str, str]
    total: Total


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Sums in their order, and all of them together.

    kept_from_ms: since when requests are kept one by one.
    """

    sums: tuple[UsageSum, ...]
    total: Total
    from_ms: int
    until_ms: int
    kept_from_ms: int


class UsageBook:
    """The usage of one database."""

    def __init__(self, database: Database, now_ms: NowMs = now_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    async def get(self, project: str, receipt: str) -> UsageRow:
        """Return one request by its receipt; raises UnknownReceipt."""
        found = await self._database.read(lambda c: rows.find(c, project, receipt))
        if found is None:
            raise UnknownReceipt(receipt)
        return found

    async def find(self, receipt: str) -> UsageRow:
        """Return one request of whichever project; raises UnknownReceipt."""
        found = await self._database.read(lambda c: rows.find_anywhere(c, receipt))
        if found is None:
            raise UnknownReceipt(receipt)
        return found

    async def page(
        self, project: str, size: int, after: str = "", from_ms: int = 0, until_ms: int = TIME_MS_MAX
    ) -> Page[UsageRow]:
        """Return ``size`` requests of a project at most, the first settled first; raises UnknownProject."""
        place = _place(after)

        def act(connection: Connection) -> tuple[UsageRow, ...]:
            known(connection, project)
            return rows.page(connection, project, from_ms, until_ms, place, size + 1)

        found = await self._database.read(act)
        shown = found[:size]
        return Page(shown, place_of(shown[-1]) if len(found) > size and shown else "")

    async def summary(
        self,
        project: str = "",
        from_ms: int = 0,
        until_ms: int | None = None,
        by: Sequence[str] = (),
        zone: str = "",
    ) -> Summary:
        """Return what was settled from one moment until another, by default until now.

        project: empty is all of them. by: names of :data:`COLUMNS`, ``day`` (of ``zone``), ``label:NAME``.
        Raises UnknownProject, InvalidArgument.
        """
        until = self._now_ms() + 1 if until_ms is None else until_ms
        columns, place = _columns(by), zone_of(zone)

        def act(connection: Connection) -> Summary:
            if project:
                known(connection, project)
            start = max(from_ms, sums.first_ms(connection, project, until))
            spans = [Span("", from_ms, until)]
            if "day" in by:
                spans = list(days(start, until, place)) if start < until else []
                if len(spans) > SPANS_MAX:
                    raise wrong("from", f"is more than {SPANS_MAX} days before the end")
            found = [
                _sum(span, columns, key, total)
                for span in spans
                for key, total in _sorted(sums.totals(connection, project, *span[1:], columns))
            ]
            return Summary(
                sums=tuple(found),
                total=sum((each.total for each in found), Total()),
                from_ms=from_ms,
                until_ms=until,
                kept_from_ms=sums.kept_from(connection, project),
            )

        return await self._database.read(act)

    async def export(
        self, project: str = "", from_ms: int = 0, until_ms: int | None = None
    ) -> AsyncIterator[tuple[UsageRow, ...]]:
        """Yield every request that is kept, project by project, some at a time; raises UnknownProject."""
        until = self._now_ms() + 1 if until_ms is None else until_ms
        names = (project,) if project else await self._database.read(lambda c: tuple(rows.projects(c)))
        if project:
            await self._database.read(lambda c: known(c, project))
        for name in names:
            after: tuple[int, str] | None = None
            page = partial(rows.page, project=name, from_ms=from_ms, until_ms=until, count=EXPORT_ROWS)
            while found := await self._database.read(partial(page, after=after)):
                yield found
                after = found[-1].settled_ms, found[-1].id


def _sum(span: Span, columns: Sequence[str], key: tuple[str, ...], total: Total) -> UsageSum:
    day = {"day": span.name} if span.name else {}
    return UsageSum({**day, **dict(zip(columns, key, strict=True))}, total)


def _sorted(found: dict[tuple[str, ...], Total]) -> list[tuple[tuple[str, ...], Total]]:
    return sorted(found.items(), key=lambda each: each[0])


def known(connection: Connection, project: str) -> None:
    """Raise UnknownProject unless the project is there or was: what it used stays when it is deleted."""
    if project_rows.find(connection, project) is None:
        raise UnknownProject(project)


def place_of(row: UsageRow) -> str:
    """Return the place of a row in a list, from which its next page begins."""
    return f"{row.settled_ms}.{row.id}"


def _place(after: str) -> tuple[int, str] | None:
    if not after:
        return None
    time, _, receipt = after.partition(".")
    if not time.isdecimal() or len(time) > 15 or not receipt:
        raise wrong("pageToken", "was not given by this server")
    return int(time), receipt


def _columns(by: Sequence[str]) -> tuple[str, ...]:
    columns: list[str] = []
    for name in by:
        if name.startswith(LABEL):
            label = name.removeprefix(LABEL)
            unsayable = not label.isprintable() or '"' in label or "\\" in label
            if not 0 < len(label) <= LABEL_CHARACTERS_MAX or unsayable:
                raise wrong("by", f"names no label: {name[:80]!r}")
            columns.append(name)
        elif name != "day":
            if name not in COLUMNS:
                known_names = ", ".join((*COLUMNS, "day", "label:NAME"))
                raise wrong("by", f"must be some of {known_names}, not {name[:80]!r}")
            columns += COLUMNS[name]
    return tuple(dict.fromkeys(columns))
