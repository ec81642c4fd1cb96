"""The events of one interaction, for any number of readers: those who were there from the start, and late
ones.

It is kept whole, so every reader sees the same events in the same order, whenever he comes; it is as long as
its answers, which are bounded. Used on one event loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from geminid.core.interaction import Ended, Interaction, InteractionEvent, StepEvent


class EventLog:
    """Written by one, read by many. ``events`` is what was written so far."""

    def __init__(self) -> None:
        self.events: list[StepEvent] = []
        self._end: Ended | None = None
        self._more = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether its end was written."""
        return self._end is not None

    def append(self, event: StepEvent) -> None:
        """Write one more event."""
        self.events.append(event)
        self._wake()

    def close(self, interaction: Interaction) -> Ended:
        """Write the end; return its event. Of several ends the first one stands."""
        if self._end is None:
            self._end = Ended(interaction)
            self._wake()
        return self._end

    async def ended(self) -> Interaction:
        """Wait for the end and return the interaction as it is then."""
        while self._end is None:
            await self._more.wait()
        return self._end.interaction

    async def read(self) -> AsyncIterator[InteractionEvent]:
        """Yield all events from the first on, the last one when it is written."""
        place = 0
        while True:
            more = self._more
            while place < len(self.events):
                yield self.events[place]
                place += 1
            if self._end is not None:
                yield self._end
                return
            await more.wait()

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()
