"""Taking turns at what can be done a few times at once. It knows nothing of what is done.

Invariant: no more than ``at_once`` have their turn, and no more than ``waiting_max`` wait for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from geminid.core.errors import Unavailable


class BoundedQueue:
    """Used on one event loop only. ``wanted`` says in a refusal what the others wait for."""

    def __init__(self, at_once: int, waiting_max: int, wanted: str, retry_after_ms: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._waiting_max = waiting_max
        self._wanted = wanted
        self._retry_after_ms = retry_after_ms
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have a turn as long as the context lasts; raises ``Unavailable`` when too many wait for one."""
        if self._waiting >= self._waiting_max:
            raise Unavailable(
                f"{self._waiting} files wait to be {self._wanted} already.",
                retry_after_ms=self._retry_after_ms,
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
