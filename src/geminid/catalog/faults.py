"""What can go wrong between a name and its weights, told with a hint.

These happen to the operator, before anything is served. The first line says what happened, the
second begins with ``hint:`` and says what to do.
"""

from __future__ import annotations

from geminid.core.errors import FailedPrecondition, Problem, Unavailable


class BadWeights(FailedPrecondition):
    """A file or folder that cannot be served. ``hint`` says what would help."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(f"{what}\nhint: {hint}")
        self.hint = hint


class ChecksumMismatch(FailedPrecondition):
    """The bytes that came are not the bytes that were promised; nothing of them was kept.

    ``expected`` and ``actual`` are hexadecimal digests, SHA-256 unless the hub names a git blob.
    """

    def __init__(self, what: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{what}: checksum mismatch, expected {expected}, got {actual}\n"
            "hint: the download was damaged or its source changed; it was thrown away, try again"
        )
        self.expected = expected
        self.actual = actual


class PullFailed(Unavailable):
    """No source gave the weights. ``failures`` holds what each one said, in order."""

    def __init__(self, name: str, failures: tuple[tuple[str, Problem], ...]) -> None:
        lines = [f"no source has the weights of {name}:"]
        lines += [f"  {source}: {problem.message.partition(chr(10))[0]}" for source, problem in failures]
        super().__init__("\n".join(lines))
        self.failures = failures
