"""Framing of streams: chunks to the bytes of a body. It knows nothing of what a chunk says.

Two forms: server-sent events where ``alt=sse`` was asked, one JSON list otherwise. Invariant: nothing
is sent but chunks; official clients break on comments, on event names and on ``[DONE]``.
"""

from __future__ import annotations

from typing import Protocol

Headers = tuple[tuple[str, str], ...]

SSE_HEADERS: Headers = (
    ("content-type", "text/event-stream"),
    ("content-disposition", "attachment"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),  # a proxy that collects events makes a stream of none
)
ARRAY_HEADERS: Headers = (
    ("content-type", "application/json; charset=UTF-8"),
    ("content-disposition", "attachment"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)


class Framing(Protocol):
    """The form of one stream: ``first``, ``frame`` for each chunk, ``last``. Errors too are chunks."""

    headers: Headers

    def first(self) -> bytes:
        """Return what stands before all chunks."""

    def frame(self, chunk: bytes) -> bytes:
        """Return one chunk as it is sent; it must be JSON without line breaks."""

    def last(self) -> bytes:
        """Return what stands after all chunks."""


class SseFraming:
    """Server-sent events: each chunk on a ``data:`` line, with a blank line after it."""

    headers = SSE_HEADERS

    def first(self) -> bytes:
        """Return nothing."""
        return b""

    def frame(self, chunk: bytes) -> bytes:
        """Return the event that carries ``chunk``, which must be a whole JSON value on one line."""
        return b"data: " + chunk + b"\r\n\r\n"

    def last(self) -> bytes:
        """Return nothing: the end of the body is the end of the stream."""
        return b""


class ArrayFraming:
    """One JSON list whose elements are the chunks. It is for one stream: it knows whether one was sent."""

    headers = ARRAY_HEADERS

    def __init__(self) -> None:
        self._began = False

    def first(self) -> bytes:
        """Return the opening bracket."""
        return b"["

    def frame(self, chunk: bytes) -> bytes:
        """Return ``chunk`` with the comma that parts it from the one before."""
        separator = b"\r\n,\r\n" if self._began else b""
        self._began = True
        return separator + chunk

    def last(self) -> bytes:
        """Return the closing bracket; a stream without chunks is ``[]``."""
        return b"\r\n]" if self._began else b"]"
