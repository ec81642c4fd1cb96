"""What is wrong with a request that is spelled correctly: collected, then raised as one error.

Invariant: nothing here raises before ``settle``, so that a caller hears of all mistakes at once.
"""

from __future__ import annotations

from geminid.core.errors import FieldViolation, InvalidArgument

_COMPLAINTS_MAX = 50  # a request may be wrong in as many places as it has parts


class Complaints:
    """The mistakes of one request.

    ``message`` is the type that the caller posted and ``prefix`` the path of the request inside of it,
    with its dot, so that paths are those of the body that the caller wrote.
    """

    def __init__(self, message: str = "GenerateContentRequest", prefix: str = "") -> None:
        self._message = message
        self._prefix = prefix
        self._violations: list[FieldViolation] = []

    @property
    def full(self) -> bool:
        """Whether further mistakes would not be told."""
        return len(self._violations) >= _COMPLAINTS_MAX

    def at(self, path: str) -> str:
        """Return ``path`` as it is told: from the root of the body that the caller wrote."""
        return self._prefix + path

    def refuse(self, path: str, reason: str) -> None:
        """Note that the field at ``path`` is wrong, in the form of Google's own checks of fields."""
        path = self.at(path)
        self._add(path, f"* {self._message}.{path}: {reason}")

    def say(self, path: str, sentence: str) -> None:
        """Note that the field at ``path`` is wrong, in a sentence that Google words in its own way."""
        self._add(self.at(path), sentence)

    def covers(self, path: str) -> bool:
        """Tell whether the field at ``path``, or a message around it, was complained about already."""
        whole = self.at(path)
        return any(
            whole == violation.field or whole.startswith(f"{violation.field}.")
            for violation in self._violations
        )

    def settle(self) -> None:
        """Raise InvalidArgument when anything was noted."""
        if self._violations:
            violations = tuple(self._violations)
            message = "\n".join(dict.fromkeys(violation.description for violation in violations))
            raise InvalidArgument(message, violations=violations)

    def _add(self, path: str, description: str) -> None:
        if not self.full:
            self._violations.append(FieldViolation(description, path))
