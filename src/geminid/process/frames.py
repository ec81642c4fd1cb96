"""Frames: a 4-byte big-endian length and a msgpack value. They know no socket and no meaning."""

from __future__ import annotations

import msgspec

HEADER_BYTES = 4
FRAME_BYTES_MAX = 512 * 1024 * 1024
"""A frame larger than this is a broken peer, not a message."""

_encode = msgspec.msgpack.Encoder().encode


def frame(value: msgspec.Struct) -> bytes:
    """Return the bytes of one frame; raises ``ValueError`` when it would be larger than allowed."""
    body = _encode(value)
    if len(body) > FRAME_BYTES_MAX:
        raise ValueError(f"frame of {len(body)} bytes")
    return len(body).to_bytes(HEADER_BYTES, "big") + body
