"""Rows of usage that are older than the operator wants to keep are summed up by the hour, some at a time.

Invariant: a request is removed in the transaction that adds it to its hour, so statements stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from geminid.service.meter import wall_ms
from geminid.store import usage, usage_sums
from geminid.store.database import Database

DAY_MS = 86_400_000
ROWS_AT_ONCE = 1_000
EVERY_MS = 600_000


class Retention:
    """Keeps rows for ``days``; 0 keeps them for ever. The ledger is never shortened."""

    def __init__(self, database: Database, days: int, now_ms: Callable[[], int] = wall_ms) -> None:
        self._database = database
        self._days = days
        self._now_ms = now_ms
        self._next_ms = 0

    async def sweep(self) -> int:
        """Sum up what is too old, if it is time to look again; return how many rows that were."""
        now_ms = self._now_ms()
        if not self._days or now_ms < self._next_ms:
            return 0
        self._next_ms = now_ms + EVERY_MS
        before_ms, removed = now_ms - self._days * DAY_MS, 0
        for project in await self._database.read(lambda connection: tuple(usage.projects(connection))):
            removed += await self._of_project(project, before_ms)
        return removed

    async def _of_project(self, project: str, before_ms: int) -> int:
        removed = 0
        while True:
            some = await self._database.write(partial(_sum_up, project=project, before_ms=before_ms))
            removed += some
            if some < ROWS_AT_ONCE:
                return removed


def _sum_up(connection: Connection, project: str, before_ms: int) -> int:
    taken = usage.take_before(connection, project, before_ms, ROWS_AT_ONCE)
    usage_sums.add_to_hours(connection, taken)
    return len(taken)
