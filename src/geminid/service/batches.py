"""The acts on batches: create, look, list, change, cancel, delete, read results.

It knows no wire, and it answers no line: :mod:`geminid.bulk` does. Invariant: what ``create`` has returned is
on the disk, rows and bytes; a job that is not there, was deleted or belongs to another project is the same
``UnknownBatch``.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from geminid.core.batch import (
    ERROR_SUFFIX,
    NO_WEBHOOK,
    OUTPUT_PREFIX,
    BatchKind,
    Inspection,
    Job,
    LineFault,
    NewJob,
    Outlook,
    Place,
    Webhook,
)
from geminid.core.caller import Caller
from geminid.core.disk import disk
from geminid.core.errors import FailedPrecondition, FieldViolation, InvalidArgument, NotFound, UnknownFile
from geminid.core.ids import Randomness, batch_id
from geminid.fetch.address import read_address
from geminid.fetch.faults import Unfetchable
from geminid.service import batch_bytes
from geminid.service.acting import NowMs, now_ms
from geminid.service.batch_bytes import Laid
from geminid.service.batch_limits import BYTES_PER_TOKEN, BatchLimits
from geminid.service.files import Files
from geminid.store import batches as rows
from geminid.store.batches import KeptJob
from geminid.store.blobs import Blobs
from geminid.store.database import Database
from geminid.store.lines import RawLine

__all__ = ["Batches", "Job", "NewJob", "Outlook", "Page", "Place", "UnknownBatch", "Webhook"]

NAME_CHARACTERS_MAX = 512
PRIORITY_MAX = 2**63 - 1
URIS_MAX = 10
LINES_AT_ONCE = 512

Known = Callable[[str, BatchKind], object]
"""(model, kind) → anything; raises ``UnknownModel`` where no such model does such work."""
Inspect = Callable[[Iterator[RawLine], Callable[[str], object]], Inspection]
"""(lines, model → anything as of :data:`Known`) → what they say of themselves. For threads."""
Formats = Collection[str]
FIRST: Formats = ("",)
"""The formats of lines that whoever asks for a job knows; one of another format is not there for him."""


class UnknownBatch(NotFound):
    """No job of the caller has this id (given without ``batches/``)."""

    def __init__(self, job_id: str) -> None:
        super().__init__("Requested entity was not found.")
        self.job_id = job_id


class Page(NamedTuple):
    """Some of a project's jobs, and where the next page begins if there is one."""

    jobs: tuple[Job, ...]
    next: Place | None


class Pace:
    """How fast lines of each project were answered of late, told by whoever answers them.

    It forgets: half of what it tells is of the last ``half_s`` seconds.
    """

    def __init__(self, half_s: float = 30.0) -> None:
        self._half_s = half_s
        self._known: dict[str, tuple[float, float, float]] = {}

    def note(self, project: str, lines: int, now_s: float) -> None:
        """Note that lines were answered."""
        weight, span, last = self._known.get(project, (0.0, 0.0, now_s))
        fade = 0.5 ** ((now_s - last) / self._half_s)
        self._known[project] = (weight * fade + lines, span * fade + (now_s - last), now_s)

    def lines_per_s(self, project: str) -> float | None:
        """Return the speed; None where nothing is known."""
        weight, span, _ = self._known.get(project, (0.0, 0.0, 0.0))
        return weight / span if weight and span else None

    def forget(self, project: str) -> None:
        """Forget a project: nothing of it runs any more."""
        self._known.pop(project, None)


class Batches:
    """The jobs of all projects. Used on one event loop only. ``wake`` is called when there is something new
    to be done; whoever answers lines sets it."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        files: Files,
        limits: BatchLimits,
        known: Known,
        now_ms: NowMs = now_ms,
        randomness: Randomness = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._files = files
        self._limits = limits
        self._known = known
        self._now_ms = now_ms
        self._randomness = randomness
        self.pace = Pace()
        self.wake: Callable[[], None] = lambda: None

    async def create(self, caller: Caller, new: NewJob, inspect: Inspect | None = None) -> Job:
        """Take a job.

        inspect: of a job whose lines say which model they ask, reads them before it is taken; one in which it
        finds faults has failed from the start. Raises ``UnknownModel``, ``PermissionDenied`` for a model that
        was found in the lines, ``UnknownFile``, ``FailedPrecondition`` for a file that is not active,
        ``InvalidArgument`` for one that has no line or for wrong fields, ``QuotaExceeded`` when the
        project has too many jobs or too much enqueued, ``Unavailable`` when the disk is full.
        """
        _check(new)
        if (made := await self._made(caller.project, new)) is not None:
            return made
        if inspect is None:
            self._known(new.model, new.kind)
        blob = self._randomness(16).hex()
        laid = await self._lay(caller.project, new, f"{blob}.input", inspect)
        try:
            if (found := laid.found) is not None:
                if found.faults:
                    await asyncio.to_thread(self._blobs.remove, f"{blob}.input")
                    return await self.refuse(caller, new, found.faults)
                caller.require("batches", found.model)
                new = msgspec.structs.replace(new, model=found.model)
            if not laid.lines:
                raise InvalidArgument("The batch has no requests.")
            job = self._job(caller, new, laid)

            def act(connection: Connection) -> None:
                self._limits.check_load(connection, job.project, job.model, job.tokens)
                rows.add(connection, KeptJob(job=job, blob=blob))

            await self._database.write(act)
        except BaseException:
            await asyncio.to_thread(self._blobs.remove, f"{blob}.input")
            raise
        self.wake()
        return job

    async def refuse(self, caller: Caller, new: NewJob, faults: tuple[LineFault, ...]) -> Job:
        """Keep a job that cannot be taken, so that its caller is told why when he looks."""
        if (made := await self._made(caller.project, new)) is not None:
            return made
        job = self._job(caller, new, Laid(0, 0))
        times = dict.fromkeys(("ended_ms", "settled_ms"), job.created_ms)
        job = msgspec.structs.replace(job, state="failed", faults=faults, **times)
        kept = KeptJob(job=job, blob=self._randomness(16).hex(), closed=True)
        await self._database.write(lambda connection: rows.add(connection, kept))
        return job

    async def get(self, project: str, job_id: str, formats: Formats = FIRST) -> Job:
        """Return a job as it is now; raises ``UnknownBatch``."""
        return (await self._kept(project, job_id, formats)).job

    async def outlook(self, job: Job) -> Outlook:
        """Return what lies before a job."""
        if job.ended:
            return Outlook(eta_ms=0)
        waiting = [each.job for each in await self._database.read(rows.unclosed) if not each.job.ended]
        mine = sorted((each for each in waiting if each.project == job.project), key=order)
        before = [each for each in mine if order(each) < order(job)]
        lines = sum(each.pending for each in (*before, job))
        speed = self.pace.lines_per_s(job.project)
        return Outlook(
            position=0 if job.state == "running" else len(before),
            eta_ms=round(lines / speed * 1000) if speed else None,
        )

    async def page(
        self, project: str, size: int, after: Place | None = None, formats: Formats = FIRST
    ) -> Page:
        """Return ``size`` jobs at most, the newest first, beginning after a place in that order."""
        found = await self._database.read(lambda c: rows.page(c, project, after, size + 1, formats))
        shown = found[:size]
        return Page(shown, Place(shown[-1].created_ms, shown[-1].id) if len(found) > size else None)

    async def update(
        self, project: str, job_id: str, *, display_name: str | None = None, priority: int | None = None
    ) -> Job:
        """Change what is not None; raises ``UnknownBatch``, ``InvalidArgument``."""
        _check_name(display_name or "")
        _check_priority(priority or 0)
        said = {"display_name": display_name, "priority": priority}
        changed = {name: value for name, value in said.items() if value is not None}

        def act(connection: Connection) -> Job:
            kept = _found(connection, project, job_id, FIRST)
            rows.put(connection, kept, **changed, updated_ms=self._now_ms())
            return _found(connection, project, job_id, FIRST).job

        job = await self._database.write(act)
        self.wake()
        return job

    async def cancel(self, project: str, job_id: str, formats: Formats = FIRST) -> Job:
        """End a job now: no further line is begun, and what is answered stays. One that has ended stays as
        it is. Raises ``UnknownBatch``."""
        now_ms = self._now_ms()

        def act(connection: Connection) -> Job:
            kept = _found(connection, project, job_id, formats)
            rows.end(connection, kept, "cancelled", ended_ms=now_ms, updated_ms=now_ms)
            return _found(connection, project, job_id, formats).job

        job = await self._database.write(act)
        self.wake()
        return job

    async def delete(self, project: str, job_id: str) -> None:
        """Forget a job and its inline results. One that runs goes on to its end (nobody will be told), its
        output file is a file like others. Raises ``UnknownBatch``."""

        def act(connection: Connection) -> KeptJob:
            kept = _found(connection, project, job_id, FIRST)
            if kept.closed:
                rows.remove(connection, kept)
            else:
                rows.put(connection, kept, deleted_ms=self._now_ms())
            return kept

        kept = await self._database.write(act)
        if kept.closed and not kept.job.output_id:
            await asyncio.to_thread(self._blobs.remove, kept.key("output"))

    async def results(self, job: Job) -> AsyncIterator[bytes]:
        """Yield the result lines of a job whose ``output`` is true, in the order of its input, each a JSON
        object on one line without its newline: ``{"response"|"error": …, "key"|"metadata": …}``.

        Raises ``UnknownBatch``, and ``UnknownFile`` when the output file is there no more.
        """
        lines = batch_bytes.lines_of(await self._output(job))
        while some := await asyncio.to_thread(_take, lines):
            for line in some:
                yield line

    async def sweep(self) -> None:
        """Forget what has ended long ago, and remove bytes that belong to nothing."""
        before_ms = self._now_ms() - self._limits.keep_ms

        def act(connection: Connection) -> tuple[KeptJob, ...]:
            old = rows.outdated(connection, before_ms)
            for kept in old:
                rows.remove(connection, kept)
            return old

        old = await self._database.write(act)
        keys = [kept.key("output") for kept in old if not kept.job.output_id]
        await asyncio.to_thread(batch_bytes.drop, self._blobs, keys)

    async def _output(self, job: Job) -> Path:
        if job.output_id:
            return (await self._files.path(job.project, job.output_id))[1]
        kept = await self._kept(job.project, job.id, FIRST)
        if not kept.job.output:
            raise FailedPrecondition("The results of this batch are not ready yet.")
        return self._blobs.path(kept.key("output"))

    async def _made(self, project: str, new: NewJob) -> Job | None:
        """Return the job that an earlier request of the same name has made."""
        if not new.once:
            return None
        job_id = _once_id(project, new.once)
        kept = await self._database.read(lambda connection: rows.find(connection, project, job_id))
        return None if kept is None else kept.job

    async def _kept(self, project: str, job_id: str, formats: Formats) -> KeptJob:
        return await self._database.read(lambda connection: _found(connection, project, job_id, formats))

    async def _lay(self, project: str, new: NewJob, key: str, inspect: Inspect | None) -> Laid:
        """Have the lines of a job on the disk, as bytes of its own."""
        limits, blobs = self._limits, self._blobs
        if new.lines is not None:
            limits.check_size(sum(map(len, new.lines)), inline=True)
            work = partial(batch_bytes.lay_lines, blobs, key, new.lines)
        else:
            found = await self._files.find(project, f"files/{new.file_id}")
            limits.check_size(found.path.stat().st_size, inline=False)
            read = None if inspect is None else partial(_inspected, inspect, self._known, new.kind)
            work = partial(batch_bytes.lay_file, blobs, key, found.path, limits.line_bytes_max, read)
        try:
            with disk():
                return await asyncio.to_thread(work)
        except UnknownFile as error:
            raise UnknownFile(new.file_id) from error

    def _job(self, caller: Caller, new: NewJob, laid: Laid) -> Job:
        now_ms = self._now_ms()
        return Job(
            id=_once_id(caller.project, new.once) if new.once else batch_id(self._randomness),
            project=caller.project,
            model=new.model,
            kind=new.kind,
            display_name=new.display_name,
            priority=new.priority,
            file_id=new.file_id,
            lines=laid.lines,
            tokens=laid.size_bytes // BYTES_PER_TOKEN,
            created_ms=now_ms,
            updated_ms=now_ms,
            deadline_ms=now_ms + min(self._limits.expiry_ms, new.expiry_ms or self._limits.expiry_ms),
            webhook=new.webhook,
            key_id=caller.key_id,
            key_name=caller.key_name,
            format=new.format,
            metadata=new.metadata,
            output_ttl_ms=new.output_ttl_ms,
        )


def order(job: Job) -> tuple[int, int, str]:
    """Return by what the jobs of one project are put in the order in which their lines are begun."""
    return (-job.priority, job.created_ms, job.id)


def output_id(job: Job) -> str:
    """Return the id of the file that holds a job's results, without ``files/``."""
    return f"{OUTPUT_PREFIX}{job.id}"


def error_id(job: Job) -> str:
    """Return the id of the file that says why lines were not answered, where that is kept apart."""
    return f"{output_id(job)}{ERROR_SUFFIX}"


def _found(connection: Connection, project: str, job_id: str, formats: Formats) -> KeptJob:
    kept = rows.find(connection, project, job_id)
    if kept is None or kept.job.format not in formats:
        raise UnknownBatch(job_id)
    return kept


def _once_id(project: str, once: str) -> str:
    """Return the id of the job that a request of this name makes."""
    return batch_id(lambda size: blake2b(f"{project}\0{once}".encode(), digest_size=size).digest())


def _inspected(inspect: Inspect, known: Known, kind: BatchKind, lines: Iterator[RawLine]) -> Inspection:
    return inspect(lines, lambda model: known(model, kind))


def _take(lines: Iterator[bytes]) -> list[bytes]:
    return list(itertools.islice(lines, LINES_AT_ONCE))


def _check(new: NewJob) -> None:
    if (new.lines is None) == (not new.file_id):
        raise _wrong("batch.input_config", "must have either requests or a file name")
    _check_name(new.display_name)
    _check_priority(new.priority)
    if new.webhook != NO_WEBHOOK:
        _check_webhook(new.webhook)


def _check_name(name: str) -> None:
    if len(name) > NAME_CHARACTERS_MAX:
        raise _wrong("batch.display_name", f"must have at most {NAME_CHARACTERS_MAX} characters")


def _check_priority(priority: int) -> None:
    if not -PRIORITY_MAX - 1 <= priority <= PRIORITY_MAX:
        raise _wrong("batch.priority", "must be a 64 bit integer")


def _check_webhook(webhook: Webhook) -> None:
    if len(webhook.uris) > URIS_MAX:
        raise _wrong("batch.webhook_config.uris", f"must be at most {URIS_MAX}")
    for number, uri in enumerate(webhook.uris):
        try:
            read_address(uri)
        except Unfetchable as error:
            raise _wrong(f"batch.webhook_config.uris[{number}]", f"cannot be used: {error.reason}") from error


def _wrong(field: str, description: str) -> InvalidArgument:
    words = f"* BatchGenerateContentRequest.{field}: {field.rpartition('.')[2]} {description}"
    return InvalidArgument(words, violations=(FieldViolation(words, field),))
