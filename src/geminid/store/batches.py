"""Batches ⇄ rows: the jobs of projects, and who is at work on them. Every function is an act on a connection.

What a job's lines ask and answer lies in files beside the database, under keys that begin with its ``blob``.
Invariant: a job that has ended never changes its state again, whoever writes it; one that was deleted is not
found by those who ask for it by name.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from geminid.core.batch import ENDED, Job, LineFault, Place, Webhook
from geminid.store.tables import batches, owners

_WEBHOOK = msgspec.json.Decoder(Webhook)
_METADATA = msgspec.json.Decoder(dict[str, str])
_FAULTS = msgspec.json.Decoder(tuple[LineFault, ...])
_ENCODED = ("webhook", "output", "metadata", "faults")
_PLAIN = tuple(name for name in Job.__struct_fields__ if name not in _ENCODED)
PARTS_CLOSED = ("output", "errors")
PARTS_OPEN = ("input", "journal", "index", "seen", *PARTS_CLOSED)
"""The files of a job until it is closed; then there are at most those of its results."""


class KeptJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job, and what is known of it here alone.

    blob: how the keys of its bytes begin. owner: the process that is at work on it, empty for none. closed:
    its results are ready and nothing is left to be done. deleted: nobody asks for it any more.
    """

    job: Job
    blob: str
    owner: str = ""
    closed: bool = False
    deleted: bool = False

    def key(self, part: str) -> str:
        """Return the key of some of its bytes, one of :data:`PARTS_OPEN`."""
        return f"{self.blob}.{part}"


class Load(msgspec.Struct, frozen=True):
    """What a project has that has not ended: jobs, and an estimate of the tokens they ask for."""

    jobs: int = 0
    tokens: int = 0


def add(connection: Connection, kept: KeptJob) -> None:
    """Insert a job."""
    closed = int(kept.closed)
    connection.execute(insert(batches).values(**_columns(kept.job), blob=kept.blob, owner="", closed=closed))


def find(connection: Connection, project: str, job_id: str) -> KeptJob | None:
    """Return a job of a project that was not deleted."""
    kept = any_of(connection, project, job_id)
    return None if kept is None or kept.deleted else kept


def any_of(connection: Connection, project: str, job_id: str) -> KeptJob | None:
    """Return a job of a project, whether or not it was deleted."""
    row = connection.execute(_locked(connection, select(batches).where(_is(project, job_id)))).first()
    return _kept(row) if row is not None else None


def page(
    connection: Connection,
    project: str,
    after: Place | None,
    count: int,
    formats: Collection[str] | None = None,
) -> tuple[Job, ...]:
    """Return ``count`` jobs at most, the newest first, beginning after a place in that order.

    formats: those of the jobs that are wanted; None is any.
    """
    wanted = select(batches).where(batches.c.project == project, batches.c.deleted_ms.is_(None))
    if formats is not None:
        wanted = wanted.where(batches.c.format.in_(formats))
    if after is not None:
        same = and_(batches.c.created_ms == after.created_ms, batches.c.id > after.id)
        wanted = wanted.where(or_(batches.c.created_ms < after.created_ms, same))
    rows = connection.execute(wanted.order_by(batches.c.created_ms.desc(), batches.c.id).limit(count))
    return tuple(_kept(row).job for row in rows)


def load(connection: Connection, project: str) -> Load:
    """Return what a project has enqueued."""
    wanted = select(func.count(), func.coalesce(func.sum(batches.c.tokens), 0)).where(
        batches.c.project == project, batches.c.state.not_in(ENDED)
    )
    jobs, tokens = connection.execute(wanted).one()
    return Load(int(jobs), int(tokens))


def unclosed(connection: Connection) -> tuple[KeptJob, ...]:
    """Return the jobs of all projects on which there is something to be done, the oldest first."""
    wanted = select(batches).where(batches.c.closed == 0).order_by(batches.c.created_ms, batches.c.id)
    return tuple(_kept(row) for row in connection.execute(wanted))


def put(connection: Connection, kept: KeptJob, **changed: Any) -> None:
    """Write columns of a job."""
    connection.execute(update(batches).where(_is(kept.job.project, kept.job.id)).values(**changed))


def put_count(connection: Connection, kept: KeptJob, **counted: Any) -> None:
    """Write how far a job has come, unless it has ended."""
    going = and_(_is(kept.job.project, kept.job.id), batches.c.state.not_in(ENDED))
    if counted.get("state") == "running":
        counted["started_ms"] = func.coalesce(batches.c.started_ms, counted.get("updated_ms"))
    connection.execute(update(batches).where(going).values(**counted))


def end(connection: Connection, kept: KeptJob, state: str, **told: Any) -> bool:
    """Bring a job to its last state; return whether it had not come to one before."""
    going = and_(_is(kept.job.project, kept.job.id), batches.c.state.not_in(ENDED))
    return bool(connection.execute(update(batches).where(going).values(state=state, **told)).rowcount)


def claim(connection: Connection, kept: KeptJob, owner: str) -> bool:
    """Take a job that no living process is at work on; return whether it is the owner's now."""
    free = or_(batches.c.owner.in_(("", owner)), batches.c.owner.not_in(select(owners.c.id)))
    mine = and_(_is(kept.job.project, kept.job.id), batches.c.closed == 0, free)
    return bool(connection.execute(update(batches).where(mine).values(owner=owner)).rowcount)


def release(connection: Connection, owner: str) -> None:
    """Let go of all jobs of a process."""
    connection.execute(update(batches).where(batches.c.owner == owner).values(owner=""))


def remove(connection: Connection, kept: KeptJob) -> None:
    """Delete the row of a job; its bytes are for the caller to remove afterwards."""
    connection.execute(delete(batches).where(_is(kept.job.project, kept.job.id)))


def outdated(connection: Connection, ended_before_ms: int) -> tuple[KeptJob, ...]:
    """Return the closed jobs that were deleted or ended before a time."""
    old = or_(batches.c.ended_ms < ended_before_ms, batches.c.deleted_ms.is_not(None))
    return tuple(_kept(row) for row in connection.execute(select(batches).where(batches.c.closed == 1, old)))


def blobs(connection: Connection) -> set[str]:
    """Return the keys of all bytes that jobs have or may have."""
    keys = set()
    for blob, closed in connection.execute(select(batches.c.blob, batches.c.closed)):
        keys |= {f"{blob}.{part}" for part in (PARTS_CLOSED if closed else PARTS_OPEN)}
    return keys


def _is(project: str, job_id: str) -> Any:
    return and_(batches.c.project == project, batches.c.id == job_id)


def _locked(connection: Connection, wanted: Any) -> Any:
    writing = connection.get_execution_options().get("writing")
    return wanted.with_for_update() if writing and connection.dialect.name != "sqlite" else wanted


def _columns(job: Job) -> dict[str, Any]:
    columns: dict[str, Any] = {name: getattr(job, name) for name in _PLAIN}
    return columns | {
        "output": int(job.output),
        "webhook": msgspec.json.encode(job.webhook).decode(),
        "metadata": "" if job.metadata is None else msgspec.json.encode(job.metadata).decode(),
        "faults": msgspec.json.encode(job.faults).decode() if job.faults else "",
    }


def _kept(row: Row[*tuple[Any, ...]]) -> KeptJob:
    said = dict(row._mapping)
    plain = {name: said[name] for name in _PLAIN}
    job = Job(
        **plain,
        output=bool(said["output"]),
        webhook=_WEBHOOK.decode(said["webhook"]),
        metadata=_METADATA.decode(said["metadata"]) if said["metadata"] else None,
        faults=_FAULTS.decode(said["faults"]) if said["faults"] else (),
    )
    return KeptJob(
        job=job,
        blob=said["blob"],
        owner=said["owner"],
        closed=bool(said["closed"]),
        deleted=said["deleted_ms"] is not None,
    )
