"""What thinking buys: right answers, tokens and seconds by thinking level, on small tasks.

Each task is asked at every level, greedily, and in two ways: as free text of one line, scored by its last
number or name; and with a schema that leaves room for the answer only, so that nothing but the thoughts
can reason. The schema's words change the prompt, so the thoughts of the two ways differ. 32 at once over
HTTP. Every run also checks that no level's budget was exceeded and that no answer is empty.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from benchmarks import machine
from benchmarks.arms import Serving, serving
from benchmarks.child import Child
from benchmarks.figures import Figure, Goal, Outcome, Table, figure
from benchmarks.load import Job, Pool, Pooled, Reply
from benchmarks.machine import Model
from benchmarks.puzzles import KINDS, Task, score, tasks
from geminid.core.request import LEVELS, Level

FREE, SHAPED = "free text", "schema"
ANSWER_TOKENS = 128
"""Room for the answer beside the thoughts; never less than the thoughts have, see ``tokens_max``."""
LINE = "\n"
"""Free answers end with their first line: small models go on and on, and never change for the better."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. ``free`` and ``shaped``: tasks of each kind, for either way of answering.

    seconds_max: no level begins later than this after the first began.
    """

    free: int = 4
    shaped: int = 14
    levels: tuple[Level, ...] = LEVELS
    connections: int = 32
    seconds_max: float = 420.0


QUICK = Plan(free=2, shaped=2)


class Run(msgspec.Struct, kw_only=True):
    """One answer. ``over``: tokens of thoughts beyond the level's budget."""

    level: str
    kind: str
    way: str
    question: str
    expected: str
    answer: str
    thought: str
    right: bool
    empty: bool
    cut: bool
    over: int
    thoughts: int
    tokens: int
    seconds: float
    error: str = ""


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    model = machine.model()
    with Child("benchmarks.load") as load, serving("--model", model.card.name) as server:
        runs: list[Run] = []
        began_s = time.monotonic()
        for way, level in itertools.product((SHAPED, FREE), plan.levels):
            if time.monotonic() - began_s > plan.seconds_max:
                say(f"no time for {way}, {level}")
                continue
            batch = _batch(plan, model, server, load, way, level)
            runs += batch
            right, thoughts = _share(batch), sum(each.thoughts for each in batch)
            say(f"{way}, {level}: {right} right, {thoughts / len(batch):.0f} tokens of thoughts")
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "model": machine.model_facts(model)},
        runs=[msgspec.to_builtins(each) for each in runs],
        tables=[*_accuracies(runs, plan), _costs(runs, plan), _checks(runs, plan, model)],
        goals=[*_goals(runs)],
    )


def body_of(task: Task, level: Level, way: str, model: Model) -> str:
    """Return the request for one task at one level."""
    config: dict[str, Any] = {
        "temperature": 0,
        "maxOutputTokens": tokens_max(model, level),
        "thinkingConfig": {"thinkingLevel": level, "includeThoughts": True},
    }
    if way == SHAPED:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": task.schema}
    else:
        config["stopSequences"] = [LINE]
    contents = [{"role": "user", "parts": [{"text": task.question}]}]
    return json.dumps({"contents": contents, "generationConfig": config})


def tokens_max(model: Model, level: Level) -> int:
    """Return a bound that leaves the level's whole budget: geminid gives thoughts at most half of it."""
    budget = model.card.thinking.budget_tokens(level)
    return budget + max(budget, ANSWER_TOKENS)


def _batch(plan: Plan, model: Model, server: Serving, load: Child, way: str, level: Level) -> list[Run]:
    """Ask every task of one level and way."""
    chosen = tasks(plan.shaped if way == SHAPED else plan.free)
    bodies = [body_of(task, level, way, model) for task in chosen]
    path = f"/v1beta/models/{model.card.name}:generateContent"
    pool = Pool(port=server.port, path=path, bodies=bodies, connections=plan.connections)
    replies = load.ask(Job(pool=pool), Pooled).replies
    return list(_read(model, level, way, chosen, replies))


def _read(model: Model, level: Level, way: str, chosen: list[Task], replies: list[Reply]) -> Iterator[Run]:
    budget = model.card.thinking.budget_tokens(level)
    for task, reply in zip(chosen, replies, strict=True):
        run = Run(
            level=level,
            kind=task.kind,
            way=way,
            question=task.question,
            expected=task.answer,
            answer="",
            thought="",
            right=False,
            empty=True,
            cut=False,
            over=0,
            thoughts=0,
            tokens=0,
            seconds=reply.seconds,
        )
        try:
            _fill(run, json.loads(reply.body), task, budget)
        except (LookupError, TypeError, ValueError) as error:
            run.error = f"{reply.status}: {error!r}: {reply.body[:300]}"
        yield run


def _fill(run: Run, reply: Any, task: Task, budget: int) -> None:
    (candidate,) = reply["candidates"]
    parts, usage = candidate["content"].get("parts", []), reply["usageMetadata"]
    run.thought = "".join(part["text"] for part in parts if part.get("thought"))
    run.answer = "".join(part["text"] for part in parts if not part.get("thought"))
    run.empty, run.cut = not run.answer.strip(), candidate["finishReason"] == "MAX_TOKENS"
    run.thoughts = usage.get("thoughtsTokenCount", 0)
    run.tokens = run.thoughts + usage.get("candidatesTokenCount", 0)
    run.over = max(0, run.thoughts - budget)
    if run.way == FREE:
        run.right = score(task, run.answer)
    else:
        run.right = str(json.loads(run.answer)["answer"]) == task.answer


# -- figures ---------------------------------------------------------------------------------------


def _of(runs: Iterable[Run], **wanted: str) -> list[Run]:
    return [run for run in runs if all(getattr(run, name) == value for name, value in wanted.items())]


def _share(runs: list[Run]) -> str:
    return f"{sum(run.right for run in runs)} of {len(runs)}"


def _accuracies(runs: list[Run], plan: Plan) -> Iterable[Table]:
    for way, how in ((FREE, "By the answer's last number or name."), (SHAPED, "The answer is JSON.")):
        mine = _of(runs, way=way)
        rows: list[list[str | Figure]] = [
            [
                level,
                *(_share(_of(mine, level=level, kind=kind)) for kind in KINDS),
                _share(_of(mine, level=level)),
            ]
            for level in plan.levels
        ]
        yield Table(title=f"Right answers, {way}", note=how, columns=["level", *KINDS, "all"], rows=rows)


def _costs(runs: list[Run], plan: Plan) -> Table:
    rows: list[list[str | Figure]] = []
    for way, level, kind in itertools.product((FREE, SHAPED), plan.levels, KINDS):
        mine = _of(runs, way=way, level=level, kind=kind)
        cells = ([run.thoughts for run in mine], [run.tokens for run in mine], [run.seconds for run in mine])
        rows.append([way, level, kind, *(_mean(cell) for cell in cells)])
    note = (
        f"Means over the tasks; tokens are thoughts and answer; seconds of one of {plan.connections} at once."
    )
    columns = ["answer", "level", "kind", "tokens of thoughts", "tokens", "seconds"]
    return Table(title="What it costs", note=note, columns=columns, rows=rows)


def _mean(values: list[float] | list[int]) -> Figure:
    """Return the mean as the middle figure: for bounded counts it says more than the median."""
    mean = sum(values) / max(1, len(values))
    return Figure(mean, min(values, default=0), max(values, default=0), len(values))


def _checks(runs: list[Run], plan: Plan, model: Model) -> Table:
    rows: list[list[str | Figure]] = []
    for level in plan.levels:
        mine = _of(runs, level=level)
        most = max((run.thoughts for run in mine), default=0)
        counts = (
            sum(run.over > 0 for run in mine),
            sum(run.empty for run in mine),
            sum(run.cut for run in mine),
            sum(bool(run.error) for run in mine),
        )
        rows.append([level, str(model.card.thinking.budget_tokens(level)), str(most), *map(str, counts)])
    columns = [
        "level",
        "budget, tokens",
        "most used",
        "over budget",
        "empty",
        "cut by maxOutputTokens",
        "errors",
    ]
    note = f"Of {len(runs)} answers. Errors are failed requests and answers that are not the JSON asked for."
    return Table(title="Kept promises", note=note, columns=columns, rows=rows)


def _goals(runs: list[Run]) -> Iterable[Goal]:
    for name, count in (
        ("answers that thought beyond the level's budget", sum(run.over > 0 for run in runs)),
        ("empty answers", sum(run.empty for run in runs)),
    ):
        yield Goal(name=name, bound=0, at_least=False, figure=figure([float(count)]))
