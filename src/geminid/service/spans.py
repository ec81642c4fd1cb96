"""Days and months of a time zone, as spans of milliseconds.

Unless it is said otherwise they are Pacific ones, as those of limits, budgets and Google's own bills are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from geminid.billing.periods import ZONE
from geminid.core.errors import NotFound
from geminid.service.acting import wrong

PACIFIC = ZONE
SPANS_MAX = 1_000
"""Days of one answer."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)


class Span(NamedTuple):
    """A day or month by its name, its first millisecond and the first after it."""

    name: str
    from_ms: int
    until_ms: int


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name in the time zone database; raises InvalidArgument."""
    try:
        return ZoneInfo(name or PACIFIC)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise wrong("zone", f"is no time zone such as UTC or Europe/Paris: {name[:64]!r}") from error


def month_of(name: str, zone: ZoneInfo) -> Span:
    """Return the month of ``2026-11``; raises NotFound for what is none."""
    match = _MONTH.fullmatch(name)
    if match is None:
        raise NotFound(f"There is no month {name[:32]!r}; one is spelled like 2026-11.")
    year, month = int(match[1]), int(match[2])
    following = date(year + month // 12, month % 12 + 1, 1)
    return Span(name, _midnight(date(year, month, 1), zone), _midnight(following, zone))


def name_of_month(time_ms: int, zone: ZoneInfo) -> str:
    """Return the name of the month that a moment belongs to."""
    return f"{_local(time_ms, zone):%Y-%m}"


def days(from_ms: int, until_ms: int, zone: ZoneInfo) -> Iterator[Span]:
    """Yield the days of a stretch of time, the first and the last cut to it."""
    day = _local(from_ms, zone).date()
    while (start := _midnight(day, zone)) < until_ms:
        end = _midnight(day + _DAY, zone)
        yield Span(day.isoformat(), max(start, from_ms), min(end, until_ms))
        day += _DAY


def day_of(time_ms: int, zone: ZoneInfo) -> str:
    """Return the name of the day that a moment belongs to."""
    return _local(time_ms, zone).date().isoformat()


def _local(time_ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + time_ms * _MS).astimezone(zone)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _MS
