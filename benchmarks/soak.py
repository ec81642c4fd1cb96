"""A long run: does the server's memory stay as it is, how much does the database grow, does it shrink?

A tenth of all requests fails, of each kind one in turn: refused by the engine, broken off, left by their
readers, late, without credits, over a limit, with a wrong key, body or model. Memory is that of the
server's process tree. At the end what was written is made two days older, and a server that keeps a day
of it is started.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.arms import LISTENING, Serving
from benchmarks.child import stop, usage, wait_until
from benchmarks.connection import Connection, connect
from benchmarks.figures import Figure, Goal, Outcome, Table, figure
from benchmarks.machine import ROOT

sys.path.insert(0, str(ROOT / "tests"))  # whose database server and projects these are

from sqlalchemy import text

from geminid.billing.standing import Override
from geminid.store.database import connect as connect_database
from postgres import postgres
from tenants import PRICES, proved, tenant

DAY_MS = 86_400_000
SETTLE_S = 2.0
"""What is under way when the clock is stopped has ended by then, and memory is what it will be."""
SCRIPT = """
[[rule]]
match = "^refused"
fail = "UNAVAILABLE"

[[rule]]
match = "^breaks"
text = " word"
repeat = 9
fail = "INTERNAL"
fail_after_tokens = 3

[[rule]]
match = "^slowly"
text = " word"
repeat = 20
token_ms = 10
"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``first``: how many requests have been answered when memory is first looked at."""

    requests: int = 100_000
    first: int = 1_000
    looks: int = 10
    clients: int = 16
    databases: tuple[str, ...] = ("sqlite", "postgresql")


QUICK = Plan(requests=3_000, looks=2, databases=("sqlite",))


class Kind(NamedTuple):
    """One kind of request: what is asked of whom, and the status that comes back; 0 is left unread."""

    status: int
    words: str
    verb: str = ":generateContent"
    key: str = "rich"
    model: str = "scripted"
    headers: str = ""
    body: str = ""


ANSWERED = Kind(200, "hello there, are you well")
FAILING = {
    "refused by the engine": Kind(503, "refused"),
    "broken off": Kind(500, "breaks"),
    "a stream that breaks off": Kind(200, "breaks", ":streamGenerateContent?alt=sse"),
    "left by its reader": Kind(0, "slowly", ":streamGenerateContent?alt=sse"),
    "later than asked for": Kind(504, "slowly", headers="x-server-timeout: 0.05\r\n"),
    "without credits": Kind(402, "hello", key="poor"),
    "over a limit": Kind(429, "hello", key="limited"),
    "with a wrong key": Kind(400, "hello", key="none"),
    "with a wrong body": Kind(400, "hello", body='{"contents": 7}'),
    "of an unknown model": Kind(404, "hello", model="unknown"),
}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand after so many requests."""

    database: str
    requests: int
    seconds: float
    rss_bytes: int
    database_bytes: int


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    looks: list[Look] = []
    runs: list[dict[str, Any]] = []
    with ExitStack() as stack:
        for name in plan.databases:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = f"sqlite:///{folder / 'geminid.db'}"
            if name == "postgresql":
                url = stack.enter_context(postgres()).database()
            for look in (soak := _Soak(name, folder, url, plan)).run():
                looks.append(look)
                say(f"{name}, {look.requests} requests: {look.rss_bytes / 2**20:.1f} MiB")
            runs.append(soak.told | soak.forget())
            say(f"{name}: {runs[-1]}")
    return Outcome(
        arguments=msgspec.to_builtins(plan),
        runs=[*map(msgspec.to_builtins, looks), *runs],
        tables=[_table(looks), _growth(looks, runs, plan)],
        goals=list(_goals(looks, plan)),
    )


class _Soak:
    """One long run over one database."""

    def __init__(self, name: str, folder: Path, url: str, plan: Plan) -> None:
        self._name = name
        self._folder = folder
        self._url = url
        self._plan = plan
        (folder / "prices.toml").write_text(PRICES)
        (folder / "script.toml").write_text(SCRIPT)
        (folder / "data").mkdir()
        self._keys = {
            "rich": tenant(url, "rich", 10**15),
            "poor": tenant(url, "poor"),
            "limited": tenant(url, "limited", 10**15, every_model=Override(rpm=0)),
            "none": "sk-" + "0" * 39,
        }
        self._numbers = itertools.count()
        self.told: dict[str, Any] = {"database": name}

    def run(self) -> Iterator[Look]:
        """Ask everything, and look now and then."""
        plan, answers = self._plan, Counter[str]()
        steps = [plan.first, *(plan.requests * n // plan.looks for n in range(1, plan.looks + 1))]
        began_s = time.monotonic()
        with self._serving() as server:
            for until in sorted(set(steps)):
                answers += asyncio.run(self._crowd(server.port, until))
                seconds = time.monotonic() - began_s
                time.sleep(SETTLE_S)
                yield Look(
                    database=self._name,
                    requests=until,
                    seconds=seconds,
                    rss_bytes=usage(server.process.pid).rss_bytes,
                    database_bytes=self._bytes(),
                )
        self.told |= {
            "answers": dict(answers),
            "rows": self._rows(),
            "transfers": proved(self._url).transfers,
        }

    def forget(self) -> dict[str, Any]:
        """Make every row of usage two days older, start a server that keeps one day, and look."""
        engine = connect_database(self._url)
        ago = 2 * DAY_MS
        older = f"UPDATE usage SET created_ms = created_ms - {ago}, settled_ms = settled_ms - {ago}"
        with engine.execution_options(writing=True).begin() as connection:
            connection.execute(text(older))
        engine.dispose()
        before = self._bytes()
        began_s = time.monotonic()
        with self._serving(GEMINID_BILLING_USAGE_DAYS="1"):
            listens_s = time.monotonic() - began_s
            wait_until(lambda: not self._rows(), 600, "rows that are too old are still there")
            took_s = time.monotonic() - began_s
        return {
            "listens_s": listens_s,
            "forgotten_s": took_s,
            "bytes_before": before,
            "bytes_after": self._bytes(),
            "rows_after": self._rows(),
            "sound_after": proved(self._url).sound,
        }

    async def _crowd(self, port: int, until: int) -> Counter[str]:
        """Ask until so many have been asked in all; return how often each kind was not as it should be."""
        wrong = Counter[str]()
        connections = await connect(port, self._plan.clients)

        async def client(connection: Connection) -> None:
            while (number := next(self._numbers)) < until:
                name, kind = _kind(number)
                if not connection.open:
                    (connection,) = await connect(port, 1)
                status = await _ask(connection, self._bytes_of(kind), leaves=not kind.status)
                wrong[name if status == kind.status else f"{name}: {status}"] += 1
            connection.close()

        await asyncio.gather(*map(client, connections))
        self._numbers = itertools.count(until)  # each client has taken one number too many
        return wrong

    def _bytes_of(self, kind: Kind) -> bytes:
        body = kind.body or json.dumps({"contents": [{"parts": [{"text": kind.words}]}]})
        return (
            f"POST /v1beta/models/{kind.model}{kind.verb} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"x-goog-api-key: {self._keys[kind.key]}\r\ncontent-type: application/json\r\n"
            f"{kind.headers}content-length: {len(body)}\r\n\r\n{body}"
        ).encode()

    @contextmanager
    def _serving(self, **environ: str) -> Iterator[Serving]:
        log = self._folder / "server.log"
        command = [sys.executable, "-m", "geminid.cli.main", "serve", "--port", "0", "--model", "scripted"]
        settings = {
            "GEMINID_SERVER_DATA": str(self._folder / "data"),
            "GEMINID_STORE_URL": self._url,
            "GEMINID_BILLING_PRICES": str(self._folder / "prices.toml"),
            "GEMINID_SCRIPTED_SCRIPT": str(self._folder / "script.toml"),
            "GEMINID_LOG_ACCESS": "false",
            **environ,
        }
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        try:
            wait_until(lambda: bool(LISTENING.search(log.read_text())), 600, "geminid does not listen")
            found = LISTENING.search(log.read_text())
            assert found
            yield Serving(process, int(found[1]))
        finally:
            stop(process)

    def _one(self, query: str) -> int:
        engine = connect_database(self._url)
        try:
            with engine.connect() as connection:
                return int(connection.execute(text(query)).scalar_one())
        finally:
            engine.dispose()

    def _rows(self) -> int:
        return self._one("SELECT count(*) FROM usage")

    def _bytes(self) -> int:
        """What the database takes in use: pages that are free and will be used again are left out."""
        if self._name == "postgresql":
            return self._one("SELECT pg_database_size(current_database())")
        pages, free = self._one("PRAGMA page_count"), self._one("PRAGMA freelist_count")
        return (pages - free) * self._one("PRAGMA page_size")


def _kind(number: int) -> tuple[str, Kind]:
    """Every tenth request fails, each in another way than the one before."""
    if number % 10 != 9:
        return "answered", ANSWERED
    name = tuple(FAILING)[number // 10 % len(FAILING)]
    return name, FAILING[name]


async def _ask(connection: Connection, request: bytes, *, leaves: bool) -> int:
    asking = asyncio.ensure_future(connection.ask(request))
    if leaves:
        while not connection.reads and connection.open:  # noqa: ASYNC110  it says nothing of arrivals
            await asyncio.sleep(0.005)
        connection.close()
        await asking
        return 0
    await asking
    return int(connection.reads[0][1][9:12]) if connection.reads else -1


def _of(looks: list[Look], name: str) -> list[Look]:
    return [look for look in looks if look.database == name]


def _table(looks: list[Look]) -> Table:
    rows: list[list[str | Figure]] = [
        [
            look.database,
            f"{look.requests:,}",
            figure([look.rss_bytes / 2**20]),
            figure([look.database_bytes / 2**20]),
            figure([look.requests / look.seconds]),
        ]
        for look in looks
    ]
    note = "The server's process tree; the database without free pages. One request in ten fails."
    columns = ["database", "requests", "resident MiB", "database MiB", "requests/s"]
    return Table(title="A long run", note=note, columns=columns, rows=rows)


def _growth(looks: list[Look], runs: list[dict[str, Any]], plan: Plan) -> Table:
    rows: list[list[str | Figure]] = []
    for told in runs:
        first, *_, last = _of(looks, told["database"])
        grown = (last.database_bytes - first.database_bytes) / max(1, last.requests - first.requests)
        row: list[str | Figure] = [told["database"], figure([grown])]
        row.append(figure([(told["bytes_before"] - told["bytes_after"]) / max(1, plan.requests)]))
        rows.append([*row, figure([told["forgotten_s"]]), figure([told["listens_s"]])])
    note = (
        "The ledger (two entries a request) is never shortened; rows of usage are, when their days are over. "
        "PostgreSQL gives their space to new rows, not back."
    )
    columns = ["database", "bytes a request", "given back", "s to delete all rows", "s to listen meanwhile"]
    return Table(title="Growth of the database", note=note, columns=columns, rows=rows)


def _goals(looks: list[Look], plan: Plan) -> Iterator[Goal]:
    for name in plan.databases:
        first, *_, last = _of(looks, name)
        ratio = figure([last.rss_bytes / first.rss_bytes])
        words = f"resident memory after {last.requests:,} requests over that after {first.requests:,}, {name}"
        yield Goal(name=words, bound=1.05, at_least=False, figure=ratio, unit="×")
