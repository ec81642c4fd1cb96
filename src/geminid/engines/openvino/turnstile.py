"""Who is begun next: the most urgent first; among equals projects take turns, each with its oldest.

A pure queue. It knows no requests, only their ids, urgencies and projects. Invariants: an entry comes out
once, or leaves once; between two entries of one project comes one of every equal that waits, so who queues
a thousand delays the others by no more than who queues one.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Turnstile(Generic[T]):
    """Entries by id; a smaller urgency number comes out sooner."""

    def __init__(self) -> None:
        self._classes: dict[int, dict[str, dict[int, T]]] = {}  # projects in the order of their turns

    def __len__(self) -> int:
        return sum(len(entries) for projects in self._classes.values() for entries in projects.values())

    def enter(self, entry_id: int, entry: T, urgency: int, project: str = "") -> None:
        """Queue an entry behind those of its project."""
        projects = self._classes.setdefault(urgency, {})
        projects.setdefault(project, {})[entry_id] = entry

    def leave(self, entry_id: int) -> None:
        """Take an entry out, if it is still here."""
        for projects in self._classes.values():
            for project, entries in projects.items():
                if entry_id in entries:
                    del entries[entry_id]
                    if not entries:
                        del projects[project]
                    return

    def next(self) -> T:
        """Take out the entry whose turn it is; raises ``LookupError`` when there is none."""
        for urgency in sorted(self._classes):
            if projects := self._classes[urgency]:
                project = next(iter(projects))
                entries = projects.pop(project)
                entry = entries.pop(next(iter(entries)))
                if entries:
                    projects[project] = entries  # at the end: everybody else comes first
                return entry
        raise LookupError("nobody waits")
