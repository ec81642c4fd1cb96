"""All jobs of this process: which are begun, and which line a free slot gets.

Projects have turns, line by line; within a project the job with the highest priority comes first, then the
oldest. Nobody's priority moves another project's jobs. Invariant: no more than ``at_once`` lines are being
answered, and no job by two processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from geminid.bulk.job import OpenJob, Sizes
from geminid.bulk.work import Answerer
from geminid.core import clock
from geminid.core.errors import Aborted, Problem
from geminid.service.batch_work import BatchWork, Ending
from geminid.service.batches import Batches, order
from geminid.service.meter import Meter
from geminid.store.batches import KeptJob

LOOK_S = 1.0
IDLE_LOOK_S = 5.0
"""How often other processes' changes are looked for, while there are jobs and while there are none."""
SWEEP_S = 600.0
OPEN_MAX = 64
"""Jobs that are read ahead at the same time; each takes some megabytes."""
STRANDED_MS = 60_000
"""A job whose bytes are elsewhere is closed by anybody so long after its time is over."""

log = logging.getLogger("geminid.batches")
Key = tuple[str, str]


class RunConfig(NamedTuple):
    """at_once: lines that are answered at the same time. sizes: of what is read ahead."""

    at_once: int
    sizes: Sizes


class Runner:
    """Used on one event loop only. answerers: by the format of a job's lines, and by its kind for those of
    the first format."""

    def __init__(
        self,
        batches: Batches,
        work: BatchWork,
        answerers: Mapping[str, Answerer],
        meter: Meter | None,
        config: RunConfig,
        clock: clock.Clock = clock.monotonic,
    ) -> None:
        self._batches = batches
        self._work = work
        self._answerers = answerers
        self._meter = meter
        self._config = config
        self._clock = clock
        self._jobs: dict[Key, OpenJob] = {}
        self._lives: dict[Key, asyncio.Task[None]] = {}
        self._turns: list[str] = []
        self._busy = 0
        self._woken = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what is left of earlier processes, and answer what comes."""
        await self._work.sweep()
        self._batches.wake = self._woken.set
        self._looking = asyncio.create_task(self._look_again())

    async def close(self) -> None:
        """Stop: what is being answered is given up, what is answered is kept, other processes may go on."""
        self._batches.wake = lambda: None
        tasks = [*self._lives.values(), *([self._looking] if self._looking is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._work.release()
        except Problem as problem:
            log.warning("this process left its batches to others: %s", problem.message)

    # -- which jobs ----------------------------------------------------------------------------------------

    async def _look_again(self) -> None:
        swept_s = self._clock()
        while True:
            self._woken.clear()
            try:
                await self._look()
                if self._clock() - swept_s >= SWEEP_S:
                    swept_s = self._clock()
                    await self._batches.sweep()
            except Problem as problem:
                log.warning("batches cannot be looked for now: %s", problem.message)
            except Exception:
                log.exception("batches cannot be looked for")
            try:
                async with asyncio.timeout(LOOK_S if self._jobs else IDLE_LOOK_S):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        rows = await self._work.unclosed()
        now_ms = self._work.now_ms()
        for kept in rows:
            job = self._jobs.get(_key(kept))
            if job is not None:
                job.kept = kept
                self._end_in_time(job, now_ms)
        waiting = [kept for kept in rows if _key(kept) not in self._jobs]
        for kept in sorted(waiting, key=lambda each: order(each.job)):
            if kept.job.ended or now_ms >= kept.job.deadline_ms:
                await self._begin_to_end(kept, now_ms)
            elif self._may_begin(kept):
                await self._begin(kept)
        for project in set(self._turns) - {kept.job.project for kept in rows}:
            self._turns.remove(project)
            self._batches.pace.forget(project)
        self._fill()

    def _end_in_time(self, job: OpenJob, now_ms: int) -> None:
        if job.kept.job.ended:
            job.stop(job.kept.job.state)
        elif now_ms >= job.kept.job.deadline_ms:
            job.stop("expired")

    def _may_begin(self, kept: KeptJob) -> bool:
        """Return whether a job should be begun now: nothing of its project that comes before it is left."""
        if len(self._jobs) >= OPEN_MAX:
            return False
        going = [job for job in self._of(kept.job.project) if not job.drained]
        return all(order(kept.job) < order(job.kept.job) for job in going)

    async def _begin_to_end(self, kept: KeptJob, now_ms: int) -> None:
        """Close a job that came to its end while nobody was at work on it."""
        if self._work.has_bytes(kept):
            if (job := await self._begin(kept)) is not None:
                job.stop(kept.job.state if kept.job.ended else "expired")
        elif now_ms >= kept.job.deadline_ms + STRANDED_MS:
            ending = Ending(state="expired", succeeded=kept.job.succeeded, failed=kept.job.failed)
            await self._work.close(kept, ending)

    async def _begin(self, kept: KeptJob) -> OpenJob | None:
        answerer = self._answerers.get(kept.job.format or kept.job.kind)
        if answerer is None or not self._work.has_bytes(kept) or not await self._work.claim(kept):
            return None
        job = OpenJob(kept, self._work, answerer, self._meter, self._config.sizes, self._clock)
        job.on_ready = self._fill
        job.on_done = lambda lines: self._batches.pace.note(kept.job.project, lines, self._clock())
        key = _key(kept)
        self._jobs[key] = job
        self._lives[key] = task = asyncio.create_task(job.run())
        task.add_done_callback(lambda task: self._ended(key, task))
        if kept.job.project not in self._turns:
            self._turns.append(kept.job.project)
        return job

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        del self._jobs[key], self._lives[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, Aborted):
                log.error("batches/%s cannot go on now", key[1], exc_info=error)
            return  # it is taken up again at the next regular look
        self._woken.set()

    # -- which line -----------------------------------------------------------------------------------------

    def _fill(self) -> None:
        while self._busy < self._config.at_once and (job := self._next()) is not None:
            self._busy += 1
            job.begin().add_done_callback(self._free)

    def _free(self, task: asyncio.Task[None]) -> None:
        self._busy -= 1
        self._fill()

    def _next(self) -> OpenJob | None:
        """Return the job whose turn it is, and let its project wait until all others had theirs."""
        for project in self._turns:
            ready = [job for job in self._of(project) if job.ready()]
            if ready:
                self._turns.remove(project)
                self._turns.append(project)
                return min(ready, key=lambda job: order(job.kept.job))
        return None

    def _of(self, project: str) -> Iterable[OpenJob]:
        return (job for job in self._jobs.values() if job.kept.job.project == project)


def _key(kept: KeptJob) -> Key:
    return kept.job.project, kept.job.id
