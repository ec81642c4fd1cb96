"""What acts of administration share: the time in milliseconds, pages of lists, names, and their trace.

It decides nothing. Invariant: a change and its trace are one transaction.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection

from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.store import audit
from geminid.store.audit import Entry

T = TypeVar("T")
NowMs = Callable[[], int]
"""What time it is, in milliseconds since 1970."""

PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
TIME_MS_MAX = 253_402_300_799_999
"""The end of the year 9999, the last that can be written."""
TITLE_CHARACTERS_MAX = 128

_ID = re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)


class Page(NamedTuple, Generic[T]):
    """Some of a list, and after which place the next page begins if there is one."""

    items: tuple[T, ...]
    next: str


def now_ms() -> int:
    """Return the machine's time."""
    return time.time_ns() // 1_000_000


def paged(found: Sequence[T], size: int, place_of: Callable[[T], str]) -> Page[T]:
    """Return the page that ``found``, of one more than ``size``, begins with."""
    shown = tuple(found[:size])
    return Page(shown, place_of(shown[-1]) if len(found) > size and shown else "")


def trace(
    connection: Connection,
    time_ms: int,
    actor: str,
    action: str,
    subject: str,
    project: str = "",
    **details: Any,
) -> None:
    """Write down a change, in its own transaction."""
    said = {name: msgspec.to_builtins(value) for name, value in details.items()}
    entry = Entry(time_ms=time_ms, actor=actor, action=action, subject=subject, project=project, details=said)
    audit.add(connection, entry)


def check_id(text: str) -> None:
    """Raise InvalidArgument unless ``text`` may be the id of a project."""
    if not _ID.fullmatch(text):
        raise wrong("id", "must be 3 to 63 lower case letters, digits and '-', beginning with a letter")


def check_title(text: str, field: str = "name", *, empty: bool = False) -> None:
    """Raise InvalidArgument unless ``text`` may be a name for people."""
    if not text.strip() and not empty:
        raise wrong(field, "must not be empty")
    if len(text) > TITLE_CHARACTERS_MAX or not text.isprintable():
        raise wrong(field, f"must have at most {TITLE_CHARACTERS_MAX} characters, all printable")


def check_time(time_ms: int | None, now_ms: int, field: str = "expires") -> None:
    """Raise InvalidArgument unless a time, if there is one, is still to come."""
    if time_ms is not None and not now_ms < time_ms <= TIME_MS_MAX:
        raise wrong(field, "must be a time to come, before the year 10000")


def wrong(field: str, description: str) -> InvalidArgument:
    """Return the problem of one field."""
    return InvalidArgument(f"{field} {description}.", violations=(FieldViolation(description, field),))
