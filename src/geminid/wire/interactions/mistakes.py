"""What is wrong with a request for an interaction: collected, then raised as one error.

Invariant: nothing here raises before ``settle``, so that a caller hears of all mistakes at once.
"""

from __future__ import annotations

from typing import TypeVar

from geminid.wire.gemini.complaints import Complaints
from geminid.wire.interactions.schema import Message
from geminid.wire.lenient import Json
from geminid.wire.protojson import Reader
from geminid.wire.scalars import Faults

M = TypeVar("M", bound=Message)


class Mistakes(Complaints):
    """The mistakes of one request, in this API's words; paths are those of the body."""

    @property
    def any(self) -> bool:
        """Whether there are some."""
        return bool(self._violations)

    def say(self, path: str, sentence: str) -> None:
        """Note that the field at ``path`` is wrong, in a sentence of Google's; errors here have no fields of
        their own, so the sentence names it."""
        super().say(path, sentence if not path or path in sentence else f"{sentence} (at '{path}')")

    def quote(self, sentence: str) -> None:
        """Note what the live service says in these very words."""
        self.say("", sentence)

    def refuse(self, path: str, reason: str) -> None:
        """Note that the field at ``path`` is wrong, and why."""
        self.say(path, f"Invalid input at '{path}': {reason}" if path else reason)

    def read(self, reader: Reader[M], value: Json, path: str) -> M | None:
        """Return a value as a message, or None where it is none; what is wrong with it is noted."""
        faults = Faults()
        message = reader.read_value(value, path, faults)
        for fault in faults.violations:
            self.say(fault.field, fault.description)
        return None if faults.violations else message
