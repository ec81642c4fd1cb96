"""What the address of a stored interaction asks for: whole or streamed, from where on, with its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.wire.scalars import clip

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "": False}
PLACE_DIGITS_MAX = 18
ONLY_STREAMED = "last_event_id can only be used if stream is true."


class Query(NamedTuple):
    """after: the id of the event behind which a stream goes on, 0 for all of it."""

    stream: bool
    include_input: bool
    after: int


def read_query(said: Mapping[str, str]) -> Query:
    """Return what a query string asks for; raises InvalidArgument."""
    stream = _boolean(said, "stream")
    last = said.get("last_event_id", "")
    if last and not stream:
        raise _wrong("last_event_id", ONLY_STREAMED)
    if last and not (last.isascii() and last.isdigit() and len(last) <= PLACE_DIGITS_MAX):
        raise _wrong("last_event_id", f"there is no event {clip(last)}.")
    return Query(stream, _boolean(said, "include_input"), int(last or 0))


def _boolean(said: Mapping[str, str], name: str) -> bool:
    value = said.get(name, "").lower()
    if value not in _BOOLEANS:
        raise _wrong(name, "use true or false.")
    return _BOOLEANS[value]


def _wrong(name: str, reason: str) -> InvalidArgument:
    message = f"Invalid input at '{name}': {reason}"
    return InvalidArgument(message, violations=(FieldViolation(message, name),))
