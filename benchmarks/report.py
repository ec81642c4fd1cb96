"""Results to a page: ``python -m benchmarks.report benchmarks/results/A.json … > page.md``.

The page says no more than the files do: machine, goals with pass or fail, then every table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from benchmarks.figures import Figure, Goal, Result

PREAMBLE = "Medians, with the lowest and the highest of the runs in brackets."
TITLES = {
    "throughput": "Throughput and latency",
    "prefix": "Shared prefixes",
    "recovery": "A lost engine",
    "wire": "The wire",
    "http_servers": "HTTP servers",
    "schema_speed": "Schemas",
    "classification": "Classification",
    "batching": "Batches",
    "thinking": "Thinking",
    "long_input": "Long input",
    "media": "Files and media",
}


def markdown(results: Sequence[Result]) -> str:
    """Return the page of some results."""
    return "\n".join(line for result in results for line in _section(result))


def _section(result: Result) -> Iterable[str]:
    yield f"## {TITLES.get(result.scenario, result.scenario)}\n"
    yield _where(result) + "\n"
    if result.quick:
        yield "**A smoke run: too short to mean much.**\n"
    if result.outcome.goals:
        rows = [_goal(goal) for goal in result.outcome.goals]
        yield from _grid(["goal", "wanted", "measured", ""], rows)
    for table in result.outcome.tables:
        yield f"### {table.title}\n"
        yield table.note + "\n"
        yield from _grid(table.columns, [[_cell(cell) for cell in row] for row in table.rows])


def _where(result: Result) -> str:
    facts = result.facts
    machine, packages = facts["machine"], facts["packages"]
    flags = ", ".join(machine["flags"]) or "none of interest"
    words = [
        f"{machine['cores']} cores of {machine['cpu']} ({flags}), {machine['memory_gib']} GiB",
        f"commit {facts['commit']}" + (" with changes" if facts["changed_files"] else ""),
        result.date[:10],
        "Python " + facts["python"],
        ", ".join(f"{name} {version}" for name, version in packages.items()),
    ]
    if model := result.outcome.arguments.get("model"):
        words.append(f"model {model['name']}, weights {model['precision']}, sha256 {model['sha256'][:12]}…")
    return "; ".join(words) + "."


def _goal(goal: Goal) -> list[str]:
    wanted = f"{'≥' if goal.at_least else '≤'} {_number(goal.bound)} {goal.unit}".rstrip()
    return [
        goal.name,
        wanted,
        f"{_cell(goal.figure)} {goal.unit}".rstrip(),
        "pass" if goal.met else "**fail**",
    ]


def _cell(value: str | Figure) -> str:
    if isinstance(value, str):
        return value
    if not value.n:
        return "–"
    if value.low == value.high:
        return _number(value.median)
    return f"{_number(value.median)} ({_number(value.low)}–{_number(value.high)})"


def _number(value: float) -> str:
    if value != value:
        return "–"
    for bound, digits in ((100, 0), (10, 1)):
        if abs(value) >= bound:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}".rstrip("0").rstrip(".") if value else "0"


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def main() -> None:
    """Entry point."""
    results = [msgspec.json.decode(Path(path).read_bytes(), type=Result) for path in sys.argv[1:]]
    if not results:
        sys.exit("usage: python -m benchmarks.report RESULT.json …")
    print("# Performance\n")
    print(PREAMBLE + "\n")
    print(markdown(results))


if __name__ == "__main__":
    main()
