"""What keys, limits, credits and the ledger cost: one server with everything off, and on over each database.

The scripted engine answers at once, so that everything else is what is measured. A project that pays in
advance, with limits that are never reached; every request holds, charges and writes its row. One server
process at a time is pinned to one core, all others (the load generator, PostgreSQL) to the other ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

from benchmarks.arms import LISTENING, Serving
from benchmarks.child import Child, stop, usage, wait_until
from benchmarks.figures import Figure, Outcome, Table, figure, percentile
from benchmarks.load import Hammer, Hammered, Job, Paced
from benchmarks.machine import ROOT

sys.path.insert(0, str(ROOT / "tests"))  # whose database server and projects these are

from geminid.billing.standing import Override, Spending
from postgres import postgres
from tenants import PRICES, proved, tenant

PATH = "/v1beta/models/scripted:generateContent?key="
BODY = json.dumps({"contents": [{"parts": [{"text": "hello there"}]}]})
CONNECTIONS = 16
ARMS = ("off", "sqlite", "postgresql")
LIMITS = {
    "every_model": Override(rpm=10**6, tpm=10**9, rpd=10**9, concurrent=1_000),
    "spending": Spending(day_nano=10**18, month_nano=10**18),
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``seconds`` for each arm, kind of load and round; each connection asks every ``period_ms``."""

    rounds: int = 5
    seconds: float = 5.0
    period_ms: float = 50.0


QUICK = Plan(rounds=1, seconds=2.0)


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    runs: list[dict[str, Any]] = []
    with _arms() as arms, Child("benchmarks.load") as load:
        _pin(load.process.pid, _others())
        for number in range(plan.rounds):
            for kind in ("closed", "paced"):
                for name in ARMS[:: -1 if number % 2 else 1]:
                    runs.append({"round": number, "load": kind, **_run(load, arms, name, kind, plan)})
                    last = runs[-1]
                    say(f"{name}, {kind}: {last['answers_per_s']:.0f}/s, {last['latency_ms_p50']:.2f} ms")
    return Outcome(arguments=msgspec.to_builtins(plan), runs=runs, tables=_tables(runs))


class Arm(msgspec.Struct):
    """A server that runs, and the key that it takes."""

    serving: Serving
    key: str


@contextmanager
def _arms() -> Iterator[dict[str, Arm]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "prices.toml").write_text(PRICES)
        server = stack.enter_context(postgres())
        for process in psutil.Process().children(recursive=True):
            _pin(process.pid, _others())
        urls = {"off": "", "sqlite": f"sqlite:///{folder / 'geminid.db'}", "postgresql": server.database()}
        arms = {}
        for name, url in urls.items():
            key = tenant(url, "bench", 10**18, **LIMITS) if url else ""
            arms[name] = Arm(stack.enter_context(_serving(folder, name, url)), key)
        yield arms
        for url in filter(None, urls.values()):
            proved(url)


@contextmanager
def _serving(folder: Path, name: str, url: str) -> Iterator[Serving]:
    data, log = folder / name, folder / f"{name}.log"
    data.mkdir()
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "GEMINID_SERVER_DATA": str(data),
        "GEMINID_STORE_URL": url,
        "GEMINID_BILLING_PRICES": str(folder / "prices.toml"),
        "GEMINID_LOG_ACCESS": "false",
    }
    module = "geminid.cli.main" if url else "benchmarks.unmetered_server"
    command = [sys.executable, "-m", module, "serve", "--port", "0", "--model", "scripted"]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    try:
        wait_until(lambda: bool(LISTENING.search(log.read_text())), 60, f"{name} does not listen")
        found = LISTENING.search(log.read_text())
        assert found
        _pin(process.pid, [max(_cores())])
        yield Serving(process, int(found[1]))
    finally:
        stop(process)


def _cores() -> set[int]:
    return os.sched_getaffinity(0)


def _others() -> list[int]:
    return sorted(_cores() - {max(_cores())}) or [max(_cores())]


def _pin(pid: int, cores: list[int]) -> None:
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, cores)


def _run(load: Child, arms: dict[str, Arm], name: str, kind: str, plan: Plan) -> dict[str, Any]:
    arm = arms[name]
    common: dict[str, Any] = {
        "port": arm.serving.port,
        "path": PATH + arm.key,
        "body": BODY,
        "connections": CONNECTIONS,
        "seconds": plan.seconds,
    }
    if kind == "closed":
        job = Job(hammer=Hammer(**common))
    else:
        job = Job(paced=Paced(**common, period_ms=plan.period_ms))
    before = usage(arm.serving.process.pid)
    done = load.ask(job, Hammered)
    after = usage(arm.serving.process.pid)
    return {
        "arm": name,
        "answers_per_s": done.answers / done.seconds,
        "latency_ms_p50": percentile(done.latencies_s, 50) * 1e3,
        "latency_ms_p99": percentile(done.latencies_s, 99) * 1e3,
        "server_cpu_ms_per_answer": (after.cpu_s - before.cpu_s) * 1e3 / max(1, done.answers),
        "client_cpu_share": done.client_cpu_s / done.seconds,
        "rss_mib": after.rss_bytes / 2**20,
        "errors": done.errors,
    }


def _tables(runs: list[dict[str, Any]]) -> list[Table]:
    closed, paced = ([each for each in runs if each["load"] == kind] for kind in ("closed", "paced"))
    fields = {
        "answers/s": "answers_per_s",
        "latency ms p50": "latency_ms_p50",
        "p99": "latency_ms_p99",
        "server CPU ms an answer": "server_cpu_ms_per_answer",
    }
    failed = sum(each["errors"] for each in runs)
    tables = []
    for title, some in (("As fast as 16 connections can", closed), ("16 connections, paced", paced)):
        rows: list[list[str | Figure]] = [
            [
                name,
                *(figure(each[field] for each in some if each["arm"] == name) for field in fields.values()),
            ]
            for name in ARMS
        ]
        note = f"One server process on one core, unary. {failed} answers failed."
        tables.append(Table(title=title, note=note, columns=["metering", *fields], rows=rows))
    return [*tables, _added(paced)]


def _added(paced: list[dict[str, Any]]) -> Table:
    by_round = {(each["round"], each["arm"]): each for each in paced}
    numbers = sorted({each["round"] for each in paced})
    rows: list[list[str | Figure]] = []
    for name in ARMS[1:]:
        added = (
            figure(by_round[n, name][field] - by_round[n, "off"][field] for n in numbers)
            for field in ("latency_ms_p50", "latency_ms_p99")
        )
        rows.append([name, *added])
    return Table(
        title="Added latency at a paced load",
        note="Against everything off, in the same round.",
        columns=["metering", "ms p50", "ms p99"],
        rows=rows,
    )
