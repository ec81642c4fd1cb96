"""Kinds of fields that messages share: money as decimal dollars, times as RFC 3339, both without floats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.money import Nano, decimal_dollars, parse_dollars

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Dollars = Annotated[
    str,
    Meta(
        description="US dollars as an exact decimal, at most nine places: `12.5`, `0.000000025`.",
        pattern=r"^-?[0-9]{1,10}(\.[0-9]{1,9})?$",
        examples=["12.5"],
    ),
]
Time = Annotated[datetime, Meta(description="RFC 3339, with its offset from UTC.", tz=True)]
Name = Annotated[str, Meta(description="A name for people.", min_length=1, max_length=128)]
Title = Annotated[str, Meta(description="A title for people.", max_length=128)]
Note = Annotated[str, Meta(description="Why, in words.", max_length=500)]
EntryKey = Annotated[
    str,
    Meta(description="Your own name for this entry, by which it happens once.", min_length=1, max_length=100),
]


def nano_of(dollars: str, field: str) -> Nano:
    """Return nano-dollars; raises InvalidArgument that names the field."""
    try:
        return parse_dollars(dollars)
    except InvalidArgument as error:
        raise InvalidArgument(
            f"{field}: {error.message}", violations=(FieldViolation(error.message, field),)
        ) from error


def dollars_of(nano: Nano) -> str:
    """Return what a field of type Dollars says."""
    return decimal_dollars(nano)


def ms_of(time: datetime) -> int:
    """Return milliseconds since 1970; a time before that is negative."""
    return (time - EPOCH) // timedelta(milliseconds=1)


def time_of(ms: int) -> datetime:
    """Return the time of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=ms)


def maybe_ms(time: datetime | None) -> int | None:
    """Return milliseconds since 1970, None for None."""
    return None if time is None else ms_of(time)


def maybe_time(ms: int | None) -> datetime | None:
    """Return the time of milliseconds since 1970, None for None."""
    return None if ms is None else time_of(ms)
