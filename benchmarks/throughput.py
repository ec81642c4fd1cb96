"""Tokens per second and times to the first token: geminid, its engine alone, and llama.cpp's server.

Rounds of waves: in each round every concurrency is run by every arm, one after the other and in
turning order, with the same prompts, which no round has seen before. Ratios are taken within a round,
so a slow minute of the machine hits both sides of a ratio.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from benchmarks import machine
from benchmarks.arms import Arm, Arms
from benchmarks.child import Usage, usage
from benchmarks.figures import Figure, Goal, Outcome, Table, figure, percentile
from benchmarks.load import Waved
from benchmarks.prompts import stories
from benchmarks.rounds import rounds, turned

NAMES = ("geminid", "engine", "llama.cpp")
PAIR_TOKENS = 4
LONG_ANSWERS_MAX = 16
"""Waves of more requests than this get half the tokens each, for the time that a run may take."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. ``tokens`` bounds an answer; ``pairs`` are of single requests.

    seconds_max: no round begins that would probably end later than this after the first began.
    """

    rounds: int = 3
    seconds_max: float = 720.0
    concurrencies: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    tokens: int = 128
    pairs: int = 30
    arms: tuple[str, ...] = NAMES

    def tokens_at(self, concurrency: int) -> int:
        """Return the bound on each answer of a wave."""
        return self.tokens if concurrency <= LONG_ANSWERS_MAX else self.tokens // 2


QUICK = Plan(rounds=1, concurrencies=(1, 8), tokens=32, pairs=6)


class Run(msgspec.Struct, kw_only=True):
    """One wave of one arm. ``others_cpu_s``: what all idle arms used meanwhile, all together."""

    round: int
    arm: str
    concurrency: int
    tokens: int
    seconds: float
    tokens_per_s: float
    answers_short: int
    errors: list[str]
    first_token_s: list[float]
    gap_ms_p50: float
    gap_ms_p99: float
    server_cpu_s: float
    client_cpu_s: float
    others_cpu_s: float
    rss_bytes: int
    rss_peak_bytes: int


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    model, prompts = machine.model(), stories()
    with Arms(model, plan.arms, max(plan.concurrencies)) as arms:

        def take(count: int) -> list[tuple[str, str]]:
            return arms.engine.render(list(itertools.islice(prompts, count)))

        for arm in arms.all:
            say(f"warming up {arm.name}")
            for count in (max(plan.concurrencies), 1):
                arm.wave(take(count), 8)
        runs: list[Run] = []
        for number in rounds(plan.rounds, plan.seconds_max, say):
            for concurrency in plan.concurrencies:
                wave, tokens = take(concurrency), plan.tokens_at(concurrency)
                for arm in turned(arms.all, number):
                    done = _run(arms.all, arm, number, wave, tokens)
                    runs.append(done)
                    where = f"round {number + 1}, {concurrency} at once, {arm.name}"
                    say(f"{where}: {done.tokens_per_s:.1f} tokens/s")
        pairs = [_pair(arms.all, number, take(1)) for number in range(plan.pairs)]
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "model": machine.model_facts(model)},
        runs=[*map(msgspec.to_builtins, runs), *pairs],
        tables=[*_tables(runs, plan), _pairs_table(pairs)],
        goals=list(_goals(runs, pairs, plan)),
    )


def _run(arms: Sequence[Arm], arm: Arm, number: int, wave: list[tuple[str, str]], tokens_max: int) -> Run:
    before = {each.name: usage(each.pid) for each in arms}
    waved = arm.wave(wave, tokens_max)
    after = {each.name: usage(each.pid) for each in arms}
    cpu_s = {name: after[name].cpu_s - before[name].cpu_s for name in after}
    return _summed(arm.name, number, waved, tokens_max, cpu_s, after[arm.name])


def _summed(
    name: str, number: int, waved: Waved, tokens_max: int, cpu_s: dict[str, float], used: Usage
) -> Run:
    good = [sample for sample in waved.samples if not sample.error and sample.arrivals]
    counts = [sample.arrivals[-1][1] for sample in good]
    seconds = max((s.arrivals[-1][0] for s in good), default=0.0)
    gaps_ms = [gap for sample in good for gap in _gaps_ms(sample.arrivals)]
    return Run(
        round=number,
        arm=name,
        concurrency=len(waved.samples),
        tokens=sum(counts),
        seconds=seconds,
        tokens_per_s=sum(counts) / seconds if seconds else 0.0,
        answers_short=sum(count < tokens_max for count in counts),
        errors=[sample.error or "no tokens" for sample in waved.samples if sample not in good],
        first_token_s=[sample.arrivals[0][0] - sample.began_s for sample in good],
        gap_ms_p50=percentile(gaps_ms, 50),
        gap_ms_p99=percentile(gaps_ms, 99),
        server_cpu_s=cpu_s[name],
        client_cpu_s=waved.client_cpu_s,
        others_cpu_s=sum(cpu_s.values()) - cpu_s[name],
        rss_bytes=used.rss_bytes,
        rss_peak_bytes=used.rss_peak_bytes,
    )


def _gaps_ms(arrivals: Sequence[tuple[float, int]]) -> Iterable[float]:
    """A gap that brought several tokens counts as that many equal ones."""
    for (before_s, before), (after_s, after) in itertools.pairwise(arrivals):
        yield from [(after_s - before_s) * 1e3 / (after - before)] * (after - before)


def _pair(arms: Sequence[Arm], number: int, wave: list[tuple[str, str]]) -> dict[str, Any]:
    """The same single request to geminid and to the engine, in turning order."""
    pair = [arm for arm in arms if arm.name in ("geminid", "engine")]
    times_ms = {}
    for arm in turned(pair, number):
        sample = arm.wave(wave, PAIR_TOKENS).samples[0]
        if sample.arrivals:
            times_ms[arm.name] = (sample.arrivals[0][0] - sample.began_s) * 1e3
    return {"pair": number, "first_token_ms": times_ms}


# -- figures ---------------------------------------------------------------------------------------


def _first(percent: float) -> Callable[[Run], float]:
    return lambda run: 1e3 * percentile(run.first_token_s, percent)


def _tables(runs: list[Run], plan: Plan) -> Iterable[Table]:
    yield _table(runs, "Output tokens per second, all requests together", lambda r: r.tokens_per_s)
    yield _ratios(runs, plan)
    yield _table(runs, "Tokens of an answer, mean", lambda r: r.tokens / r.concurrency)
    yield _table(runs, "Time to the first token, ms, median of a wave", _first(50))
    yield _table(runs, "Time to the first token, ms, 99th percentile of a wave", _first(99))
    yield _table(runs, "Time between tokens, ms, median", lambda r: r.gap_ms_p50)
    yield _table(runs, "Time between tokens, ms, 99th percentile", lambda r: r.gap_ms_p99)
    yield _table(runs, "Processor ms a token, server", lambda r: 1e3 * r.server_cpu_s / max(1, r.tokens))
    yield _table(
        runs, "Processor ms a token, load generator", lambda r: 1e3 * r.client_cpu_s / max(1, r.tokens)
    )
    yield _table(runs, "Processor share of the idle arms, cores", lambda r: r.others_cpu_s / (r.seconds or 1))
    yield _memory(runs, plan)


def _of(runs: Iterable[Run], arm: str, concurrency: int) -> list[Run]:
    return [run for run in runs if run.arm == arm and run.concurrency == concurrency]


def _table(runs: list[Run], title: str, value: Callable[[Run], float]) -> Table:
    names = list(dict.fromkeys(run.arm for run in runs))
    rows: list[list[str | Figure]] = [
        [str(n), *(figure(map(value, _of(runs, name, n))) for name in names)]
        for n in sorted({run.concurrency for run in runs})
    ]
    note = f"By number of requests at once. Rounds: {len({run.round for run in runs})}."
    if errors := sum(len(run.errors) for run in runs):
        note += f" {errors} requests failed."
    return Table(title=title, note=note, columns=["at once", *names], rows=rows)


def _ratio(runs: list[Run], over: str, under: str, concurrency: int) -> Figure:
    """Return geminid's or another arm's speed over another's, within each round."""
    pairs = zip(
        _of(sorted(runs, key=lambda r: r.round), over, concurrency),
        _of(sorted(runs, key=lambda r: r.round), under, concurrency),
        strict=False,
    )
    return figure(a.tokens_per_s / b.tokens_per_s for a, b in pairs if b.tokens_per_s)


def _ratios(runs: list[Run], plan: Plan) -> Table:
    rows: list[list[str | Figure]] = [
        [str(n), _ratio(runs, "geminid", "engine", n), _ratio(runs, "geminid", "llama.cpp", n)]
        for n in plan.concurrencies
    ]
    columns = ["at once", "geminid / engine", "geminid / llama.cpp"]
    return Table(
        title="Ratios of tokens per second", note="Each within one round.", columns=columns, rows=rows
    )


def _memory(runs: list[Run], plan: Plan) -> Table:
    rows: list[list[str | Figure]] = []
    for name in plan.arms:
        mine = [run for run in runs if run.arm == name]
        now = figure(run.rss_bytes / 2**20 for run in mine)
        peak = figure(run.rss_peak_bytes / 2**20 for run in mine)
        rows.append([name, now, peak])
    note = "Resident, with child processes. Peaks of processes are added up, mapped weights are included."
    return Table(title="Memory, MiB", note=note, columns=["arm", "after a wave", "peak"], rows=rows)


def _pairs_table(pairs: list[dict[str, Any]]) -> Table:
    times = [pair["first_token_ms"] for pair in pairs if len(pair["first_token_ms"]) == 2]
    row: list[str | Figure] = [
        figure(each["geminid"] for each in times),
        figure(each["engine"] for each in times),
        _added(pairs),
    ]
    note = "One at a time, the same prompt to both; the last column is the difference within each pair."
    columns = ["geminid", "engine", "added"]
    return Table(
        title="Time to the first token of a single request, ms", note=note, columns=columns, rows=[row]
    )


def _added(pairs: list[dict[str, Any]]) -> Figure:
    times = [pair["first_token_ms"] for pair in pairs if len(pair["first_token_ms"]) == 2]
    return figure(each["geminid"] - each["engine"] for each in times)


def _goals(runs: list[Run], pairs: list[dict[str, Any]], plan: Plan) -> Iterable[Goal]:
    for under, bound, at_least in (("engine", 0.95, 8), ("llama.cpp", 2.0, 16)):
        for n in plan.concurrencies:
            if n >= at_least and (ratio := _ratio(runs, "geminid", under, n)).n:
                name = f"tokens/s over those of {under}, {n} at once"
                yield Goal(name=name, bound=bound, at_least=True, figure=ratio, unit="×")
    if (added := _added(pairs)).n:
        name = "time added to the first token, 1 at once"
        yield Goal(name=name, bound=5.0, at_least=False, figure=added, unit="ms")
