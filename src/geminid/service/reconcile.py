"""Reconciliation: an upstream's invoice against our own usage, by day and model.

An invoice is a CSV file; which column means what is the operator's to say. Figures are compared one by one,
amounts exactly: they are decimals and never floats. Invariant: what stands on one side only is a difference,
and a line that cannot be read stops everything; nothing is left out silently.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from geminid.core.errors import InvalidArgument
from geminid.core.money import NANO_PER_DOLLAR
from geminid.service.acting import wrong
from geminid.service.spans import day_of
from geminid.service.usage import UsageBook

Figure = Literal["requests", "input", "fresh", "cached", "output", "amount"]
"""``input``: tokens read, ``cached`` ones among them; ``fresh``: those that are not cached;
``output``: tokens written, thoughts among them; ``amount``: dollars."""

FIGURES: tuple[Figure, ...] = get_args(Figure)
COLUMNS = ("day", "model", *FIGURES)
PPM = 1_000_000
DAY_CHARACTERS_MAX = 40
_EXACT = Context(prec=60)

Figures = dict[Figure, Decimal]
Key = tuple[str, str]
"""A day and a model."""


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """How an invoice is read.

    columns: the file's own name of ``day`` and of each figure that it has, and of ``model`` if it has one.
    models: our names by theirs. day_format: as of ``strptime``; empty is ISO 8601, of which times of day
    with an offset are taken to the zone. model: of every line, in a file without such a column.
    """

    columns: Mapping[str, str]
    models: Mapping[str, str] = {}
    day_format: str = ""
    model: str = ""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What is compared."""
        return tuple(each for each in FIGURES if each in self.columns)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one day and model that differs by more than is tolerated; theirs minus ours."""

    day: str
    model: str
    figure: Figure
    ours: Decimal
    theirs: Decimal

    @property
    def by(self) -> Decimal:
        """Theirs minus ours."""
        return self.theirs - self.ours


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. compared: pairs of day and model; totals: (ours, theirs) of each figure."""

    from_ms: int
    until_ms: int
    compared: int
    totals: dict[Figure, tuple[Decimal, Decimal]]
    differences: tuple[Difference, ...]

    @property
    def sound(self) -> bool:
        """Whether there is no difference."""
        return not self.differences


class Reconciler:
    """Compares invoices with one database's usage."""

    def __init__(self, usage: UsageBook) -> None:
        self._usage = usage

    async def reconcile(
        self,
        lines: Iterable[str],
        mapped: Mapped,
        from_ms: int,
        until_ms: int,
        *,
        zone: ZoneInfo,
        project: str = "",
        tolerance_ppm: int = 0,
    ) -> Reconciliation:
        """Compare an invoice's lines with what was settled in a span of time.

        tolerance_ppm: parts in a million of the larger of both figures that do not count as a difference.
        Raises InvalidArgument for a file that cannot be read as it is mapped, and for a day beyond the span.
        """
        theirs = summed(read_invoice(lines, mapped, zone))
        ours = await self._ours(from_ms, until_ms, zone, project)
        _refuse_other_days(theirs, from_ms, until_ms, zone)
        return compared(ours, theirs, mapped.figures, from_ms, until_ms, tolerance_ppm)

    async def _ours(self, from_ms: int, until_ms: int, zone: ZoneInfo, project: str) -> dict[Key, Figures]:
        summary = await self._usage.summary(project, from_ms, until_ms, ("day", "model"), zone.key)
        return {
            (each.by["day"], each.by["model"]): {
                "requests": Decimal(each.total.requests),
                "input": Decimal(each.total.tokens["prompt"]),
                "fresh": Decimal(each.total.tokens["prompt"] - each.total.tokens["cached"]),
                "cached": Decimal(each.total.tokens["cached"]),
                "output": Decimal(each.total.tokens["candidates"] + each.total.tokens["thoughts"]),
                "amount": _EXACT.divide(Decimal(each.total.cost_nano), Decimal(NANO_PER_DOLLAR)),
            }
            for each in summary.sums
        }


def read_invoice(lines: Iterable[str], mapped: Mapped, zone: ZoneInfo) -> Iterator[tuple[Key, Figures]]:
    """Yield the day, model and figures of each line; raises InvalidArgument with the line's number."""
    _refuse_incomplete(mapped)
    reader = csv.DictReader(_without_mark(lines), strict=True)
    try:
        missing = [name for name in mapped.columns.values() if name not in (reader.fieldnames or ())]
        if missing:
            there = ", ".join(reader.fieldnames or ()) or "none"
            raise InvalidArgument(f"The invoice has no column {missing[0]!r}; it has: {there}.")
        for row in reader:
            yield _line(row, mapped, zone, reader.line_num)
    except csv.Error as error:
        raise InvalidArgument(f"Line {reader.line_num} of the invoice is no CSV: {error}.") from error


def summed(lines: Iterable[tuple[Key, Figures]]) -> dict[Key, Figures]:
    """Return the lines of each day and model together."""
    sums: dict[Key, Figures] = {}
    for key, figures in lines:
        had = sums.setdefault(key, {})
        for figure, value in figures.items():
            had[figure] = _EXACT.add(had.get(figure, Decimal()), value)
    return sums


def compared(
    ours: Mapping[Key, Figures],
    theirs: Mapping[Key, Figures],
    figures: Iterable[Figure],
    from_ms: int,
    until_ms: int,
    tolerance_ppm: int = 0,
) -> Reconciliation:
    """Compare figure by figure; what is missing on a side is nothing there."""
    keys, names = sorted({*ours, *theirs}), tuple(figures)
    differences = []
    totals: dict[Figure, tuple[Decimal, Decimal]] = {name: (Decimal(), Decimal()) for name in names}
    for day, model in keys:
        for name in names:
            one = ours.get((day, model), {}).get(name, Decimal())
            other = theirs.get((day, model), {}).get(name, Decimal())
            totals[name] = totals[name][0] + one, totals[name][1] + other
            if abs(one - other) * PPM > max(abs(one), abs(other)) * tolerance_ppm:
                differences.append(Difference(day=day, model=model, figure=name, ours=one, theirs=other))
    return Reconciliation(
        from_ms=from_ms,
        until_ms=until_ms,
        compared=len(keys),
        totals=totals,
        differences=tuple(differences),
    )


def _line(row: Mapping[str, str | None], mapped: Mapped, zone: ZoneInfo, number: int) -> tuple[Key, Figures]:
    def said(name: str) -> str:
        value = row[mapped.columns[name]]
        if value is None:
            raise InvalidArgument(f"Line {number} of the invoice is too short.")
        return value.strip()

    model = said("model") if "model" in mapped.columns else mapped.model
    figures = {name: _number(said(name), number, mapped.columns[name]) for name in mapped.figures}
    return (_day(said("day"), mapped.day_format, zone, number), mapped.models.get(model, model)), figures


def _number(text: str, number: int, column: str) -> Decimal:
    if not text:
        return Decimal()
    try:
        value = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > 30:
        raise InvalidArgument(f"Line {number} of the invoice: {column} is no number: {text[:40]!r}.")
    return value


def _day(text: str, form: str, zone: ZoneInfo, number: int) -> str:
    try:
        if len(text) > DAY_CHARACTERS_MAX:
            raise ValueError(text)
        time = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument(f"Line {number} of the invoice: no day: {text[:40]!r}.") from error
    return (time.astimezone(zone) if time.tzinfo is not None else time).date().isoformat()


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    """Some programs begin a file with a byte order mark."""
    for place, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if not place else line


def _refuse_incomplete(mapped: Mapped) -> None:
    strangers = [name for name in mapped.columns if name not in COLUMNS]
    if strangers:
        raise wrong("columns", f"must be some of {', '.join(COLUMNS)}, not {strangers[0]}")
    if "day" not in mapped.columns or not mapped.figures:
        raise wrong("columns", f"must name that of the day and of one of {', '.join(FIGURES)} at least")
    if ("model" in mapped.columns) == bool(mapped.model):
        raise wrong("columns", "must name that of the model, or the one model of all lines be given")


def _refuse_other_days(theirs: Iterable[Key], from_ms: int, until_ms: int, zone: ZoneInfo) -> None:
    """A day that is not looked at on our side would only seem to differ."""
    first, last = day_of(from_ms, zone), day_of(until_ms - 1, zone)
    for day, _ in theirs:
        if not first <= day <= last:
            raise InvalidArgument(f"The invoice has a line of {day}, and {first} to {last} is compared.")
