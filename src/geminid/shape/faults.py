"""What is wrong with a schema: collected, never raised, so that a caller hears of all faults at once.

Paths lead from the schema's root, such as ``properties.name.pattern``. Invariant: what is told is
bounded, however large the schema is that was wrong.
"""

from __future__ import annotations

from typing import NamedTuple

_FAULTS_MAX = 50
_QUOTE_CHARS = 80


class Fault(NamedTuple):
    """One reason why a schema cannot be served. ``path`` is empty for the schema as a whole."""

    path: str
    reason: str


class Faults:
    """The faults of one schema, in the order they were met."""

    def __init__(self) -> None:
        self._found: dict[Fault, None] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def note(self, path: str, reason: str) -> None:
        """Remember that ``reason`` stands against what is at ``path``."""
        if len(self._found) < _FAULTS_MAX:
            self._found[Fault(path, reason)] = None

    def listed(self) -> tuple[Fault, ...]:
        """Return all faults, each once."""
        return tuple(self._found)


def member(path: str, name: str) -> str:
    """Return the path of ``name`` inside of ``path``."""
    return f"{path}.{_short(name)}" if path else _short(name)


def element(path: str, index: int) -> str:
    """Return the path of the element ``index`` of the list at ``path``."""
    return f"{path}[{index}]"


def quoted(value: object) -> str:
    """Return ``value`` as a fault names it: in quotes, and cut off when it is long."""
    return f'"{_short(str(value))}"'


def _short(text: str) -> str:
    # A lone surrogate cannot be sent to anybody; it is shown as an escape.
    text = text if len(text) <= _QUOTE_CHARS else text[:_QUOTE_CHARS] + "..."
    return text.encode("utf-8", "backslashreplace").decode()
