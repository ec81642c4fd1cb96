"""How much of batches there may be, and what callers are told when it is more."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from geminid.core.errors import InvalidArgument, QuotaExceeded, QuotaViolation
from geminid.core.project import TierName
from geminid.store import batches as rows
from geminid.store import projects

BYTES_PER_TOKEN = 4
"""What is enqueued is estimated by its bytes: some four are a token, and JSON takes its part."""

TOKENS_MAX: dict[TierName, int | None] = {
    "unlimited": None,
    "free": 1_000_000,
    "1": 10_000_000,
    "2": 500_000_000,
    "3": 1_000_000_000,
}
"""Tokens that a project may have enqueued, by its tier. Those of the paid ones are Google's of November 2026
for 3.1 Flash-Lite; its free tier has no batches, ours has a few."""

_METRIC = "generativelanguage.googleapis.com/batch_"


class BatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits.

    jobs_max: of one project that have not ended. tokens_max: that they may ask for, estimated; 0 leaves it to
    the project's tier. inline_bytes_max, file_bytes_max: of one job's lines. line_bytes_max: of one line.
    expiry_ms: how long a job may take. keep_ms: how long one that has ended is kept.
    """

    jobs_max: int = 100
    tokens_max: int = 0
    inline_bytes_max: int = 20 * 1024 * 1024
    file_bytes_max: int = 2 * 1024**3
    line_bytes_max: int = 140 * 1024 * 1024
    expiry_ms: int = 48 * 3_600_000
    keep_ms: int = 7 * 24 * 3_600_000

    def check_size(self, size_bytes: int, *, inline: bool) -> None:
        """Raise ``InvalidArgument`` for lines that are too large together."""
        most = self.inline_bytes_max if inline else self.file_bytes_max
        if size_bytes > most:
            hint = " Upload them as a file instead." if inline else ""
            raise InvalidArgument(
                f"The requests of the batch have {size_bytes} bytes; at most {most} are allowed.{hint}"
            )

    def check_load(self, connection: Connection, project: str, model: str, tokens: int) -> None:
        """Raise ``QuotaExceeded`` where a project has enqueued as much as it may. It locks the project."""
        found = projects.find(connection, project, lock=connection.dialect.name != "sqlite")
        most = self.tokens_max or TOKENS_MAX[found.tier if found is not None else "unlimited"]
        load = rows.load(connection, project)
        reached = []
        if load.jobs >= self.jobs_max:
            reached.append(QuotaViolation("BatchJobsPerProject", f"{_METRIC}jobs", self.jobs_max))
        if most is not None and load.tokens + tokens > most:
            name = "BatchEnqueuedTokensPerProject"
            reached.append(QuotaViolation(name, f"{_METRIC}enqueued_tokens", most))
        if reached:
            raise QuotaExceeded(model, tuple(reached))
