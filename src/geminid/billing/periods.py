"""Days and months as Google's quotas have them: they turn at midnight in California.

Facts come from the time zone database, so a day has 23 or 25 hours where daylight saving begins or
ends. It knows no limits. Invariant: a clock that goes back never makes a count smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import msgspec

ZONE = "America/Los_Angeles"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

Span = tuple[int, int]
"""First millisecond of a period, and first after it."""


def day_at(time_ms: int) -> Span:
    """Return the day that a moment belongs to."""
    date = _local(time_ms).date()
    return _midnight(date.year, date.month, date.day), _midnight_after(date.year, date.month, date.day)


def month_at(time_ms: int) -> Span:
    """Return the month that a moment belongs to."""
    year, month = (date := _local(time_ms)).year, date.month
    return _midnight(year, month, 1), _midnight(year + month // 12, month % 12 + 1, 1)


@cache
def _zone() -> ZoneInfo:
    return ZoneInfo(ZONE)


def _local(time_ms: int) -> datetime:
    return (_EPOCH + time_ms * _MS).astimezone(_zone())


def _midnight(year: int, month: int, day: int) -> int:
    return (datetime(year, month, day, tzinfo=_zone()) - _EPOCH) // _MS


def _midnight_after(year: int, month: int, day: int) -> int:
    following = datetime(year, month, day) + timedelta(days=1)
    return _midnight(following.year, following.month, following.day)


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """What was used in a period and, in case the clock goes back, in the one before it."""

    start_ms: int = 0
    end_ms: int = 0
    used: int = 0
    before_start_ms: int = 0
    before_used: int = 0


def turned(tally: Tally, now_ms: int, span_at: Callable[[int], Span]) -> Tally:
    """Return the tally of the period that ``now_ms`` is in.

    A later period begins with nothing. Going back to an earlier one takes the count along, and finds that
    of the period before again: a clock that was a day ahead for a minute has given nobody a second day.
    """
    if tally.start_ms <= now_ms < tally.end_ms:
        return tally
    start_ms, end_ms = span_at(now_ms)
    if now_ms >= tally.end_ms:
        return Tally(start_ms, end_ms, 0, tally.start_ms, tally.used)
    again = tally.before_used if tally.before_start_ms == start_ms else 0
    return Tally(start_ms, end_ms, tally.used + again)


def used(tally: Tally, amount: int, time_ms: int) -> Tally:
    """Return the tally with ``amount`` used at a time in its period, or in an earlier one."""
    if time_ms >= tally.start_ms:
        return msgspec.structs.replace(tally, used=tally.used + amount)
    if time_ms >= tally.before_start_ms:
        return msgspec.structs.replace(tally, before_used=tally.before_used + amount)
    return tally
