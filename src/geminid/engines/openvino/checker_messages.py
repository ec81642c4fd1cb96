"""What crosses the link between the server and a checker process: small encoded values.

Frames are those of :mod:`geminid.engines.openvino.messages`. Nothing here knows a socket or OpenVINO.
"""

from __future__ import annotations

import msgspec


class Open(msgspec.Struct, frozen=True, tag=True):
    """The first frame: the folder of the model whose tokenizer grammars are compiled against.

    memory_mib: how much a check may take on top of what the process needs to be ready.
    """

    weights: str
    memory_mib: int


class Check(msgspec.Struct, frozen=True, tag=True):
    """Compile this grammar and draw a few tokens with it."""

    id: int
    grammar: str


ToChecker = Open | Check


class Opened(msgspec.Struct, frozen=True, tag=True):
    """Ready for checks."""

    load_ms: int


class Checked(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The grammar compiles, and the process can take the next one unless it is ``retiring``.

    step_ms: the slowest step after the first. Times are the smaller of wall and processor time: a busy
    machine stretches the one, several threads the other.
    """

    id: int
    compile_ms: float
    step_ms: float
    retiring: bool = False


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The library refused the grammar. The process ends with this: its pipeline is broken for good."""

    id: int
    message: str


FromChecker = Opened | Checked | Failed

decode_to_checker = msgspec.msgpack.Decoder(ToChecker).decode
decode_from_checker = msgspec.msgpack.Decoder(FromChecker).decode
