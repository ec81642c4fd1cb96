"""A child process's end of the link: whole messages in, frames out.

It knows sockets and frames, not what they mean. Invariant: messages come out in the order in which
they were sent, each exactly once.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from geminid.process.frames import HEADER_BYTES, frame

T = TypeVar("T")

CHUNK_BYTES = 1 << 20


class HungUp(Exception):
    """The server has closed the link."""


class Inbox(Generic[T]):
    """Takes what has arrived, waiting for it only when asked to. ``decode`` reads one frame's content."""

    def __init__(self, link: socket.socket, decode: Callable[[memoryview], T]) -> None:
        self._link = link
        self._decode = decode
        self._received = bytearray()

    def take(self, *, wait: bool) -> list[T]:
        """Return every whole message that is here; ``wait`` until there is one. Raises ``HungUp``."""
        messages = self._whole()
        while self._receive(wait=wait and not messages):
            messages += self._whole()
        return messages

    def wait(self, seconds: float) -> None:
        """Wait until something comes, but no longer than this."""
        poll = select.poll()  # select() takes no descriptors above 1,023
        poll.register(self._link, select.POLLIN)
        poll.poll(seconds * 1000)

    def _receive(self, *, wait: bool) -> bool:
        """Read once; return whether anything came."""
        try:
            chunk = self._link.recv(CHUNK_BYTES, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if not chunk:
            raise HungUp
        self._received += chunk
        return True

    def _whole(self) -> list[T]:
        messages, start = [], 0
        while (end := self._end_of_frame(start)) is not None:
            messages.append(self._decode(memoryview(self._received)[start + HEADER_BYTES : end]))
            start = end
        del self._received[:start]
        return messages

    def _end_of_frame(self, start: int) -> int | None:
        if len(self._received) - start < HEADER_BYTES:
            return None
        end = start + HEADER_BYTES + int.from_bytes(self._received[start : start + HEADER_BYTES], "big")
        return end if end <= len(self._received) else None


class Outbox:
    """Sends frames whole. A server that does not read makes the process wait, not grow."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link

    def send(self, value: msgspec.Struct) -> None:
        """Send one frame."""
        self._link.sendall(frame(value))
