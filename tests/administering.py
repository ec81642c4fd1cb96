"""Administration over a real database in a folder: acts with a clock that a test moves, and its routes."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from starlette.applications import Starlette

from geminid.catalog.pricebook import load_prices
from geminid.service.administration import Administration, administration_of
from geminid.service.digests import Digester
from geminid.service.keys import Keys
from geminid.service.prices import Book
from geminid.store.database import Database, sqlite_url
from geminid.web.admin.api import AdminApi

START_MS = 1_790_000_000_000
MODELS = ("small-model", "large-model")
DAY_MS = 86_400_000


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self, ms: int = START_MS) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


class Room(NamedTuple):
    """Everything of one start."""

    acts: Administration
    database: Database
    clock: Clock
    path: Path

    async def again(self, *configured: str) -> Keys:
        """The keys as another process sees them, which remembers nothing."""
        return Keys(self.database, await Digester.open(self.database), configured, self.clock)


@asynccontextmanager
async def administering(
    folder: Path, *configured: str, clock: Clock | None = None, url: str = ""
) -> AsyncIterator[Room]:
    """Open what administers a database, as a server does; without a ``url``, one in the folder."""
    path = folder / "geminid.db"
    database = await Database.open(url or sqlite_url(path))
    clock = clock or Clock()
    try:
        book = Book(load_prices(), database)
        acts = await administration_of(database, book, configured=configured, models=MODELS, now_ms=clock)
        yield Room(acts, database, clock, path)
    finally:
        await database.close()


class Client:
    """Asks the routes of administration, as the bearer of a token."""

    def __init__(self, room: Room, http: httpx.AsyncClient, token: str) -> None:
        self.room, self.http, self.token = room, http, token

    async def ask(
        self, method: str, path: str, json=None, *, token: str | None = None, **options
    ) -> httpx.Response:
        bearer = self.token if token is None else token
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return await self.http.request(method, f"/admin/v1{path}", json=json, headers=headers, **options)

    async def done(self, method: str, path: str, json=None, **options):
        """Ask, and return what a success says."""
        answer = await self.ask(method, path, json, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@asynccontextmanager
async def asking(folder: Path) -> AsyncIterator[Client]:
    """The routes of administration over a fresh database, and the token of an administrator."""
    async with administering(folder, clock=Clock(next(_LATER))) as room:
        app = Starlette(routes=AdminApi(room.acts, "0.0.0").routes())
        made = await room.acts.tokens.create("test", "tests")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://geminid") as http:
            yield Client(room, http, made.words)


_LATER = itertools.count(START_MS)
