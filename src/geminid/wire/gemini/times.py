"""Timestamps and durations as protobuf's JSON spells them, to the nanosecond.

It knows no clock. Invariant: what is written is read back as the same nanosecond.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

NS = 1_000_000_000
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def read_duration(text: str) -> int:
    """Return the nanoseconds of ``3.5s``; raises ValueError for what is none."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("Illegal duration format; duration must end with 's'")
    ns = int(found[2]) * NS + _fraction(found[3])
    return -ns if found[1] else ns


def read_time(text: str) -> int:
    """Return the nanoseconds since 1970 of ``2026-11-25T12:00:00.5Z``; raises ValueError for what is none."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(
            "Illegal timestamp format; timestamps must end with 'Z' or have a valid timezone offset."
        )
    offset = "+00:00" if found[4] in "Zz" else found[4]
    whole = datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}")
    return round(whole.timestamp()) * NS + _fraction(found[3])


def write_time(ns: int) -> str:
    """Return a time as ``2026-11-25T12:00:00.123456789Z``, with 0, 3, 6 or 9 decimals, as few as do."""
    seconds, rest = divmod(ns, NS)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{rest:09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{whole}.{digits}Z" if digits else f"{whole}Z"


def _fraction(digits: str | None) -> int:
    return int((digits or "0").ljust(9, "0"))
