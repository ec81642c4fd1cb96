"""What was said in interactions ⇄ bytes of the store. What is large is compressed.

Fields of what is encoded are only ever added, with a default: old rows stay readable. It knows no database.
Invariant: what comes out is what went in, but for the places of media in the request that brought them, which
nobody can look at any more.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from geminid.core.caller import Caller
from geminid.core.content import Blob, FileRef, Part, ToolResult, Turn
from geminid.core.errors import Internal
from geminid.core.interaction import Step, StepEvent
from geminid.core.request import GenerateRequest

T = TypeVar("T")

COMPRESSED_FROM_BYTES = 512
LEVEL = 1
"""Of zlib: texts shrink to about a third at a speed of which nobody notices anything."""
_PLAIN, _DEFLATED = b"\x00", b"\x01"
_MSGPACK, _JSON = b"m", b"j"
_PACK, _SPELL = msgspec.msgpack.Encoder().encode, msgspec.json.Encoder().encode


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to begin an interaction in another process."""

    request: GenerateRequest
    caller: Caller
    resumable: bool = False
    request_id: str = ""
    traceparent: str = ""


class Packing(Generic[T]):
    """One kind of value ⇄ bytes."""

    def __init__(self, kind: type[T], what: str) -> None:
        self._decoders = {
            _MSGPACK: msgspec.msgpack.Decoder(kind).decode,
            _JSON: msgspec.json.Decoder(kind).decode,
        }
        self._what = what

    def pack(self, value: T) -> bytes:
        """Return the bytes that a row holds."""
        try:
            return deflated(_MSGPACK + _PACK(value))
        except OverflowError:  # arguments of a call may have numbers of any length
            return deflated(_JSON + _SPELL(value))

    def unpack(self, data: bytes) -> T:
        """Return the value that :meth:`pack` wrote; raises ``Internal`` for anything else."""
        try:
            plain = inflated(data)
            return self._decoders[plain[:1]](memoryview(plain)[1:])
        except (msgspec.MsgspecError, zlib.error, KeyError) as error:
            raise Internal(f"{self._what} of an interaction cannot be read.") from error


TURNS = Packing[tuple[Turn, ...]](tuple[Turn, ...], "The turns")
STEPS = Packing[tuple[Step, ...]](tuple[Step, ...], "The steps")
EVENTS = Packing[tuple[StepEvent, ...]](tuple[StepEvent, ...], "The events")
WAITING = Packing[Waiting](Waiting, "The request")


def deflated(data: bytes) -> bytes:
    """Return bytes as they are kept: smaller, where that is worth it."""
    if len(data) >= COMPRESSED_FROM_BYTES:
        small = zlib.compress(data, LEVEL)
        if len(small) < len(data):
            return _DEFLATED + small
    return _PLAIN + data


def inflated(data: bytes) -> bytes:
    """Return the bytes that :func:`deflated` was given."""
    return zlib.decompress(data[1:]) if data[:1] == _DEFLATED else bytes(data[1:])


def placeless(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return turns without what the caller called the places of their media."""
    return tuple(Turn(turn.role, tuple(map(_placeless, turn.parts))) for turn in turns)


def _placeless(part: Part) -> Part:
    match part:
        case Blob() | FileRef() if part.field:
            return msgspec.structs.replace(part, field="")
        case ToolResult() if part.parts:
            inner = tuple(
                msgspec.structs.replace(each, field="") if isinstance(each, Blob | FileRef) else each
                for each in part.parts
            )
            return msgspec.structs.replace(part, parts=inner)
    return part
