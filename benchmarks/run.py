"""Measure: ``python -m benchmarks.run [SCENARIO…] [--quick]``.

Each scenario leaves a JSON file in ``benchmarks/results`` with every raw run, and prints its tables.
Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.figures import Outcome, Result
from benchmarks.report import markdown

SCENARIOS = (
    "throughput",
    "prefix",
    "caching",
    "recovery",
    "wire",
    "wires",
    "http_servers",
    "metering",
    "soak",
    "long_input",
    "schema_speed",
    "classification",
    "batching",
    "thinking",
    "media",
    "embedding",
    "interactions",
)
RESULTS = machine.ROOT / "benchmarks" / "results"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument(
        "scenario", nargs="*", metavar="SCENARIO", help=f"{', '.join(SCENARIOS)}; all by default"
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run: figures mean little")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the files")
    parser.add_argument("--rounds", type=int, help="rounds of throughput")
    parser.add_argument("--arms", help="arms of throughput, comma-separated: geminid,engine,llama.cpp")
    parser.add_argument("--concurrencies", help="of throughput, comma-separated")
    arguments = parser.parse_args()
    for name in arguments.scenario or SCENARIOS:
        if name not in SCENARIOS:
            parser.error(f"unknown scenario {name}")
    for name in arguments.scenario or SCENARIOS:
        say(f"== {name}")
        facts, began_s = machine.facts(), time.monotonic()
        outcome = measure(name, arguments)
        took_s = round(time.monotonic() - began_s, 1)
        date = datetime.now(UTC).isoformat(timespec="seconds")
        result = Result(
            scenario=name, date=date, took_s=took_s, quick=arguments.quick, facts=facts, outcome=outcome
        )
        path = write(result, arguments.results)
        print(markdown([result]), flush=True)
        say(f"== {name} took {took_s} s: {path}")


def measure(name: str, arguments: argparse.Namespace) -> Outcome:
    """Run one scenario by its plan, full or quick, with what the command line changes."""
    scenario = importlib.import_module(f"benchmarks.{name}")
    plan = scenario.QUICK if arguments.quick else scenario.Plan()
    if name == "throughput":
        given: dict[str, object] = {}
        if arguments.rounds:
            given["rounds"] = arguments.rounds
        if arguments.arms:
            given["arms"] = tuple(arguments.arms.split(","))
        if arguments.concurrencies:
            given["concurrencies"] = tuple(map(int, arguments.concurrencies.split(",")))
        plan = msgspec.structs.replace(plan, **given)
    return scenario.run(plan, say)


def write(result: Result, folder: Path) -> Path:
    """Write the file of a result and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    day = result.date[:16].replace(":", "").replace("T", "-")
    path = folder / f"{result.scenario}-{day}-{result.facts['commit']}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
