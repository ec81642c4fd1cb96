"""What the vectors of one file cost, paid once they are kept.

Nobody pays for vectors that are lost with a process, or thrown away because their file was removed meanwhile.
Only what has waited too long is paid before, since what is held for it has an end. It knows no file.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from geminid.core import clock
from geminid.core.errors import Unavailable
from geminid.service.meter import Charge

PAID_WITHIN_S = 600.0
"""Less than any hold lives that is made with the default settings."""
RETRY_S = 5.0


class Pays(Protocol):
    """Whatever charges: :class:`geminid.service.meter.Meter`."""

    async def pay(self, charge: Charge) -> object:
        """Charge what was deferred."""

    async def give_up(self, charge: Charge) -> None:
        """Release what was held for an answer that nobody will have."""


class Bill:
    """The deferred charges of one file."""

    def __init__(self, meter: Pays, clock: clock.Clock = clock.monotonic) -> None:
        self._meter = meter
        self._clock = clock
        self._due: list[Charge] = []
        self._since_s = 0.0

    async def add(self, charge: Charge | None) -> None:
        """Take one more charge; None where nothing is metered."""
        if charge is None:
            return
        if not self._due:
            self._since_s = self._clock()
        self._due.append(charge)
        if self._clock() - self._since_s >= PAID_WITHIN_S:
            await self.pay()

    async def pay(self) -> None:
        """Charge everything, however long the database is away."""
        while self._due:
            try:
                await self._meter.pay(self._due[0])
                self._due.pop(0)
            except Unavailable:
                await asyncio.sleep(RETRY_S)

    async def give_up(self) -> None:
        """Release what was not paid; what was is not given back."""
        while self._due:
            await self._meter.give_up(self._due.pop())
