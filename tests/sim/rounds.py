"""Runs a round: sets its accounts up, starts eight processes, hurts them, watches, clears up, and proves."""

import asyncio
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from geminid.billing import ledger
from geminid.billing.orders import Credit
from geminid.service.recovery import Recovery
from geminid.store import keys, projects
from geminid.store import ledger as ledger_rows
from geminid.store.database import Database, connect
from geminid.store.keys import Key
from geminid.store.ledger import balance_of
from geminid.store.owners import Owner
from geminid.store.projects import Project
from geminid.store.tables import balances
from sim import journal, proof
from sim.plan import NOON_MS, PROCESSES, Account, Blow, Round, job_of
from sim.worker import Clock, born, lives
from sim.zygote import UNAVAILABLE

ROUND_S_MAX = 90
FROZEN_S = 0.08


class Zygote:
    """The process that all others are forks of. ``over`` gives their ends as they come."""

    def __init__(self) -> None:
        folder = Path(__file__).parents[1]
        path = os.pathsep.join([str(folder), str(folder.parent / "src"), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sim.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._began: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.over: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def begin(self, job: msgspec.Struct) -> int:
        """Start a process and return its number."""
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        return self._began.get(timeout=60)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._reading.join(30)
        self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout:
            word, *said = json.loads(line)
            if word == "began":
                self._began.put(said[0])
            else:
                self.over.put((said[0], said[1]))


class Watcher:
    """Reads every balance of a round again and again; ``wrong`` is what should never have been seen."""

    def __init__(self, engine, accounts: tuple[Account, ...]) -> None:
        self._engine = engine
        self._names = [account.id for account in accounts]
        self._over = threading.Event()
        self.wrong: list[str] = []
        self.looks = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _run(self) -> None:
        wanted = balances.select().where(balances.c.project.in_(self._names))
        seqs: dict[str, int] = {}
        while not self._over.wait(0.004):
            try:
                with self._engine.begin() as connection:
                    rows = connection.execute(wanted).all()
            except OperationalError:
                continue  # it was this connection that was cut
            self.looks += 1
            for balance in (balance_of(tuple(row)) for row in rows):
                sound = 0 <= balance.held_nano <= balance.posted_nano and balance.holds >= 0
                if (
                    not sound
                    or balance.posted_nano + balance.house_nano
                    or balance.seq < seqs.get(balance.project, 0)
                ):
                    self.wrong.append(str(balance))
                seqs[balance.project] = balance.seq


class Figures(msgspec.Struct):
    """What rounds came to, summed."""

    rounds: int = 0
    histories: int = 0
    lives: int = 0
    kills: int = 0
    looks: int = 0
    requests: int = 0
    admitted: int = 0
    refused: int = 0
    rows: int = 0
    transfers: int = 0
    voided: int = 0
    repeated: int = 0

    def add(self, other: "Figures") -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Rounds:
    """Runs rounds on one database."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._zygote = Zygote()
        asyncio.run(_made(url))
        self._engine = connect(url)
        self._postgres = not url.startswith("sqlite")

    def close(self) -> None:
        self._zygote.close()
        self._engine.dispose()

    def run(self, plan: Round) -> Figures:
        """Run one round and prove it. Raises AssertionError that names the seed."""
        folder = self._folder / f"{plan.seed}"
        folder.mkdir()
        self._set_up(plan.accounts)
        figures = Figures(rounds=1, histories=len(plan.accounts))
        with Watcher(self._engine, plan.accounts) as watcher:
            self._live(plan, folder, figures)
            asyncio.run(self._clear_up(plan))
        figures.looks = watcher.looks
        told = f"seed {plan.seed}, clocks {plan.manner}, {'PostgreSQL' if self._postgres else 'SQLite'}"
        assert not watcher.wrong, f"{told}: seen while it ran: {watcher.wrong[:3]}"
        lines = list(journal.read(folder))
        whole = not any(blow.how == "cut" for blow in plan.blows)
        with self._engine.begin() as connection:
            for account in plan.accounts:
                proof.prove(
                    connection, account, lines, f"{told}, project {account.id}", plan.manner, whole, figures
                )
        return figures

    def _set_up(self, accounts: tuple[Account, ...]) -> None:
        with self._engine.execution_options(writing=True).begin() as connection:
            for account in accounts:
                row = Project(
                    id=account.id,
                    mode=account.mode,
                    tier="unlimited",
                    limits=account.limits,
                    created_ms=1,
                    updated_ms=1,
                )
                projects.add(connection, row)
                if account.key_id:
                    key = Key(
                        id=account.key_id,
                        project=account.id,
                        name="k",
                        hint="",
                        digest=account.key_id,
                        created_ms=1,
                    )
                    keys.add(connection, key)
                if account.credit_nano:
                    order = Credit(kind="top_up", key="first", amount_nano=account.credit_nano)
                    entered = ledger.credit(ledger_rows.lock(connection, account.id), order, None, NOON_MS)
                    ledger_rows.enter(connection, entered.balance, entered.rows)

    def _live(self, plan: Round, folder: Path, figures: Figures) -> None:
        chance = random.Random(f"blows {plan.seed}")
        origin_s = time.monotonic()
        places: dict[int, tuple[int, int]] = {}

        def begin(worker: int, life: int) -> None:
            path = str(folder / f"{worker}-{life}.journal")
            pid = self._zygote.begin(job_of(plan, worker, life, self._url, path, origin_s))
            places[pid] = worker, life
            figures.lives += 1

        for worker in range(PROCESSES):
            begin(worker, 0)
        blows, whole = list(plan.blows), all(blow.how != "cut" for blow in plan.blows)
        while places:
            assert time.monotonic() < origin_s + ROUND_S_MAX, f"seed {plan.seed}: hangs: {places}"
            while blows and time.monotonic() >= origin_s + blows[0].at_s:
                self._strike(blows.pop(0), places, chance)
            with suppress(queue.Empty):
                pid, status = self._zygote.over.get(timeout=0.01)
                worker, life = places.pop(pid)
                killed = status == -signal.SIGKILL
                figures.kills += killed
                assert killed or status == 0 or (status == UNAVAILABLE and not whole), (
                    f"seed {plan.seed}: worker {worker} ended with {status}"
                )
                if killed and life < 3:
                    begin(worker, life + 1)

    def _strike(self, blow: Blow, places: dict[int, tuple[int, int]], chance: random.Random) -> None:
        if blow.how == "cut":
            self._cut(chance)
            return
        for pid in [pid for pid, (worker, _) in places.items() if worker == blow.worker]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if blow.how == "kill" else signal.SIGSTOP)
            if blow.how == "freeze":
                time.sleep(FROZEN_S)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _cut(self, chance: random.Random) -> None:
        """End one of the connections of the processes, on the side of the database."""
        listed = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%COMMIT%'"
        )
        with self._engine.begin() as connection:
            found = [
                row[0]
                for row in connection.execute(text(listed + " AND pid <> pg_backend_pid() ORDER BY pid"))
            ]
            if found:
                connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": chance.choice(found)})

    async def _clear_up(self, plan: Round) -> None:
        """Do what the next process would do when it starts."""
        database = await Database.open(self._url)
        me = Owner(
            id=f"{plan.seed}.driver", host="sim", pid=os.getpid(), born_ms=born(os.getpid()), heartbeat_ms=0
        )
        recovery = Recovery(database, me, lives, now_ms=Clock(time.monotonic()))
        await recovery.beat()
        await recovery.close()
        await database.close()


async def _made(url: str) -> None:
    await (await Database.open(url)).close()
