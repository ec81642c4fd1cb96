"""Batches as administrators see them: those of any project, in rows alone.

It touches no bytes and answers no line: whoever is at work on a job sees within a second that it was
cancelled. Invariant: a job that was deleted is not shown, and a cancellation leaves a trace.
"""

from __future__ import annotations

import re

from sqlalchemy import Connection

from geminid.core.batch import Job, Place
from geminid.service.acting import NowMs, Page, now_ms, paged, trace, wrong
from geminid.service.batches import UnknownBatch
from geminid.service.projects import live
from geminid.store import batches as rows
from geminid.store.batches import KeptJob
from geminid.store.database import Database

__all__ = ["BatchDesk", "Job"]

_PLACE = re.compile(r"(\d{1,18}):([a-z0-9]{1,64})", re.ASCII)


class BatchDesk:
    """The jobs of one database."""

    def __init__(self, database: Database, now_ms: NowMs = now_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    async def page(self, project: str, size: int, after: str = "") -> Page[Job]:
        """Return ``size`` jobs at most, the newest first. Raises UnknownProject, InvalidArgument."""
        found = _PLACE.fullmatch(after)
        if after and found is None:
            raise wrong("pageToken", "was not given by this server")
        place = Place(int(found[1]), found[2]) if found else None

        def act(connection: Connection) -> tuple[Job, ...]:
            live(connection, project)
            return rows.page(connection, project, place, size + 1)

        jobs = await self._database.read(act)
        return paged(jobs, size, lambda job: f"{job.created_ms}:{job.id}")

    async def get(self, project: str, job_id: str) -> Job:
        """Return a job as it is now. Raises UnknownProject, UnknownBatch."""

        def act(connection: Connection) -> Job:
            live(connection, project)
            return _found(connection, project, job_id).job

        return await self._database.read(act)

    async def cancel(self, actor: str, project: str, job_id: str) -> Job:
        """End a job now; one that has ended stays as it is. Raises UnknownProject, UnknownBatch."""
        time_ms = self._now_ms()

        def act(connection: Connection) -> Job:
            live(connection, project)
            kept = _found(connection, project, job_id)
            if rows.end(connection, kept, "cancelled", ended_ms=time_ms, updated_ms=time_ms):
                trace(connection, time_ms, actor, "batch.cancel", job_id, project)
            return _found(connection, project, job_id).job

        return await self._database.write(act)


def _found(connection: Connection, project: str, job_id: str) -> KeptJob:
    kept = rows.find(connection, project, job_id)
    if kept is None:
        raise UnknownBatch(job_id)
    return kept
