"""Hostile files, made in code and the same every time: bombs, lies, loops, polyglots, torn and mutated files.

Each of them ends in a reading or in a refusal; those that ``must`` be refused are bombs, files that are not what
they say, and such as would make a parser open something else.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from made.seeds import seeds


class Hostile(NamedTuple):
    """One file. ``mime_type`` is what its sender says."""

    name: str
    mime_type: str
    body: bytes
    must: bool = False


Made = Callable[[], bytes]
TORN_AT = (0.02, 0.35, 0.8, 0.99)
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


def made(table: dict[str, tuple[str, Made]], *, must: bool = False) -> Iterator[Hostile]:
    """Yield the files of a table of types and makers by name."""
    for name, (mime_type, maker) in table.items():
        yield Hostile(name, mime_type, maker(), must)


def torn() -> Iterator[Hostile]:
    """Every kind, torn off at several places."""
    for name, (mime_type, body) in seeds().items():
        for share in TORN_AT:
            yield Hostile(f"torn-{name}-{share:.0%}", mime_type, body[: max(1, int(len(body) * share))])


def mutated(seed: int, each: int) -> Iterator[Hostile]:
    """Every kind, ``each`` times damaged at random."""
    for name, (mime_type, body) in seeds().items():
        for number in range(each):
            chance = random.Random(f"{seed} {name} {number}")
            yield Hostile(f"mutated-{name}-{number}", mime_type, _mutated(body, chance))


def _mutated(body: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(body)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        chance.choice(DAMAGES)(damaged, chance)
    return bytes(damaged)


def _flip(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body))
    body[at] ^= 1 << chance.randrange(8)


def _extreme(body: bytearray, chance: random.Random) -> None:
    at, form = chance.randrange(len(body)), chance.choice(("<I", ">I", "<H", ">H"))
    size = struct.calcsize(form)
    body[at : at + size] = struct.pack(form, chance.choice(EXTREMES) & (256**size - 1))


def _cut(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body))
    del body[at : at + chance.randint(1, max(1, len(body) // 8))]
    body += b"x" * (not body)


def _repeat(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body))
    body[at:at] = body[at : at + chance.randint(1, 256)] * chance.randint(1, 8)


def _noise(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body))
    body[at : at + 16] = chance.randbytes(16)


def tiny() -> Iterator[Hostile]:
    """Files of one byte, and types that are none."""
    for byte in b"\0\n <{%BGIPR\x1f\x89\xff":
        yield Hostile(f"byte-{byte:02x}", "application/octet-stream", bytes([byte]))
    for number, mime_type in enumerate(TYPES_OF_NOTHING):
        yield Hostile(f"type-{number}", mime_type, seeds()["png"][1])
    for mime_type in ("image/png", "audio/mpeg", "video/mp4", "application/pdf", "text/html"):
        yield Hostile(f"empty-{mime_type.partition('/')[2]}", mime_type, b"", must=True)


TYPES_OF_NOTHING = (
    *("image/png\r\nSet-Cookie: a=b", "image/png\0.exe", "../../etc/passwd", "image/" + "x" * 100_000, "/"),
    *("image/png\x1b[2J", "\u202eimage/png", "text/\n\n[Image]", "audio/{0}%s%n", "IMAGE/PNG"),
)
DAMAGES = (_flip, _extreme, _cut, _repeat, _noise)
