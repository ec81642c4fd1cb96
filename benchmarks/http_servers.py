"""Which HTTP server under the application? uvicorn (uvloop, httptools) against granian.

The real application with the scripted engine, which costs next to nothing, so that the server and
our own handlers are what is measured. One process each. For the decision record, not for users.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import msgspec

from benchmarks.arms import Serving, serving
from benchmarks.child import Child, stop, usage, wait_until
from benchmarks.figures import Figure, Outcome, Table, figure, percentile
from benchmarks.load import Hammer, Hammered, Job
from benchmarks.machine import ROOT

WORDS = "one two three four five six seven eight nine ten "
SCRIPT = f'[[rule]]\nmatch = "^count"\ntext = "{WORDS}"\nrepeat = 10\n'
UNARY = "/v1beta/models/scripted:generateContent"
STREAM = "/v1beta/models/scripted:streamGenerateContent?alt=sse"


class Case(msgspec.Struct, frozen=True):
    """One load. ``text`` is what is asked; "count" streams a hundred tokens."""

    name: str
    path: str
    text: str
    connections: int


CASES = (
    Case("unary, 1 connection", UNARY, "hello", 1),
    Case("unary, 16 connections", UNARY, "hello", 16),
    Case("stream of 100 chunks, 1 connection", STREAM, "count to ten", 1),
    Case("stream of 100 chunks, 16 connections", STREAM, "count to ten", 16),
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured: ``seconds`` for each case, server and round."""

    rounds: int = 3
    seconds: float = 2.0


QUICK = Plan(rounds=1, seconds=1.0)


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan. Without granian installed, uvicorn alone."""
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, Child("benchmarks.load") as load:
        script = Path(folder) / "script.toml"
        script.write_text(SCRIPT)
        with _servers(script) as servers:
            for number in range(plan.rounds):
                for case in CASES:
                    for name, server in list(servers.items())[:: -1 if number % 2 else 1]:
                        runs.append({"round": number, "server": name, **_run(load, server, case, plan)})
                        say(f"{name}, {case.name}: {runs[-1]['answers_per_s']:.0f} answers/s")
    return Outcome(arguments=msgspec.to_builtins(plan), runs=runs, tables=[_table(runs)])


@contextmanager
def _servers(script: Path) -> Iterator[dict[str, Serving]]:
    environ = {"GEMINID_SCRIPTED_SCRIPT": str(script)}
    with serving("--model", "scripted", environ=environ) as uvicorn:
        if find_spec("granian") is None:
            yield {"uvicorn": uvicorn}
            return
        with _granian(script) as granian:
            yield {"uvicorn": uvicorn, "granian": granian}


@contextmanager
def _granian(script: Path) -> Iterator[Serving]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.granian_server", str(port), str(script)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _alive(port), 30, "granian does not listen")
        yield Serving(process, port)
    finally:
        stop(process)


def _alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _run(load: Child, server: Serving, case: Case, plan: Plan) -> dict[str, Any]:
    body = json.dumps({"contents": [{"parts": [{"text": case.text}]}]})
    hammer = Hammer(
        port=server.port, path=case.path, body=body, connections=case.connections, seconds=plan.seconds
    )
    before = usage(server.process.pid)
    done = load.ask(Job(hammer=hammer), Hammered)
    after = usage(server.process.pid)
    return {
        "case": case.name,
        "answers_per_s": done.answers / done.seconds,
        "events_per_s": done.events / done.seconds,
        "latency_ms_p50": percentile(done.latencies_s, 50) * 1e3,
        "latency_ms_p99": percentile(done.latencies_s, 99) * 1e3,
        "server_cpu_ms_per_answer": (after.cpu_s - before.cpu_s) * 1e3 / max(1, done.answers),
        "client_cpu_share": done.client_cpu_s / done.seconds,
        "rss_mib": after.rss_bytes / 2**20,
        "errors": done.errors,
    }


def _table(runs: list[dict[str, Any]]) -> Table:
    fields = {
        "answers/s": "answers_per_s",
        "chunks/s": "events_per_s",
        "latency ms p50": "latency_ms_p50",
        "p99": "latency_ms_p99",
        "server CPU ms an answer": "server_cpu_ms_per_answer",
        "load generator, cores": "client_cpu_share",
    }
    rows: list[list[str | Figure]] = []
    for case in CASES:
        for name in dict.fromkeys(each["server"] for each in runs):
            mine = [each for each in runs if each["case"] == case.name and each["server"] == name]
            rows.append(
                [case.name, name, *(figure(each[field] for each in mine) for field in fields.values())]
            )
    failed = sum(each["errors"] for each in runs)
    return Table(
        title="The application with the scripted engine",
        note=f"One server process, one load generator. {failed} answers failed.",
        columns=["load", "server", *fields],
        rows=rows,
    )
