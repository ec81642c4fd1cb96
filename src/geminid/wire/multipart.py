"""Bodies of several parts (RFC 2046), read as they come and never held whole.

It knows no meaning of a part. Lines may end in CRLF or, as some clients write them, in LF; the first
boundary decides. Invariant: however a body is cut into pieces, the same parts come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from email.parser import BytesHeaderParser
from typing import NamedTuple

from geminid.core.errors import InvalidArgument

HEADER_BYTES_MAX = 16 * 1024
_BOUNDARY_CHARACTERS_MAX = 200


class Began(NamedTuple):
    """A part begins. Names of headers are lower case."""

    headers: Mapping[str, str]


class Data(NamedTuple):
    """Bytes of the part that began last."""

    data: bytes


class Ended(NamedTuple):
    """The part ends. ``last``: no other follows."""

    last: bool


Event = Began | Data | Ended


def boundary_of(content_type: str) -> str:
    """Return the boundary that a content type tells; raises InvalidArgument when it tells none."""
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_boundary()
    if not boundary or len(boundary) > _BOUNDARY_CHARACTERS_MAX or not boundary.isascii():
        raise InvalidArgument("A multipart body needs a boundary in its Content-Type.")
    return boundary


class MultipartReader:
    """Takes the pieces of one body and tells what is in them."""

    def __init__(self, boundary: str) -> None:
        self._dashes = b"--" + boundary.encode()
        self._newline = b"\r\n"
        self._buffer = bytearray(b"\n")  # so that the first boundary, too, begins a line
        self._step: Callable[[], Event | bool] = self._first
        self.complete = False
        """Whether the closing boundary has come."""

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Yield what a piece of the body adds; raises InvalidArgument for headers without an end."""
        self._buffer += piece
        while outcome := self._step():
            if not isinstance(outcome, bool):
                yield outcome

    # Each step looks at the buffer and returns an event, True when another step may go on at once, or
    # False when more bytes are needed.

    def _first(self) -> Event | bool:
        """Skip what stands before the first boundary, and learn how lines end."""
        at = self._buffer.find(b"\n" + self._dashes)
        if at < 0:
            del self._buffer[: -len(self._dashes)]
            return False
        del self._buffer[:at]
        end = self._buffer.find(b"\n", 1)
        if end < 0:
            return self._bounded()
        self._newline = b"\r\n" if self._buffer[end - 1 : end] == b"\r" else b"\n"
        del self._buffer[: end + 1]
        self._step = self._headers
        return True

    def _headers(self) -> Event | bool:
        blank = self._newline * 2
        if self._buffer.startswith(self._newline):  # a part without headers
            end, skipped = 0, len(self._newline)
        else:
            end, skipped = self._buffer.find(blank), len(blank)
        if end < 0:
            return self._bounded()
        parsed = BytesHeaderParser().parsebytes(bytes(self._buffer[:end]))
        del self._buffer[: end + skipped]
        self._step = self._data
        return Began({name.lower(): str(value) for name, value in parsed.items()})

    def _data(self) -> Event | bool:
        delimiter = self._newline + self._dashes
        at = self._buffer.find(delimiter)
        if at == 0:
            self._step = self._boundary
            return True
        ready = at if at > 0 else len(self._buffer) - len(delimiter) + 1
        if ready <= 0:
            return False
        data = bytes(self._buffer[:ready])
        del self._buffer[:ready]
        return Data(data)

    def _boundary(self) -> Event | bool:
        """Read the rest of a boundary's line, which tells whether it was the last."""
        begin = len(self._newline) + len(self._dashes)
        if self._buffer[begin : begin + 2] == b"--":
            self._buffer.clear()
            self.complete = True
            self._step = self._done
            return Ended(last=True)
        end = self._buffer.find(b"\n", begin)
        if end < 0:
            return self._bounded()
        del self._buffer[: end + 1]
        self._step = self._headers
        return Ended(last=False)

    def _done(self) -> Event | bool:
        """Skip what stands behind the last boundary."""
        self._buffer.clear()
        return False

    def _bounded(self) -> bool:
        if len(self._buffer) > HEADER_BYTES_MAX:
            raise InvalidArgument("The headers of a part of the multipart body do not end.")
        return False
