"""What the wire wants to have back with a stored interaction, as bytes that nobody else reads."""

from __future__ import annotations

import msgspec

from geminid.core.request import Tier


class Kept(msgspec.Struct, omit_defaults=True):
    """input: as it was sent. thoughts: whether the caller reads them."""

    input: msgspec.Raw = msgspec.Raw(b"null")
    thoughts: bool = False
    tier: Tier = "standard"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Kept)


def write_kept(given: object, thoughts: bool, tier: Tier) -> bytes:
    """Return bytes for :func:`read_kept`; ``given`` is the input as it was parsed."""
    return _encoder.encode(Kept(msgspec.Raw(_encoder.encode(given)), thoughts, tier))


def read_kept(kept: bytes) -> Kept:
    """Return what was kept; nothing for no bytes."""
    return _decoder.decode(kept) if kept else Kept()
