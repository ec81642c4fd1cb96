"""One job that this process is at work on: read ahead, hand out, keep results, put the output together.

It decides nothing about other jobs and starts nothing by itself; the runner hands its work to slots.
Invariant: every line ends with exactly one result in the output, whatever happens in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from geminid.bulk.commits import Commits, Entry
from geminid.bulk.index import Index, Seen
from geminid.bulk.journal import Journal, Kind
from geminid.bulk.output import Results, Source, write_output
from geminid.bulk.planning import Planned, Planner, Window
from geminid.bulk.recovery import Recovered, recover
from geminid.bulk.work import Answered, Answerer, BrokenOff, Name, Work
from geminid.core.batch import BatchState
from geminid.core.clock import Clock
from geminid.core.errors import (
    Aborted,
    Cancelled,
    DeadlineExceeded,
    Internal,
    OutOfCredits,
    Problem,
    QuotaExceeded,
    Unavailable,
)
from geminid.service.batch_paying import PayLate
from geminid.service.batch_work import BatchWork, Ending, request_id
from geminid.service.meter import Meter
from geminid.store.batches import KeptJob
from geminid.store.lines import RawLine

TRIES_MAX = 5
"""How often a line is asked again whose engine failed in the middle of it."""
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Between tries, by how many in a row were refused for a reason that passes."""
PASSING = (Unavailable, QuotaExceeded, OutOfCredits, Aborted)
SOON_S, EPSILON_S = 0.05, 0.01
TELL_S = 1.0
LEAVE_S = 1.5
"""How long a server that stops waits for results that are there to be kept and paid."""

log = logging.getLogger("geminid.batches")


AGAIN_S = 1.0
HOLD_MS = 60_000


class Sizes(NamedTuple):
    """line_bytes_max: of one line. lines_ahead, bytes_ahead: what is read at a time."""

    line_bytes_max: int
    lines_ahead: int
    bytes_ahead: int


class OpenJob:
    """Made by :meth:`open`. ``kept`` may be replaced by a newer row of the same job."""

    def __init__(
        self,
        kept: KeptJob,
        work: BatchWork,
        answerer: Answerer,
        meter: Meter | None,
        sizes: Sizes,
        clock: Clock,
    ) -> None:
        self.kept = kept
        self._work = work
        self._answerer = answerer
        self._meter = meter
        self._sizes = sizes
        self._clock = clock
        self._first_life = kept.job.state == "pending"
        self._queue: deque[Work] = deque()
        self._alike: dict[bytes, Work] = {}
        self.slots: set[asyncio.Task[None]] = set()
        self._drained = False
        self._planning: asyncio.Future[Window] | None = None
        self._changed = asyncio.Event()
        self._refusals = 0
        self._delayed = 0
        self._limit = self._limit_max = 4 * sizes.lines_ahead
        self._streak = 0
        self._not_before_s = 0.0
        self._note = ""
        self.ending: BatchState | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_done: Callable[[int], None] = lambda lines: None

    # -- what the runner asks ---------------------------------------------------------------------------

    @property
    def drained(self) -> bool:
        """Whether nothing is left to be begun, so that the next job of the project may begin."""
        return (self._drained and not self._queue and not self._delayed) or self.ending is not None

    def ready(self) -> bool:
        """Whether a slot may have work of this job now."""
        if not self._queue or self.ending is not None or self._clock() < self._not_before_s:
            return False
        return len(self.slots) + self._commits.backlog < self._limit

    def begin(self) -> asyncio.Task[None]:
        """Begin with the next work; the task ends when its slot is free."""
        work = self._queue.popleft()
        if len(self._queue) <= self._sizes.lines_ahead // 2:
            self._changed.set()
        task = asyncio.create_task(self._do(work))
        self.slots.add(task)
        task.add_done_callback(self._left)
        return task

    def stop(self, state: BatchState) -> None:
        """Bring it to its end: nothing more is begun, what is being answered is left."""
        if self.ending is None:
            self.ending = state
            for task in self.slots:
                task.cancel()
            self._changed.set()

    # -- its life ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Answer everything and close the job. Cancelled, it keeps what is answered and lets go."""
        with ExitStack() as stack:
            try:
                recovered = await asyncio.to_thread(self._open, stack)
            except OSError as error:
                await self._close_failed(f"The requests of the batch cannot be read: {error.strerror}.")
                return
            self._commits = Commits(self._journal, self._index, self._meter)
            self._commits.counts.update(recovered.counts)
            self._commits.on_settled = self.on_ready
            committing = asyncio.create_task(self._commits.run())
            committing.add_done_callback(partial(_leave, asyncio.current_task()))
            tasks = [committing]
            try:
                told = self.kept.job.succeeded, self.kept.job.failed
                await self._work.tell(self.kept, *told)  # from now on it has lived before
                await self._pay_late(recovered)
                tasks.append(telling := asyncio.create_task(self._tell()))  # of what is paid alone
                await self._answer()
                await self._commits.flush()
                telling.cancel()
                await self._close()
            finally:
                await self._let_go(*tasks)

    async def _answer(self) -> None:
        while self.ending is None:
            self._changed.clear()
            if not self._drained and len(self._queue) <= self._sizes.lines_ahead // 2:
                await self._read_ahead()
                continue
            if self.drained and not self.slots:
                return
            await self._changed.wait()
        while self.slots:
            await asyncio.wait(self.slots)

    async def _read_ahead(self) -> None:
        self._planning = planning = asyncio.ensure_future(asyncio.to_thread(self._planner.window))
        window = await asyncio.shield(planning)
        self._drained = window.last
        for record in window.results:
            self._keep(record.number, record.kind, record.result, None)
        for planned in window.planned:
            self._enqueue(planned)
        self.on_ready()

    def _enqueue(self, planned: Planned) -> None:
        prepared = planned.prepared
        alike = self._alike.get(prepared.digest) if prepared.digest else None
        if alike is not None and alike.active:
            alike.lines.append(planned.asked)
            return
        known = planned.known or (alike.known if alike is not None else None)
        work = Work(prepared=prepared, lines=deque([planned.asked]), known=known)
        if prepared.digest and known is None:
            self._alike[prepared.digest] = work
        self._queue.append(work)

    def _left(self, task: asyncio.Task[None]) -> None:
        self.slots.discard(task)
        self._changed.set()

    async def _let_go(self, *tasks: asyncio.Task[None]) -> None:
        """Leave what is being answered, and keep what is answered if that can be done soon."""
        for task in self.slots:
            task.cancel()
        await asyncio.gather(*self.slots, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if tasks[0].done() else LEAVE_S):
                await self._commits.flush()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._commits.close()
        if self._planning is not None:
            await asyncio.wait([self._planning])

    # -- one slot ----------------------------------------------------------------------------------------

    async def _do(self, work: Work) -> None:
        try:
            while work.lines and self.ending is None:
                answered = await self._answered(work)
                asked, work.again = work.lines.popleft(), False
                self._passed()
                name = request_id(self.kept.job, asked.number)
                result = self._answerer.lines.result(asked.line, answered.body, name)
                work.known = work.known or answered.known
                self._keep(asked.number, Kind.ANSWER, result, answered, self._forgetting(work))
                self.on_done(1)
            work.active = False
        except PASSING as problem:
            self._refused(work, problem)
        except Problem as problem:
            self._failed(work, problem)
        except Exception:
            log.exception("a line of batch %s cannot be answered", self.kept.job.id)
            self._failed(work, Internal("Internal error encountered."))

    async def _answered(self, work: Work) -> Answered:
        job, number = self.kept.job, work.lines[0].number
        name = Name(request_id(job, number), fresh=self._first_life and not work.again)
        work.again = True
        if work.known is not None:
            return await self._answerer.copy(job, work.known, name)
        return await self._answerer.answer(job, work.prepared, name)

    def _passed(self) -> None:
        """A line was let through: dare a little more."""
        self._refusals, self._not_before_s, self._note = 0, 0.0, ""
        self._streak += 1
        if self._streak >= self._limit:
            self._streak, self._limit = 0, min(self._limit + 1 + self._limit // 16, self._limit_max)

    def _refused(self, work: Work, problem: Problem) -> None:
        """Try again later, unless it is known that this line will never pass."""
        if isinstance(problem, QuotaExceeded) and problem.retry_after_ms is None:
            self._failed(work, problem)
            return
        if isinstance(problem, BrokenOff):
            work.tries += 1
            if work.tries >= TRIES_MAX:
                self._failed(work, problem)
                return
        self._note = problem.message
        others = len(self.slots) - 1 + self._commits.backlog
        if (
            others > 0
        ):  # what is refused beside others may pass beside fewer: it may be credits, or a full queue
            self._limit = max(1, min(self._limit, others * 9 // 10))
            after_s = SOON_S
        else:
            after_s = PAUSES_S[min(self._refusals, len(PAUSES_S) - 1)]
            self._refusals += 1
            self._not_before_s = self._clock() + after_s
        self._delayed += 1
        asyncio.get_running_loop().call_later(after_s + EPSILON_S, self._take_back, work)

    def _take_back(self, work: Work) -> None:
        self._delayed -= 1
        self._queue.appendleft(work)
        self._changed.set()
        self.on_ready()

    def _failed(self, work: Work, problem: Problem) -> None:
        """Answer all lines that ask this with the same refusal."""
        work.active = False
        self._alike.pop(work.prepared.digest, None)
        lines, work.lines = work.lines, deque()
        for asked in lines:
            name = request_id(self.kept.job, asked.number)
            result = self._answerer.lines.failure(asked.line, problem, name)
            self._keep(asked.number, Kind.ERROR, result, None)
        self.on_done(len(lines))

    def _keep(
        self,
        number: int,
        kind: Kind,
        result: bytes,
        answered: Answered | None,
        done: Callable[[], None] | None = None,
    ) -> None:
        charge = answered.charge if answered is not None else None
        self._commits.put(Entry(number, kind, result, charge, done))

    def _forgetting(self, work: Work) -> Callable[[], None] | None:
        """Once it is kept, its answer is found in the journal."""
        digest = work.prepared.digest
        if not digest:
            return None

        def forget() -> None:
            if self._alike.get(digest) is work and not work.active:
                del self._alike[digest]

        return forget

    # -- beginning and end ---------------------------------------------------------------------------------

    def _open(self, stack: ExitStack) -> Recovered:
        path = self._path
        self._journal = Journal(path("journal"))
        stack.callback(self._journal.close)
        lines = self.kept.job.lines
        self._index = Index(path("index"), lines)
        stack.callback(self._index.close)
        seen = Seen(path("seen"), lines)
        stack.callback(seen.close)
        job = self.kept.job
        recovered = recover(self._journal, self._index, job.succeeded + job.failed)
        self._planner = Planner(
            self.kept.job,
            path("input"),
            self._journal,
            self._index,
            seen,
            self._answerer,
            line_bytes_max=self._sizes.line_bytes_max,
            lines_max=self._sizes.lines_ahead,
            bytes_max=self._sizes.bytes_ahead,
        )
        stack.callback(self._planner.close)
        return recovered

    def _path(self, part: str) -> Path:
        return self._work.path(self.kept, part)

    async def _pay_late(self, recovered: Recovered) -> None:
        """Have paid what was kept in another life and not paid; all of it together."""
        if self._meter is None:
            return
        left = recovered.due
        while left:
            acts = [PayLate(row, self._meter.owner, HOLD_MS) for row in left]
            outcomes = await asyncio.gather(*map(self._meter.do, acts), return_exceptions=True)
            pairs = list(zip(left, outcomes, strict=True))
            for row, outcome in pairs:
                if isinstance(outcome, Exception) and not isinstance(outcome, Unavailable):
                    log.error("request %s cannot be charged: %r", row.request, outcome)
            if left := [row for row, outcome in pairs if isinstance(outcome, Unavailable)]:
                await asyncio.sleep(AGAIN_S)

    async def _tell(self) -> None:
        """Write again and again how far it is."""
        told: tuple[int, int, str] | None = None
        while True:
            now = (*self._counts(), self._commits.fault or self._note)
            if now != told:
                try:
                    await self._work.tell(self.kept, *now)
                    told = now
                except Unavailable as problem:
                    log.warning("batch %s: %s", self.kept.job.id, problem.message)
            await asyncio.sleep(TELL_S)

    def _counts(self) -> tuple[int, int]:
        counts = self._commits.counts
        return counts[Kind.ANSWER], counts[Kind.ERROR] + counts[Kind.UNREAD]

    async def _close(self) -> None:
        """Put the output together and end the job."""
        job, (succeeded, failed) = self.kept.job, self._counts()
        state = self.ending or "succeeded"
        if state == "succeeded" and self._commits.counts[Kind.UNREAD] == job.lines:
            await self._close_failed("No line of the batch is a request.", "INVALID_ARGUMENT", failed)
            return
        finalizing_ms = self._work.now_ms()
        results = await self._results(state)
        ending = Ending(
            state=state,
            succeeded=succeeded,
            failed=failed,
            output=results.output,
            errors=results.errors,
            usage=results.usage,
            finalizing_ms=finalizing_ms,
        )
        await self._work.close(self.kept, ending)

    async def _results(self, state: BatchState) -> Results:
        problem, lines = EXPIRED if state == "expired" else CANCELLED, self._answerer.lines

        def unanswered(number: int, raw: RawLine) -> bytes:
            whole, name = bool(raw.data), request_id(self.kept.job, number)
            line = lines.read(raw.data, number + 1) if whole else lines.refused(number + 1, "it is too long.")
            return lines.failure(line, line.fault or problem, name)

        source = Source(
            self._path("input"), self._sizes.line_bytes_max, self._journal, self._index, unanswered
        )
        errors = self._path("errors") if lines.apart else None
        while True:
            try:
                return await asyncio.to_thread(write_output, self._path("output"), errors, source)
            except OSError as error:
                log.error(
                    "the results of batch %s cannot be kept now: %s", job_name(self.kept), error.strerror
                )
                await asyncio.sleep(AGAIN_S)

    async def _close_failed(self, fault: str, code: str = "INTERNAL", failed: int = 0) -> None:
        ending = Ending(state="failed", failed=failed, fault_code=code, fault=fault)
        await self._work.close(self.kept, ending)


EXPIRED = DeadlineExceeded("The batch expired before this request was answered.")
CANCELLED = Cancelled("The batch was cancelled before this request was answered.")


def job_name(kept: KeptJob) -> str:
    """Return what a job is called in logs."""
    return f"batches/{kept.job.id}"


def _leave(running: asyncio.Task[None] | None, committing: asyncio.Task[None]) -> None:
    """End the job's task where what keeps its results has failed; it is taken up again."""
    if not committing.cancelled() and committing.exception() is not None and running is not None:
        log.error("a batch cannot go on", exc_info=committing.exception())
        running.cancel()
