"""What a schema costs: tokens per second with and without, and what a schema adds when it is first seen.

Waves of 16 at once over HTTP. Both arms read the same tokens: the words that geminid adds to the prompt
for a schema are the system instruction of the free arm. All answers are meant to be cut by the same bound;
*Tokens of an answer* tells whether they were. The arms take turns within each round, and the ratio is
taken within it.

The first token of a schema that was never seen waits for its check in a process of its own and for its
compilation in the engine. Threes of single requests with prompts of which nothing is cached: a new
schema, the same schema again, no schema.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from benchmarks import machine
from benchmarks.arms import Serving, serving
from benchmarks.child import Child, usage
from benchmarks.figures import Figure, Goal, Outcome, Table, figure, percentile
from benchmarks.load import Job, Sample, Wave, Waved
from benchmarks.machine import Model
from benchmarks.prompts import stories
from benchmarks.rendering import conversation
from benchmarks.schemas import SCHEMAS, JsonSchema, fresh

FREE, SHAPED = "free text", "with schema"  # as many tokens, and each before the prompts of its arm
FIRST, KNOWN = "first-seen schema", "known schema"
FIRST_TOKENS = 2


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. ``tokens`` bounds an answer; ``first`` are threes of single requests."""

    rounds: int = 2
    at_once: int = 16
    tokens: int = 96
    first: int = 6


QUICK = Plan(rounds=1, tokens=48, first=3)


class Run(msgspec.Struct, kw_only=True):
    """One wave of one arm."""

    round: int
    schema: str
    arm: str
    tokens: int
    seconds: float
    tokens_per_s: float
    answers: int
    answers_short: int
    errors: list[str]
    first_token_s: list[float]
    gap_ms_p50: float
    gap_ms_p99: float
    server_cpu_s: float


class Asker:
    """Sends waves to one server."""

    def __init__(self, model: Model, server: Serving, load: Child) -> None:
        self._model, self._server, self._load = model, server, load

    def wave(self, bodies: list[str]) -> Waved:
        """Send all bodies at once."""
        path = f"/v1beta/models/{self._model.card.name}:streamGenerateContent?alt=sse"
        return self._load.ask(Job(wave=Wave(port=self._server.port, path=path, bodies=bodies)), Waved)

    def cpu_s(self) -> float:
        """Processor seconds of the server's process tree, with the engine and the checker of grammars."""
        return usage(self._server.process.pid).cpu_s

    def body(self, text: str, tokens: int, schema: JsonSchema, arm: str, system: str = "") -> str:
        """Return a request of one arm; the same prompt for both."""
        body = body_of(text, tokens, schema, system)
        if arm == FREE:
            (said, *_) = conversation(self._model.card, body).messages
            return body_of(text, tokens, None, said.content)
        return body


def body_of(text: str, tokens: int, schema: JsonSchema | None, system: str) -> str:
    """Return a request for a greedy answer."""
    config: dict[str, Any] = {"maxOutputTokens": tokens, "temperature": 0}
    if schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    return json.dumps({**body, "generationConfig": config})


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    model = machine.model()
    with Child("benchmarks.load") as load, serving("--model", model.card.name) as server:
        asker = Asker(model, server, load)
        say("warming up")
        for schema, arm in itertools.product(SCHEMAS.values(), (FREE, SHAPED)):
            asker.wave([asker.body("Hello.", 4, schema, arm)])
        runs = list(_rounds(asker, plan, say))
        firsts = [_first(asker, number) for number in range(plan.first)]
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "model": machine.model_facts(model), "schemas": SCHEMAS},
        runs=[*map(msgspec.to_builtins, runs), *firsts],
        tables=[*_tables(runs), _first_table(firsts)],
        goals=list(_goals(runs)),
    )


def _rounds(asker: Asker, plan: Plan, say: Callable[[str], None]) -> Iterator[Run]:
    texts = stories()
    for number, (name, schema) in itertools.product(range(plan.rounds), SCHEMAS.items()):
        wave = list(itertools.islice(texts, plan.at_once))
        for arm in (FREE, SHAPED) if number % 2 else (SHAPED, FREE):
            cpu_s = asker.cpu_s()
            # One server for both arms: what one has read must not be in the cache for the other.
            waved = asker.wave([asker.body(f"{arm}: {text}", plan.tokens, schema, arm) for text in wave])
            done = _summed(number, name, arm, waved, plan.tokens, asker.cpu_s() - cpu_s)
            say(f"round {number + 1}, {name}, {arm}: {done.tokens_per_s:.1f} tokens/s")
            yield done


def _summed(number: int, name: str, arm: str, waved: Waved, tokens_max: int, cpu_s: float) -> Run:
    good = [sample for sample in waved.samples if not sample.error and sample.arrivals]
    counts = [sample.arrivals[-1][1] for sample in good]
    seconds = max((sample.arrivals[-1][0] for sample in good), default=0.0)
    gaps_ms = [gap for sample in good for gap in _gaps_ms(sample)]
    return Run(
        round=number,
        schema=name,
        arm=arm,
        tokens=sum(counts),
        seconds=seconds,
        tokens_per_s=sum(counts) / seconds if seconds else 0.0,
        answers=len(good),
        answers_short=sum(count < tokens_max for count in counts),
        errors=[sample.error or "no tokens" for sample in waved.samples if sample not in good],
        first_token_s=[sample.arrivals[0][0] - sample.began_s for sample in good],
        gap_ms_p50=percentile(gaps_ms, 50),
        gap_ms_p99=percentile(gaps_ms, 99),
        server_cpu_s=cpu_s,
    )


def _gaps_ms(sample: Sample) -> Iterable[float]:
    """A gap that brought several tokens counts as that many equal ones."""
    for (before_s, before), (after_s, after) in itertools.pairwise(sample.arrivals):
        yield from [(after_s - before_s) * 1e3 / (after - before)] * (after - before)


def _first(asker: Asker, number: int) -> dict[str, Any]:
    """The time to the first token of a new schema, of the same again, and of free text."""
    schema = fresh(random.SystemRandom().getrandbits(32))
    order = [(FIRST, SHAPED), (KNOWN, SHAPED)]
    order.insert(number % 3, (FREE, FREE))
    times_ms: dict[str, float] = {}
    errors = []
    for kind, arm in order:
        system = f"{random.SystemRandom().getrandbits(64)} is the number of this request."
        body = asker.body("Tell me about a shop.", FIRST_TOKENS, schema, arm, system)
        (sample,) = asker.wave([body]).samples
        if sample.error or not sample.arrivals:
            errors.append(sample.error or "no tokens")
        else:
            times_ms[kind] = (sample.arrivals[0][0] - sample.began_s) * 1e3
    return {"first": number, "first_token_ms": times_ms, "errors": errors}


# -- figures ---------------------------------------------------------------------------------------


def _tables(runs: list[Run]) -> Iterable[Table]:
    yield _table(runs, "Output tokens per second, all requests together", lambda r: r.tokens_per_s)
    yield _table(runs, "Tokens of an answer, mean", lambda r: r.tokens / max(1, r.answers))
    yield _table(runs, "Time to the first token, ms, median", lambda r: 1e3 * percentile(r.first_token_s, 50))
    yield _table(runs, "Time between tokens, ms, median", lambda r: r.gap_ms_p50)
    yield _table(runs, "Time between tokens, ms, 99th percentile", lambda r: r.gap_ms_p99)
    yield _table(runs, "Processor ms a token, server", lambda r: 1e3 * r.server_cpu_s / max(1, r.tokens))


def _of(runs: Iterable[Run], schema: str, arm: str) -> list[Run]:
    return [run for run in runs if run.schema == schema and run.arm == arm]


def _table(runs: list[Run], title: str, value: Callable[[Run], float]) -> Table:
    rows: list[list[str | Figure]] = []
    for name in SCHEMAS:
        free, shaped = ([value(run) for run in _of(runs, name, arm)] for arm in (FREE, SHAPED))
        ratio = figure(b / a for a, b in zip(free, shaped, strict=False) if a)
        rows.append([name, figure(free), figure(shaped), ratio])
    note = f"Rounds: {len({run.round for run in runs})}; ratios within each."
    if errors := sum(len(run.errors) for run in runs):
        note += f" {errors} requests failed."
    return Table(title=title, note=note, columns=["schema", FREE, SHAPED, "ratio"], rows=rows)


def _added(firsts: list[dict[str, Any]], kind: str, base: str) -> Figure:
    times = [each["first_token_ms"] for each in firsts]
    return figure(each[kind] - each[base] for each in times if kind in each and base in each)


def _first_table(firsts: list[dict[str, Any]]) -> Table:
    kinds = (FREE, KNOWN, FIRST)
    row: list[str | Figure] = [
        *(figure(each["first_token_ms"].get(kind, float("nan")) for each in firsts) for kind in kinds),
        _added(firsts, FIRST, KNOWN),
        _added(firsts, KNOWN, FREE),
    ]
    note = "One at a time, prompts of the same length, nothing of them cached. Differences are within each "
    note += f"three. {sum(len(each['errors']) for each in firsts)} requests failed."
    columns = [*kinds, "first-seen less known", "known less free"]
    title = "Time to the first token of a single request, ms"
    return Table(title=title, note=note, columns=columns, rows=[row])


def _goals(runs: list[Run]) -> Iterable[Goal]:
    for name in SCHEMAS:
        pairs = zip(_of(runs, name, SHAPED), _of(runs, name, FREE), strict=False)
        ratio = figure(a.tokens_per_s / b.tokens_per_s for a, b in pairs if b.tokens_per_s)
        title = f"tokens/s with a schema over those without: {name}"
        yield Goal(name=title, bound=0.70, at_least=True, figure=ratio, unit="×")
