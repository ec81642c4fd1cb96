"""A meter over a real database, with a clock that a test moves, for projects that are set up in one line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from geminid.billing import audit, ledger
from geminid.billing.orders import Credit
from geminid.billing.prices import PriceBook
from geminid.billing.standing import LimitRules
from geminid.core.caller import Caller
from geminid.core.money import parse_dollars
from geminid.core.price import Price
from geminid.core.usage import Usage
from geminid.service.meter import Charge, Meter, Times
from geminid.store import ledger as ledger_rows
from geminid.store import projects, usage
from geminid.store.database import Database
from geminid.store.hot import Hot
from geminid.store.projects import Project

NOW_MS = 1_790_000_000_000
MODEL = "tiny"
FAR_MS = NOW_MS * 2


class Clock:
    """Milliseconds that stand still until they are moved."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def __call__(self) -> int:
        return self.ms


class Prices:
    """One model, a dollar for a million tokens in, two for a million out."""

    def __init__(self, *, input_dollars: str | None = "1", output_dollars: str | None = "2") -> None:
        lines = (("input", input_dollars), ("output", output_dollars))
        self.book = PriceBook.of(
            Price(key=MODEL, kind=kind, nano_per_million=parse_dollars(dollars))
            for kind, dollars in lines
            if dollars is not None
        )

    def sheet(self, names, tier, time_ms):
        return next((found for name in names if (found := self.book.sheet(name, tier, time_ms))), None)


class House:
    """Everything that money needs, opened."""

    def __init__(self, database: Database, clock: Clock, prices: Any, owner: str) -> None:
        self.database = database
        self.clock = clock
        self.hot = Hot(database.engine, clock)
        self.meter = Meter(
            self.hot, prices, owner=owner, ttl_ms=60_000, now_ms=clock, pauses_s=(0.01, 0.02, 0.1)
        )
        self.numbers = 0

    async def project(
        self, name: str = "p", credit_nano: int = 0, mode: str = "prepaid", **limits: Any
    ) -> Caller:
        """Make a project with credits and return a caller of it, with a key of no row."""
        rules = LimitRules(**limits)
        row = Project(id=name, mode=mode, tier="unlimited", limits=rules, created_ms=1, updated_ms=1)

        def act(connection):
            projects.add(connection, row)
            if credit_nano:
                balance = ledger_rows.lock(connection, name)
                order = Credit(kind="top_up", key="first", amount_nano=credit_nano)
                entered = ledger.credit(balance, order, None, self.clock())
                ledger_rows.enter(connection, entered.balance, entered.rows)

        await self.database.write(act)
        return Caller(project=name)

    def open(self, caller: Caller, request: str = "", **said: Any) -> Charge:
        self.numbers += 1
        fields = {"model": MODEL, "asked": MODEL, "tier": "standard", "labels": {}, **said}
        return self.meter.open(f"{self.meter._owner}-{self.numbers}", caller, request=request, **fields)

    async def admitted(self, caller: Caller, prompt: int = 10, tokens_max: int = 10, **said: Any) -> Charge:
        charge = self.open(caller, **said)
        await self.meter.admit(charge, Usage(prompt=prompt), tokens_max, 1)
        return charge

    async def settled(self, charge: Charge, usage: Usage, outcome: str = "finished") -> Charge:
        await self.meter.settle(charge, usage, outcome, Times(took_ms=5))
        return charge

    async def balance(self, project: str = "p"):
        return await self.database.read(lambda c: ledger_rows.find(c, project))

    async def rows(self, project: str = "p"):
        return await self.database.read(lambda c: usage.page(c, project, 0, FAR_MS, None, 100_000))

    async def verified(self):
        """Prove the ledger, and that each row of usage says what was paid."""

        def act(connection):
            transfers = list(ledger_rows.all_transfers(connection))
            return audit.verify(transfers, list(ledger_rows.all_balances(connection)))

        report = await self.database.read(act)
        assert report.sound, report.misfit
        return report


@asynccontextmanager
async def house(
    url: str, *, prices: Any = None, clock: Clock | None = None, owner: str = "one"
) -> AsyncIterator[House]:
    """Open a house as a server does."""
    database = await Database.open(url)
    made = House(database, clock or Clock(), prices or Prices(), owner)
    try:
        yield made
    finally:
        await made.meter.close()
        await made.hot.close()
        await database.close()


async def together(*work):
    """Do everything at once and return what came of each, problems included."""
    return await asyncio.gather(*work, return_exceptions=True)
