"""What whoever answers the lines of jobs does to their rows: take one, tell how far it is, close it.

It knows no line. Invariant: of all processes at most one is at work on a job; a job is closed in one
transaction with its output file and the messages that tell of it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from geminid.core.batch import BatchState, Job
from geminid.core.file import File
from geminid.core.usage import Usage
from geminid.service import batch_bytes
from geminid.service.acting import NowMs, now_ms
from geminid.service.batch_hooks import messages_of
from geminid.service.batches import error_id, output_id
from geminid.store import batches as rows
from geminid.store import files as file_rows
from geminid.store import outbox
from geminid.store.batches import PARTS_CLOSED, PARTS_OPEN, KeptJob
from geminid.store.blobs import Blobs
from geminid.store.database import Database
from geminid.store.files import Kept

MIME_TYPE = "application/jsonl"
USED = ("prompt", "cached", "candidates", "thoughts")
"""What a job's row tells of the tokens that its answers used."""
_IDS = {"output": "output_id", "errors": "error_id"}
"""By part of a job's bytes: where its row tells the file."""


class Output(msgspec.Struct, frozen=True):
    """The results of a job as one file, laid down."""

    size_bytes: int
    sha256_hex: str


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended. state: unless it had come to a last state before. output, errors: None where there are
    none. usage: of its answers. finalizing_ms: when the last of them was there."""

    state: BatchState
    succeeded: int = 0
    failed: int = 0
    output: Output | None = None
    errors: Output | None = None
    usage: Usage = Usage()
    finalizing_ms: int | None = None
    fault_code: str = ""
    fault: str = ""


class BatchWork:
    """The jobs of one database, for the process ``owner``. hooks: addresses of the operator's that are told
    of every job."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        owner: str,
        *,
        file_ttl_ms: int,
        hooks: tuple[str, ...] = (),
        now_ms: NowMs = now_ms,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._owner = owner
        self._file_ttl_ms = file_ttl_ms
        self._hooks = hooks
        self.now_ms = now_ms

    async def unclosed(self) -> tuple[KeptJob, ...]:
        """Return all jobs on which there is something to be done, by whomever."""
        return await self._database.read(rows.unclosed)

    def path(self, kept: KeptJob, part: str) -> Path:
        """Return where some of a job's bytes lie, or would lie."""
        return self._blobs.path(kept.key(part))

    def has_bytes(self, kept: KeptJob) -> bool:
        """Return whether the lines of a job are on this machine: elsewhere nobody can answer them."""
        return self.path(kept, "input").exists()

    async def claim(self, kept: KeptJob) -> bool:
        """Take a job that no living process is at work on; return whether it is ours."""
        return await self._database.write(partial(rows.claim, kept=kept, owner=self._owner))

    async def tell(
        self, kept: KeptJob, succeeded: int, failed: int, note: str = "", state: BatchState = "running"
    ) -> None:
        """Write how far a job has come."""
        counted = {"succeeded": succeeded, "failed": failed, "note": note, "state": state}
        counted["updated_ms"] = self.now_ms()
        await self._database.write(lambda connection: rows.put_count(connection, kept, **counted))

    async def close(self, kept: KeptJob, ending: Ending) -> None:
        """End a job, publish its output and leave messages; then remove what it needed until now."""
        published = await self._database.write(partial(self._close, kept, ending))
        parts = [part for part in PARTS_OPEN if part not in published]
        await asyncio.to_thread(batch_bytes.drop, self._blobs, map(kept.key, parts))

    async def release(self) -> None:
        """Let go of everything: another process, or this one when it is started again, goes on."""
        await self._database.write(partial(rows.release, owner=self._owner))

    async def sweep(self) -> None:
        """Remove bytes of jobs that belong to nothing."""
        known = await self._database.read(lambda c: file_rows.blobs(c) | rows.blobs(c))
        await asyncio.to_thread(batch_bytes.drop_orphans, self._blobs, known)

    def _close(self, kept: KeptJob, ending: Ending, connection: Connection) -> tuple[str, ...]:
        """Return the parts of a job's bytes that stay, because somebody may ask for them."""
        found = rows.any_of(connection, kept.job.project, kept.job.id)
        if found is None or found.closed:
            return PARTS_CLOSED
        now_ms, job, output = self.now_ms(), found.job, ending.output
        rows.end(connection, found, ending.state, ended_ms=now_ms, fault_code=ending.fault_code,
                 fault=ending.fault)  # fmt: skip
        published = self._publish(connection, found, ending)
        counts = {"succeeded": ending.succeeded, "failed": ending.failed, "output": int(output is not None)}
        tokens = {f"{kind}_tokens": getattr(ending.usage, kind) for kind in USED}
        times = {"updated_ms": now_ms, "finalizing_ms": ending.finalizing_ms, "settled_ms": now_ms}
        rows.put(connection, found, closed=1, owner="", note="", **published, **counts, **tokens, **times)
        parts = tuple(part for part, column in _IDS.items() if published[column])
        if found.deleted:
            rows.remove(connection, found)
            return parts
        ended = rows.any_of(connection, job.project, job.id)
        for message in messages_of(ended.job if ended else job, self._hooks, now_ms):
            outbox.add(connection, message)
        inline = output is not None and not job.file_id
        return (*parts, "output") if inline else parts

    def _publish(self, connection: Connection, kept: KeptJob, ending: Ending) -> dict[str, str]:
        """Make files of the results of a job that came in a file; return their ids, empty for none.

        Of results in two files, one that nothing stands in is none.
        """
        job, apart = kept.job, ending.errors is not None
        published = dict.fromkeys(_IDS.values(), "")
        results = {"output": (output_id(job), ending.output), "errors": (error_id(job), ending.errors)}
        for part, (file_id, result) in results.items():
            if result is None or not job.file_id or (apart and not result.size_bytes):
                continue
            file_rows.add(connection, self._published(kept, part, file_id, result))
            published[_IDS[part]] = file_id
        return published

    def _published(self, kept: KeptJob, part: str, file_id: str, output: Output) -> Kept:
        now_us, job = self.now_ms() * 1000, kept.job
        ttl_ms = min(self._file_ttl_ms, job.output_ttl_ms or self._file_ttl_ms)
        file = File(
            project=job.project,
            id=file_id,
            display_name=job.display_name,
            mime_type=MIME_TYPE,
            size_bytes=output.size_bytes,
            sha256_hex=output.sha256_hex,
            created_us=now_us,
            updated_us=now_us,
            expires_us=now_us + ttl_ms * 1000,
            source="generated",
        )
        return Kept(file, kept.key(part))


def request_id(job: Job, number: int) -> str:
    """Return what a line is charged as, however often it is asked."""
    return f"batch:{job.id}:{number}"
