"""What crosses the link between the server and a process that embeds: small encoded values.

They travel in frames of :mod:`geminid.process.frames`. Nothing here knows a socket or OpenVINO.
"""

from __future__ import annotations

import msgspec

from geminid.core.card import Pooling


class Load(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The first frame: what to load and how.

    streams: calls that are computed at once, each by one thread. call_tokens_max: of one native call, its
    padding counted. properties: passed to the OpenVINO device as they are.
    """

    weights: str
    pooling: Pooling
    context_tokens_max: int
    streams: int
    call_tokens_max: int
    properties: dict[str, str | int | float | bool]


class Embed(msgspec.Struct, frozen=True, tag=True):
    """A vector for each text. dimensions: how many numbers of each, 0 for all. urgency: the smaller, the
    sooner it is computed."""

    id: int
    texts: tuple[str, ...]
    dimensions: tuple[int, ...]
    urgency: int = 1


class Count(msgspec.Struct, frozen=True, tag=True):
    """How many tokens would be read of these texts?"""

    id: int
    texts: tuple[str, ...]


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Nobody waits for this request any more."""

    id: int


ToEmbedder = Load | Embed | Count | Cancel


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The model answers. dimensions: numbers of its vectors."""

    load_ms: int
    dimensions: int


class Vector(msgspec.Struct, frozen=True, array_like=True):
    """One vector in the terms of :class:`geminid.core.embed.Embedding`."""

    values: bytes
    tokens: int
    truncated: bool


class Embedded(msgspec.Struct, frozen=True, tag=True):
    """The vectors of one request, in the order of its texts."""

    id: int
    vectors: tuple[Vector, ...]


class Counted(msgspec.Struct, frozen=True, tag=True):
    """The answer to ``Count``."""

    id: int
    tokens: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """This request cannot be answered; the message is for the log."""

    id: int
    message: str


class Alive(msgspec.Struct, frozen=True, tag=True):
    """One more call is computed. The proof that a process that has much to do is not stuck."""


FromEmbedder = Ready | Embedded | Counted | Failed | Alive

decode_to_embedder = msgspec.msgpack.Decoder(ToEmbedder).decode
decode_from_embedder = msgspec.msgpack.Decoder(FromEmbedder).decode
