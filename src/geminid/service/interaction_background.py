"""Interactions that run although nobody waits: so many of a project at once, the others in a queue.

What has told nothing yet survives the end of its process: whoever comes next runs it. It knows no wire and no
engine. Invariant: each is run by one process at a time, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from geminid.core.errors import Problem, Unavailable
from geminid.core.interaction import Interaction
from geminid.service.interaction_bytes import Waiting
from geminid.service.interaction_limits import InteractionLimits
from geminid.service.interaction_shelf import Left, Shelf
from geminid.service.interaction_work import Asking, Work

LOOK_EVERY_S = 1.0
TAKE_UP_EVERY = 5
SWEEP_EVERY = 60
"""In looks."""
CANCELLED_WITHIN_S = 10.0

log = logging.getLogger("geminid.interactions")

Answer = Callable[[Work, Asking, AbstractAsyncContextManager[object]], Awaitable[None]]


class ShutDown(Unavailable):
    """The server that runs an interaction is stopped."""

    def __init__(self) -> None:
        super().__init__("The server was shut down before this interaction had ended; run it again.")


class Background:
    """The tasks of one process. answer: answers an interaction when its turn has come, and keeps its end.
    take_up: makes the work of one that another process has left, or ends it."""

    def __init__(
        self,
        shelf: Shelf,
        limits: InteractionLimits,
        answer: Answer,
        take_up: Callable[[Left], Awaitable[tuple[Work, Asking] | None]],
        now_ms: Callable[[], int],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._shelf = shelf
        self._limits = limits
        self._answer = answer
        self._take_up = take_up
        self._now_ms = now_ms
        self._look_every_s = look_every_s
        self._running: dict[asyncio.Task[None], Work] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._using: Counter[str] = Counter()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    async def begin(self, work: Work, asking: Asking) -> Interaction:
        """Keep an interaction and run it; see :meth:`Interactions.begin`."""
        if self._closed:
            raise Unavailable("The server is shutting down.")
        queued, new = work.interaction, work.new
        waiting = None
        if work.tools is None:  # functions that run here do not outlive their process
            waiting = Waiting(
                request=new.request,
                caller=work.caller,
                resumable=new.resumable,
                request_id=asking.request_id,
                traceparent=asking.traceparent,
            )
        await self._shelf.add(queued, new.chain, waiting=waiting)
        task = self._start(work, asking)
        if not self._turns[queued.project].locked():
            await self._refused(task, work)
        return queued

    async def cancel(self, interaction: Interaction) -> Interaction:
        """Have one stopped that runs in another process, and return it when it has ended."""
        await self._shelf.ask_to_cancel(interaction)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CANCELLED_WITHIN_S):
                while not interaction.ended:
                    await asyncio.sleep(self._look_every_s / 4)
                    interaction = await self._shelf.get(
                        interaction.project, interaction.wire, interaction.id, self._now_ms()
                    )
        return interaction

    async def start(self) -> None:
        """Take up what was left, and look again and again; what has expired is removed by and by."""
        await self._take_up_left()
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Let what runs finish for a moment; then stop it."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._running and self._limits.grace_ms:
            await asyncio.wait(set(self._running), timeout=self._limits.grace_ms / 1000)
        tasks = dict(self._running)
        for work in tasks.values():
            work.stop(ShutDown())
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- tasks -------------------------------------------------------------------------------------

    def _start(self, work: Work, asking: Asking) -> asyncio.Task[None]:
        work.on_produced = self._produced
        project = work.interaction.project
        self._turns.setdefault(project, asyncio.Semaphore(self._limits.running_max))
        self._using[project] += 1
        task = asyncio.create_task(self._run(work, asking))
        self._running[task] = work
        return task

    async def _run(self, work: Work, asking: Asking) -> None:
        project = work.interaction.project
        try:
            await self._answer(work, asking, self._turns[project])
        except Problem as problem:  # kept as the interaction's fault
            log.debug("interaction %s: %s", work.interaction.id, problem)
        except Exception:
            log.exception("interaction %s failed", work.interaction.id)
        finally:
            self._using[project] -= 1
            if not self._using[project]:
                del self._using[project], self._turns[project]
            self._running.pop(asyncio.current_task(), None)  # type: ignore[arg-type]

    async def _refused(self, task: asyncio.Task[None], work: Work) -> None:
        """Wait a moment for a refusal; raise it, with the interaction gone as if it had never been."""
        accepting = asyncio.create_task(work.accepted.wait())
        try:
            timeout_s = self._limits.refused_ms / 1000
            await asyncio.wait({task, accepting}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            accepting.cancel()
        if task.done() and work.problem is not None and not work.accepted.is_set() and work.why is None:
            gone = work.interaction
            await self._shelf.remove(gone.project, gone.wire, gone.id, self._now_ms())
            raise work.problem

    async def _produced(self, work: Work) -> None:
        await self._shelf.produced(work.interaction)

    # -- looking -----------------------------------------------------------------------------------

    async def _look(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(self._look_every_s)
            looks += 1
            try:
                await self._stop_cancelled()
                if not looks % TAKE_UP_EVERY:
                    await self._take_up_left()
                if looks % SWEEP_EVERY == 1:
                    await self._shelf.sweep(self._now_ms())
            except Problem as problem:
                log.warning("interactions are looked at again soon: %s", problem)
            except Exception:
                log.exception("interactions are looked at again soon")

    async def _stop_cancelled(self) -> None:
        if not self._running:
            return
        wanted = set(await self._shelf.cancelling())
        for work in tuple(self._running.values()):
            if work.key in wanted:
                work.stop()

    async def _take_up_left(self) -> None:
        for left in await self._shelf.left():
            taken = await self._take_up(left)
            if taken is not None:
                self._start(*taken)
