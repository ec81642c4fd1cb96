"""Ids of responses, of their items and of calls, and how one is found from another.

An item's id is that of its response with its place behind it, so it need not be kept: whoever has the
response has its items. It knows no items.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from geminid.core.interaction import Face

FACE = Face(wire="responses", id_prefix="resp_")
"""Under which name responses are kept, and how their ids begin."""

ItemKind = Literal["msg_", "rs_", "fc_", "fs_", "item_"]
"""How the ids of items begin: messages, thoughts, calls and their outputs, searches, others."""

_PLACE_DIGITS = 4
_INPUT = 0x8000
"""Added to the places of what was sent, which is beside what was answered."""


class Place(NamedTuple):
    """Where an item is: of which response, whether among what was sent, and at which place from 0."""

    response_id: str
    sent: bool
    number: int


def item_id(kind: ItemKind, response_id: str, index: int, *, sent: bool = False) -> str:
    """Return the id of an item of a response."""
    place = index | _INPUT if sent else index
    return f"{kind}{response_id.removeprefix(FACE.id_prefix)}{place:0{_PLACE_DIGITS}x}"


def place_of(said: str) -> Place | None:
    """Return where an item is that has an id of ours; None for any other id."""
    _, line, rest = said.partition("_")
    name, digits = rest[:-_PLACE_DIGITS], rest[-_PLACE_DIGITS:]
    if not line or not name or len(digits) != _PLACE_DIGITS:
        return None
    try:
        place = int(digits, 16)
    except ValueError:
        return None
    return Place(f"{FACE.id_prefix}{name}", bool(place & _INPUT), place & ~_INPUT)
