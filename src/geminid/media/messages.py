"""What crosses the link between the server and a reader process.

They travel in frames of :mod:`geminid.process.frames`. Media themselves never cross it: a job names a file.
"""

from __future__ import annotations

import msgspec

from geminid.core.speech import Listen, Listening, Segment, Understood
from geminid.media.bounds import Bounds
from geminid.media.reading import Ask, Kind, Reading


class Open(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The first frame. ``speech`` is the folder of the speech model, empty when it is not here; ``folders``
    are where files to be read lie, None when they may be anywhere."""

    bounds: Bounds
    threads: int
    speech: str = ""
    folders: tuple[str, ...] | None = None


class Read(msgspec.Struct, frozen=True, tag=True):
    """Read the file at ``path``."""

    path: str
    ask: Ask


class Probe(msgspec.Struct, frozen=True, tag=True):
    """Tell what the file at ``path`` is, without reading all of it."""

    path: str
    mime_type: str


class Hear(msgspec.Struct, frozen=True, tag=True):
    """Write down what is said in the file at ``path``; answered by the events of
    :mod:`geminid.core.speech`."""

    path: str
    mime_type: str
    listen: Listen


class Done(msgspec.Struct, frozen=True, tag=True):
    """The file was read."""

    reading: Reading


class Probed(msgspec.Struct, frozen=True, tag=True):
    """What a file is. ``duration_ms`` is None where there is none, or where the file does not tell."""

    kind: Kind
    mime_type: str
    duration_ms: int | None = None


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The file cannot be read; ``message`` is for the caller.

    ``spent`` means that the process is not to be used again.
    """

    message: str
    spent: bool = False


ToReader = Open | Read | Probe | Hear
FromReader = Done | Probed | Listening | Segment | Understood | Refused

decode_to_reader = msgspec.msgpack.Decoder(ToReader).decode
decode_from_reader = msgspec.msgpack.Decoder(FromReader).decode
