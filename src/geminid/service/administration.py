"""All acts of administration over one database, in one value: for the routes and for the command line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from geminid.service.acting import NowMs, now_ms
from geminid.service.batch_desk import BatchDesk
from geminid.service.budgets import Budgets
from geminid.service.cache_book import CacheBook
from geminid.service.catalogue import Aliases, Book, PriceList
from geminid.service.credits import Credits
from geminid.service.digests import Digester
from geminid.service.hooks import HookSigner
from geminid.service.keys import Keys
from geminid.service.limits import LimitsService
from geminid.service.projects import Projects
from geminid.service.reconcile import Reconciler
from geminid.service.recorder import Recorder
from geminid.service.statements import Statements
from geminid.service.tokens import Tokens
from geminid.service.trail import Trail
from geminid.service.usage import UsageBook
from geminid.store.database import Database


class Administration(NamedTuple):
    """Everything that an operator can do, and what time it is. Opened with :func:`administration_of`."""

    projects: Projects
    limits: LimitsService
    keys: Keys
    tokens: Tokens
    credits: Credits
    prices: PriceList
    aliases: Aliases
    trail: Trail
    usage: UsageBook
    statements: Statements
    reconciler: Reconciler
    budgets: Budgets
    batches: BatchDesk
    hooks: HookSigner
    recorder: Recorder
    caches: CacheBook
    now_ms: NowMs


async def administration_of(
    database: Database,
    book: Book,
    *,
    configured: Sequence[str] = (),
    models: Collection[str] = (),
    recorder: Recorder | None = None,
    now_ms: NowMs = now_ms,
) -> Administration:
    """Return what administers a database.

    configured: keys of the settings. models: of the catalogue. recorder: of the server, if this is one.
    """
    digester = await Digester.open(database)
    projects, usage = Projects(database, now_ms), UsageBook(database, now_ms)
    return Administration(
        projects=projects,
        limits=LimitsService(database, projects, now_ms),
        keys=Keys(database, digester, configured, now_ms),
        tokens=Tokens(database, digester, now_ms),
        credits=Credits(database, now_ms),
        prices=PriceList(database, book, now_ms),
        aliases=Aliases(database, models, now_ms),
        trail=Trail(database),
        usage=usage,
        statements=Statements(database, now_ms),
        reconciler=Reconciler(usage),
        budgets=Budgets(database, now_ms),
        batches=BatchDesk(database, now_ms),
        hooks=await HookSigner.open(database),
        recorder=recorder or Recorder(0, now_ms),
        caches=CacheBook(database, now_ms),
        now_ms=now_ms,
    )
