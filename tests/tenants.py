"""Projects with keys, credits and limits, made in the database of servers that run or will run."""

import asyncio
from typing import Any

from geminid.billing.audit import Report, verify
from geminid.billing.orders import Credit
from geminid.billing.standing import LimitRules
from geminid.service.credits import Credits
from geminid.service.digests import Digester
from geminid.service.keys import Keys
from geminid.service.projects import Projects
from geminid.store import ledger, projects, usage
from geminid.store.database import Database
from geminid.store.usage import UsageRow

PRICES = """
use = ""
[[price]]
key = "scripted"
input = "1"
output = "2"
"""
"""A dollar for a million tokens in, two for a million out: 1,000 and 2,000 nano-dollars for one."""


async def _with(url: str, act: Any) -> Any:
    database = await Database.open(url)
    try:
        return await act(database)
    finally:
        await database.close()


def tenant(url: str, name: str, credit_nano: int = 0, mode: str = "prepaid", **limits: Any) -> str:
    """Make a project and return a key of it."""

    async def act(database: Database) -> str:
        made = await Projects(database).create("test", name, mode=mode)
        if limits:
            row = type(made)(
                **{**{n: getattr(made, n) for n in made.__struct_fields__}, "limits": LimitRules(**limits)}
            )
            await database.write(lambda connection: projects.put(connection, row))
        if credit_nano:
            order = Credit(kind="top_up", key="first", amount_nano=credit_nano)
            await Credits(database).enter("test", name, order)
        keys = Keys(database, await Digester.open(database))
        return (await keys.create("test", name, "a key")).words

    return asyncio.run(_with(url, act))


def rows_of(url: str, project: str) -> tuple[UsageRow, ...]:
    """All usage of a project."""
    return asyncio.run(
        _with(url, lambda db: db.read(lambda c: usage.page(c, project, 0, 2**60, None, 1_000_000)))
    )


def balance_of(url: str, project: str):
    """A project's balance."""
    return asyncio.run(_with(url, lambda db: db.read(lambda c: ledger.find(c, project))))


def proved(url: str) -> Report:
    """Replay the whole ledger; what does not fit fails the test."""

    def act(connection):
        return verify(list(ledger.all_transfers(connection)), list(ledger.all_balances(connection)))

    report = asyncio.run(_with(url, lambda db: db.read(act)))
    assert report.sound, report.misfit
    return report
