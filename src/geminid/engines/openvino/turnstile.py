"""Who is begun next: the most urgent first, in the order of arrival among equals.

A pure queue. It knows no requests, only their ids and urgencies. Invariant: an entry comes out once,
or leaves once.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Turnstile(Generic[T]):
    """Entries by id; a smaller urgency number comes out sooner."""

    def __init__(self) -> None:
        self._classes: dict[int, dict[int, T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._classes.values()))

    def enter(self, entry_id: int, entry: T, urgency: int) -> None:
        """Queue an entry behind its equals."""
        self._classes.setdefault(urgency, {})[entry_id] = entry

    def leave(self, entry_id: int) -> None:
        """Take an entry out, if it is still here."""
        for entries in self._classes.values():
            entries.pop(entry_id, None)

    def next(self) -> T:
        """Take out the entry whose turn it is; raises ``LookupError`` when there is none."""
        for urgency in sorted(self._classes):
            if entries := self._classes[urgency]:
                return entries.pop(next(iter(entries)))
        raise LookupError("nobody waits")
