"""A batch of short classifications beside the same requests sent live, and beside vLLM's offline engine.

Rounds: in each, fresh texts are sorted by every arm, one after the other and in turning order. ``batch`` is
one job over HTTP, from its creation until its results are here; ``live`` sends the same requests on 32
connections to a server of its own; vLLM, in process, gets the rendered prompts of some of them. All compute
in bf16 where the processor has AMX, as vLLM does by itself. Then the other side of it: the time to the first
token of single live requests while a batch runs, and while none does, in turns.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from benchmarks import machine
from benchmarks.arms import GeminidArm, Serving, serving
from benchmarks.child import Child
from benchmarks.figures import Figure, Goal, Outcome, Table, figure, percentile
from benchmarks.machine import Model
from benchmarks.prompts import long_text
from benchmarks.rendering import renderer
from benchmarks.rounds import rounds, turned
from benchmarks.sorters import GeminidSorter, gemini_body
from benchmarks.tickets import LABELS, tickets

BATCH, LIVE, VLLM = "batch", "live, 32 at once", "vLLM, offline"
CONNECTIONS = 32
POLL_S = 0.5
"""More often, asking takes a hundredth of two cores."""
WHOLE_BATCH = 10_000
VLLM_PYTHON = "BENCH_VLLM"
"""The variable that names the Python of vLLM's environment; the arm is left out without it."""
KINDS = ("short", "500 tokens")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. No round begins that would probably end later than ``seconds_max``."""

    rounds: int = 5
    seconds_max: float = 330.0
    lines: int = 2_000
    vllm_lines: int = 400
    probe_rounds: int = 3
    probes: int = 8
    pause_s: float = 0.5


QUICK = Plan(rounds=1, lines=200, vllm_lines=100, probe_rounds=1, probes=6)


class Run(msgspec.Struct, kw_only=True):
    """One arm's part of a round: so many texts in so many seconds, and their labels."""

    round: int
    arm: str
    lines: int
    seconds: float
    labels: list[str]
    errors: list[str]

    @property
    def lines_per_s(self) -> float:
        """Right or wrong, but answered."""
        return (self.lines - len(self.errors)) / self.seconds


class Probe(msgspec.Struct, kw_only=True):
    """First tokens of single requests of one kind. ``beside``: whether a batch ran, and how many lines of it
    were answered a second meanwhile."""

    round: int
    kind: str
    beside: bool
    first_ms: list[float]
    lines_per_s: float


class Batches:
    """Jobs of one server, over HTTP."""

    def __init__(self, server: Serving, model: str) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{server.port}/v1beta", timeout=120)
        self._model = model

    def create(self, texts: Sequence[str]) -> str:
        """Begin a job and return its name."""
        requests = [
            {"request": json.loads(gemini_body(text)), "metadata": {"key": str(number)}}
            for number, text in enumerate(texts)
        ]
        body = {"batch": {"displayName": "bench", "inputConfig": {"requests": {"requests": requests}}}}
        made = self._client.post(f"/models/{self._model}:batchGenerateContent", json=body)
        return str(made.raise_for_status().json()["name"])

    def get(self, name: str) -> dict[str, Any]:
        """Return a job, with its results once it has ended."""
        told: dict[str, Any] = self._client.get(f"/{name}").raise_for_status().json()
        return told

    def answered(self, name: str) -> int:
        """Return how many lines have an answer."""
        return int(self.get(name)["metadata"]["batchStats"].get("successfulRequestCount", 0))

    def results(self, name: str) -> list[dict[str, Any]]:
        """Wait for the end of a job and return its results."""
        while not (told := self.get(name)).get("done"):
            time.sleep(POLL_S)
        items: list[dict[str, Any]] = told["response"]["inlinedResponses"]["inlinedResponses"]
        return items

    def cancel(self, name: str) -> None:
        """End a job early, and wait until it has."""
        self._client.post(f"/{name}:cancel", json={}).raise_for_status()
        while not self.get(name).get("done"):
            time.sleep(POLL_S)


class Arms(NamedTuple):
    """Everything that sorts, loaded and warm."""

    batches: Batches
    live: GeminidSorter
    vllm: Child | None
    prober: GeminidArm
    render: Callable[[str], str]


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    model, texts = machine.model(), (ticket.text for ticket in tickets(seed=23))
    runs: list[Run] = []
    probes: list[Probe] = []
    with _arms(model, say) as arms:
        for number in rounds(plan.rounds, plan.seconds_max, say):
            runs += _round(arms, plan, number, list(itertools.islice(texts, plan.lines)), say)
        for number in range(plan.probe_rounds):
            probes += _probed(arms, plan, number, texts, say)
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "model": machine.model_facts(model)},
        runs=[*map(msgspec.to_builtins, runs), *map(msgspec.to_builtins, probes)],
        tables=[_speeds(runs), _ratios(runs), _labels(runs), _waits(probes)],
        goals=list(_goals(runs, probes)),
    )


@contextmanager
def _arms(model: Model, say: Callable[[str], None]) -> Iterator[Arms]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        load = stack.enter_context(Child("benchmarks.load"))
        # One server for each arm: what one has read must not be in the cache for the other.
        one, other = (
            Serving(
                *stack.enter_context(serving("--model", model.card.name, environ=_environ(folder / each)))
            )
            for each in ("batch", "live")
        )
        name = model.card.name
        arms = Arms(
            Batches(one, name),
            GeminidSorter(other, name, load),
            stack.enter_context(_vllm(model, folder, say)),
            GeminidArm(one.process, one.port, name, load),
            renderer(model),
        )
        warm = [ticket.text for ticket in itertools.islice(tickets(seed=1), CONNECTIONS)]
        say("warming up")
        arms.batches.results(arms.batches.create(warm))
        arms.live.sort(warm, CONNECTIONS)
        _vllm_labels(arms, warm)
        yield arms


def _environ(data: Path) -> dict[str, str]:
    """Return the settings of a server of ours."""
    flags = machine.facts()["machine"]["flags"]
    arithmetic = "bf16" if "amx_bf16" in flags else "f32"
    # Weights are the user's, everything else is new.
    cache = str(machine.model().weights.parents[2])
    return {
        "GEMINID_SERVER_DATA": str(data),
        "GEMINID_CATALOG_CACHE": cache,
        "GEMINID_ENGINE_ARITHMETIC": arithmetic,
    }


@contextmanager
def _vllm(model: Model, folder: Path, say: Callable[[str], None]) -> Iterator[Child | None]:
    if not (python := os.environ.get(VLLM_PYTHON)):
        say(f"{VLLM_PYTHON} names no Python with vLLM: that arm is left out")
        yield None
        return
    say("loading vLLM, which takes a minute or two")
    arguments = (str(model.weights), str(folder / "vllm"), *LABELS)
    with Child("benchmarks.vllm_arm", *arguments, python=python) as child:
        child.read(str)
        yield child


def _vllm_labels(arms: Arms, texts: Sequence[str]) -> tuple[float, list[str]]:
    if arms.vllm is None:
        return 0.0, []
    told = arms.vllm.ask([arms.render(gemini_body(text)) for text in texts], dict[str, Any])
    return told["seconds"], told["labels"]


# -- speed ------------------------------------------------------------------------------------------


def _round(
    arms: Arms, plan: Plan, number: int, texts: list[str], say: Callable[[str], None]
) -> Iterator[Run]:
    kinds: list[Callable[[], Run]] = [
        lambda: _batch(arms, number, texts),
        lambda: _live(arms, number, texts),
    ]
    if arms.vllm is not None:
        kinds.append(lambda: _offline(arms, number, texts[: plan.vllm_lines]))
    for sort in turned(kinds, number):
        done = sort()
        say(f"round {number + 1}, {done.arm}: {done.lines_per_s:.1f} lines/s, {len(done.errors)} errors")
        yield done


def _batch(arms: Arms, number: int, texts: list[str]) -> Run:
    began_s = time.perf_counter()
    results = arms.batches.results(arms.batches.create(texts))
    seconds = time.perf_counter() - began_s
    labels, errors = [], []
    for result in results:
        try:
            labels.append(str(result["response"]["candidates"][0]["content"]["parts"][0]["text"]))
        except LookupError:
            labels.append("")
            errors.append(json.dumps(result)[:300])
    return Run(round=number, arm=BATCH, lines=len(texts), seconds=seconds, labels=labels, errors=errors)


def _live(arms: Arms, number: int, texts: list[str]) -> Run:
    done = arms.live.sort(texts, CONNECTIONS)
    lines, seconds = len(texts), done.seconds
    return Run(round=number, arm=LIVE, lines=lines, seconds=seconds, labels=done.labels, errors=done.errors)


def _offline(arms: Arms, number: int, texts: list[str]) -> Run:
    seconds, labels = _vllm_labels(arms, texts)
    errors = [label for label in labels if label not in LABELS]
    return Run(round=number, arm=VLLM, lines=len(texts), seconds=seconds, labels=labels, errors=errors)


# -- first tokens beside it -------------------------------------------------------------------------


def _probed(
    arms: Arms, plan: Plan, number: int, texts: Iterator[str], say: Callable[[str], None]
) -> Iterator[Probe]:
    chance = random.Random(number)
    for kind in KINDS:
        yield _probe(arms, plan, number, kind, chance, None)
        name = arms.batches.create(list(itertools.islice(texts, plan.lines)))
        while not arms.batches.answered(name):
            time.sleep(POLL_S)
        probe = _probe(arms, plan, number, kind, chance, name)
        arms.batches.cancel(name)
        say(f"{kind}, beside a batch: {percentile(probe.first_ms, 50):.0f} ms to the first token")
        yield probe


def _probe(arms: Arms, plan: Plan, number: int, kind: str, chance: random.Random, job: str | None) -> Probe:
    before, began_s = arms.batches.answered(job) if job else 0, time.perf_counter()
    first_ms = []
    for _ in range(plan.probes):
        time.sleep(plan.pause_s * chance.uniform(0.5, 1.5))
        sample = arms.prober.wave([(_question(kind, chance), "")], 4).samples[0]
        assert sample.arrivals, sample.error
        first_ms.append((sample.arrivals[0][0] - sample.began_s) * 1e3)
    after, seconds = arms.batches.answered(job) if job else 0, time.perf_counter() - began_s
    rate = (after - before) / seconds
    return Probe(round=number, kind=kind, beside=bool(job), first_ms=first_ms, lines_per_s=rate)


def _question(kind: str, chance: random.Random) -> str:
    fresh = chance.randrange(10**9)
    return f"Tell me about the number {fresh}." if kind == "short" else long_text(430, fresh)


# -- figures ----------------------------------------------------------------------------------------


def _of(runs: Sequence[Run], arm: str) -> list[Run]:
    return [run for run in runs if run.arm == arm]


def _names(runs: Sequence[Run]) -> list[str]:
    return [name for name in (BATCH, LIVE, VLLM) if _of(runs, name)]


def _ratio(runs: Sequence[Run], under: str) -> Figure:
    """Return the batch's speed over another arm's, within each round."""
    pairs = zip(_of(runs, BATCH), _of(runs, under), strict=True)
    return figure(batch.lines_per_s / other.lines_per_s for batch, other in pairs)


def _speeds(runs: Sequence[Run]) -> Table:
    rows: list[list[str | Figure]] = []
    for name in _names(runs):
        mine = _of(runs, name)
        whole = figure(WHOLE_BATCH / run.lines_per_s for run in mine)
        lines = str(sum(run.lines for run in mine))
        rows.append([name, lines, figure(run.lines_per_s for run in mine), whole])
    return Table(
        title="Short classifications with a shared instruction",
        note=f"Rounds: {len({run.round for run in runs})}. Six labels, some 550 tokens, 520 of them shared. "
        "A batch from its creation until its results are fetched.",
        columns=["arm", "lines", "lines/s", f"s for {WHOLE_BATCH:,}"],
        rows=rows,
    )


def _ratios(runs: Sequence[Run]) -> Table:
    others = [name for name in _names(runs) if name != BATCH]
    rows: list[list[str | Figure]] = [[f"batch / {name}", _ratio(runs, name)] for name in others]
    return Table(
        title="Ratios of lines per second", note="Each within one round.", columns=["", "ratio"], rows=rows
    )


def _labels(runs: Sequence[Run]) -> Table:
    rows: list[list[str | Figure]] = []
    for name in _names(runs):
        pairs = [
            (label, other)
            for mine, batch in zip(_of(runs, name), _of(runs, BATCH), strict=True)
            for label, other in zip(mine.labels, batch.labels, strict=False)
        ]
        same = sum(label == other for label, other in pairs)
        errors = str(sum(len(run.errors) for run in _of(runs, name)))
        rows.append([name, f"{same} of {len(pairs)}", errors])
    note = "vLLM computes with the same weights unpacked to bfloat16, so some of its labels may differ."
    return Table(title="Labels", note=note, columns=["arm", "same label as batch", "errors"], rows=rows)


def _firsts(probes: Sequence[Probe], kind: str, beside: bool) -> list[float]:
    mine = (probe for probe in probes if (probe.kind, probe.beside) == (kind, beside))
    return [first_ms for probe in mine for first_ms in probe.first_ms]


def _waited(probes: Sequence[Probe], kind: str, percent: int) -> Figure:
    idle, beside = (percentile(_firsts(probes, kind, each), percent) for each in (False, True))
    return figure([beside / idle])


def _waits(probes: Sequence[Probe]) -> Table:
    rows: list[list[str | Figure]] = []
    for kind in KINDS:
        idle, beside = (_firsts(probes, kind, each) for each in (False, True))
        rate = figure(probe.lines_per_s for probe in probes if probe.kind == kind and probe.beside)
        rows.append(
            [
                kind,
                *(figure([percentile(each, 50)]) for each in (idle, beside)),
                _waited(probes, kind, 50),
                *(figure([percentile(each, 90)]) for each in (idle, beside)),
                rate,
            ]
        )
    return Table(
        title="Time to the first token of live requests beside a batch, ms",
        note=f"One request at a time, {len(_firsts(probes, KINDS[0], True))} of each kind idle and beside.",
        columns=["prompt", "idle", "beside", "ratio", "idle, 90th", "beside, 90th", "lines/s meanwhile"],
        rows=rows,
    )


def _goals(runs: Sequence[Run], probes: Sequence[Probe]) -> Iterator[Goal]:
    for name in _names(runs):
        if name != BATCH:
            title = f"lines/s of a batch over {name}"
            yield Goal(name=title, bound=1.0, at_least=True, figure=_ratio(runs, name), unit="×")
    for kind in KINDS:
        title = f"first token beside a batch over idle, median, {kind}"
        yield Goal(name=title, bound=1.5, at_least=False, figure=_waited(probes, kind, 50), unit="×")
