"""Whole servers under fire: killed and started again while clients ask, hang up and ask again.

``SIM_SEED=…`` plays a seed's clients and blows again.
"""

import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from geminid.service.charge import is_charged
from serving import Server, serving
from sim.clients import SCRIPT, Clients
from tenants import PRICES, balance_of, proved, rows_of, tenant

PROVING = os.environ.get("PROVE") == "all"
SEED = int(os.environ.get("SIM_SEED", "1"))
IN_NANO, OUT_NANO = 1_000, 2_000
CREDIT_NANO = 10**12

pytestmark = pytest.mark.timeout(1_800 if PROVING else 300)


class Fleet:
    """Servers on one database, each of which can be killed and started again."""

    def __init__(self, folder: Path, database_url: str, flags: tuple[str, ...], **environ: str) -> None:
        (folder / "prices.toml").write_text(PRICES.replace("scripted", _model(flags)))
        (folder / "script.toml").write_text(SCRIPT)
        self._folder = folder
        self._flags = flags
        self._environ = {
            "GEMINID_STORE_URL": database_url,
            "GEMINID_BILLING_PRICES": str(folder / "prices.toml"),
            "GEMINID_SCRIPTED_SCRIPT": str(folder / "script.toml"),
            "GEMINID_LOG_ACCESS": "false",
            **environ,
        }
        self._stacks: dict[int, ExitStack] = {}
        self.servers: dict[int, Server] = {}

    def start(self, number: int) -> Server:
        folder = self._folder / f"server-{number}"
        folder.mkdir(exist_ok=True)
        self._stacks[number] = stack = ExitStack()
        self.servers[number] = stack.enter_context(serving(folder, *self._flags, environ=self._environ))
        return self.servers[number]

    def stop(self, number: int, how: signal.Signals) -> None:
        """Kill a server, or ask it to go, and wait until it has gone."""
        with suppress(ProcessLookupError):
            self.servers.pop(number).process.send_signal(how)
        self._stacks.pop(number).close()

    def close(self) -> None:
        for number in tuple(self.servers):
            self.stop(number, signal.SIGTERM)


def _model(flags: tuple[str, ...]) -> str:
    return "scripted" if "scripted" in flags else "smollm2-135m-instruct"


def check(database_url: str, projects: list[str], clients: Clients, seed: int) -> None:
    """Everything that must hold when all servers have gone."""
    where = f"seed {seed}"
    report = proved(database_url)
    assert (report.open_holds, report.held_nano) == (0, 0), where
    assert report.posted_nano + report.house_nano == 0, where
    rows = {row.id: row for project in projects for row in rows_of(database_url, project)}
    for row in rows.values():
        due = row.usage.prompt * IN_NANO + row.usage.candidates * OUT_NANO if is_charged(row.outcome) else 0
        assert row.cost_nano + row.unpaid_nano == due, f"{where}: {due} is due: {row}"
    for told in clients.told:
        row = rows.get(told.receipt)
        if told.usage is not None:
            assert row is not None, f"{where}: {told} was told and is not there"
            assert row.usage == told.usage, f"{where}: {told} was told, {row} is there"
            assert row.outcome in ("finished", "empty"), f"{where}: {told} was told, {row} is there"
        if told.cost_nano is not None:
            assert row.cost_nano == told.cost_nano, f"{where}: {told} was told, {row} is there"
        if row is not None:
            assert row.usage.candidates >= told.chunks, f"{where}: {told} was read, {row} is there"
    paid = Counter((row.project, row.request) for row in rows.values() if row.cost_nano)
    assert not paid or max(paid.values()) == 1, f"{where}: paid twice: {paid.most_common(1)}"
    spent = sum(row.cost_nano for row in rows.values())
    left = sum(balance_of(database_url, project).posted_nano for project in projects)
    assert left == len(projects) * CREDIT_NANO - spent, f"{where}: {left} is left and {spent} spent"
    done = subprocess.run(
        [sys.executable, "-m", "geminid.cli.main", "ledger", "verify", "--json"],
        env={**os.environ, "GEMINID_STORE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{where}: {done.stdout}{done.stderr}"
    assert json.loads(done.stdout)["sound"], where


def test_servers_that_are_killed_and_started_again_charge_what_was_answered(tmp_path, database_url):
    blows = 30 if PROVING else 2
    projects = ["first", "second"]
    keys = [tenant(database_url, project, CREDIT_NANO) for project in projects]
    fleet = Fleet(tmp_path, database_url, ("--model", "scripted"))
    clients = Clients([], "scripted", keys, SEED)
    chance = random.Random(f"servers {SEED}")

    async def histories() -> None:
        over = asyncio.Event()
        asking = asyncio.create_task(clients.crowd(24, over))
        for blow in range(blows):
            await asyncio.sleep(chance.uniform(0.3, 1.5))
            number = chance.choice(tuple(fleet.servers))
            how = signal.SIGKILL if blow % 3 == 0 or chance.random() < 0.6 else signal.SIGTERM
            await asyncio.to_thread(fleet.stop, number, how)
            await asyncio.to_thread(fleet.start, number)
            clients.urls[number] = fleet.servers[number].url
        await asyncio.sleep(0.5)
        for number in tuple(fleet.servers):  # in the middle of it
            await asyncio.to_thread(fleet.stop, number, signal.SIGKILL)
        over.set()
        await asking

    try:
        clients.urls = [fleet.start(number).url for number in range(2)]
        asyncio.run(histories())
        fleet.start(0)  # what the killed ones left is put right
    finally:
        fleet.close()
    print(f"seed {SEED}: {dict(sorted(clients.answers.items()))}, {len(clients.told)} answers")
    assert clients.answers.get(200, 0) > 20, f"hardly anything was answered: {clients.answers}"
    check(database_url, projects, clients, SEED)


@pytest.mark.e2e
def test_a_killed_engine_and_a_killed_server_leave_nothing_that_is_held_or_charged(tmp_path):
    """The real engine: its process is killed under streams, then the server under others."""
    database_url = f"sqlite:///{tmp_path / 'geminid.db'}"
    key = tenant(database_url, "real", CREDIT_NANO)
    fleet = Fleet(tmp_path, database_url, ("--pull",), GEMINID_ENGINE_KV_CACHE_GIB="1")
    model = _model(())
    clients = Clients([], model, [key], SEED)
    chance = random.Random(f"engine {SEED}")

    async def under(strike) -> None:
        over = asyncio.Event()
        asking = asyncio.create_task(clients.crowd(8, over))
        await asyncio.sleep(chance.uniform(1, 3))
        await asyncio.to_thread(strike)
        over.set()
        await asking

    def engine_dies() -> None:
        with suppress(ProcessLookupError):
            os.kill(fleet.servers[0].engine(model)["pid"], signal.SIGKILL)

    def server_dies() -> None:
        fleet.stop(0, signal.SIGKILL)

    try:
        for strike in itertools.islice(itertools.cycle((engine_dies, server_dies)), 8 if PROVING else 2):
            server = fleet.servers.get(0) or fleet.start(0)
            server.wait_ready()
            clients.urls = [server.url]
            asyncio.run(under(strike))
        fleet.start(0)
    finally:
        fleet.close()
    assert clients.told, clients.answers
    check(database_url, ["real"], clients, SEED)
