"""How interactions end, and that they are kept as they ended: well, left, stopped, failed.

It knows no wire and no engine. Invariant: an end is kept once; what was charged stays as it is, whatever its
reader meets afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import msgspec

from geminid.core.errors import Cancelled, Internal, Problem
from geminid.core.interaction import Fault, Interaction, fault_of
from geminid.service.interaction_background import ShutDown
from geminid.service.interaction_shelf import Shelf
from geminid.service.interaction_work import Work

log = logging.getLogger("geminid.interactions")


class Ends:
    """The ends of one process's interactions. forget: is told of each that has ended."""

    def __init__(self, shelf: Shelf, now_ms: Callable[[], int], forget: Callable[[Work], None]) -> None:
        self._shelf = shelf
        self._now_ms = now_ms
        self._forget = forget
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def around(self, work: Work) -> AsyncIterator[None]:
        """Whatever leaves it: the interaction has ended then, and is kept."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, Problem):
                work.problem = error
            await self._shielded(self.end(work, error))
            raise
        else:
            await self._shielded(self.end(work, None))

    async def _shielded(self, ending: Coroutine[None, None, None]) -> None:
        """Do it to its end, although whoever waits for it may be cancelled, also again."""
        task = asyncio.create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    async def end(self, work: Work, error: BaseException | None) -> None:
        """Keep how an interaction ended: with an error, or because its reader left."""
        await work.kept()
        try:
            if not work.log.closed:  # else it is kept and paid, whatever its reader met afterwards
                failed = isinstance(error, Exception) and not isinstance(error, Cancelled)
                if failed or not work.interaction.ended:
                    await self._end_early(work, error)
        except Problem as problem:
            log.warning("the end of interaction %s cannot be kept: %s", work.interaction.id, problem)
        finally:
            work.log.close(work.interaction)
            self._forget(work)

    async def _end_early(self, work: Work, error: BaseException | None) -> None:
        """Keep one that was left, stopped or has failed: unless nobody was told that it ever began."""
        if isinstance(error, ShutDown) and work.can_wait:
            await self._shelf.release(work.interaction)
            return
        fault = _fault_of(error)
        ended = msgspec.structs.replace(
            work.interaction,
            status="failed" if fault else "cancelled",
            steps=work.cut(),
            updated_ms=self._now_ms(),
            fault=fault,
        )
        untold = not work.interaction.background and (work.whole or not work.accepted.is_set())
        try:
            if not untold:
                await self.keep(work, ended)
        finally:
            work.interaction = ended

    async def keep(self, work: Work, ended: Interaction) -> None:
        """Keep an interaction that has ended, if it is to be."""
        if work.deleted or not ended.stored:
            return
        events = work.told() if work.new.resumable or ended.background else None
        if ended.background or work.added:
            await self._shelf.put(ended, work.new.chain, events)
        else:
            await self._shelf.add(ended, work.new.chain, events=events)
            work.added = True


def _fault_of(error: BaseException | None) -> Fault | None:
    """Return what is kept of why an interaction ended early; None when it was left or cancelled."""
    if isinstance(error, Cancelled):
        return None
    if isinstance(error, Problem):
        return fault_of(error)
    if isinstance(error, Exception):
        return fault_of(Internal("Internal error encountered."))
    return None
