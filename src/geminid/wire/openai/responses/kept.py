"""What is kept with a response in the wire's own words: what it tells again, and the items that were sent.

The service keeps the bytes and does not look at them. Invariant: bytes of an older version are read, with
what they do not say left at its default.
"""

from __future__ import annotations

from typing import Any

import msgspec

from geminid.core.content import Text
from geminid.wire.openai.responses.replies import Settings


class Showing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of an answer is told. alternatives: how many could-have-beens of each token."""

    thoughts: bool = False
    sealed: bool = False
    logprobs: bool = False
    alternatives: int = 0
    results: bool = False


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One response's. items: as they were sent. standing: system words that later responses go on with."""

    settings: Settings
    showing: Showing = Showing()
    items: list[dict[str, Any]] = []
    standing: tuple[Text, ...] = ()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Kept)


def write_kept(kept: Kept) -> bytes:
    """Return the bytes that are kept."""
    return _ENCODER.encode(kept)


def read_kept(data: bytes) -> Kept:
    """Return what was kept."""
    return _DECODER.decode(data)
