"""Short texts into six labels, with a long instruction that all share: geminid and llama.cpp's server.

Rounds: in each, every arm sorts texts of the same fresh chunk, one arm after the other and in turning
order. Some arms get only the chunk's beginning, for time: rates are compared, within a round. All arms
read the same tokens and have read the instruction before.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from benchmarks import machine
from benchmarks.arms import serving
from benchmarks.child import Child, usage
from benchmarks.figures import Figure, Goal, Outcome, Table, figure, percentile
from benchmarks.machine import Model
from benchmarks.rendering import renderer
from benchmarks.rounds import rounds, turned
from benchmarks.sorters import GeminidSorter, LlamaSorter, Sorted, Sorter
from benchmarks.tickets import Ticket, tickets

GEMINID, PROBABILITIES, LLAMA = "geminid", "geminid with probabilities", "llama.cpp"
NAMES = (GEMINID, PROBABILITIES, LLAMA)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """So many requests at once, and how many texts of a round's chunk each arm gets."""

    connections: int
    items: dict[str, int]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. No round begins that would probably end later than ``seconds_max``."""

    rounds: int = 5
    seconds_max: float = 330.0
    loads: tuple[Load, ...] = (
        Load(connections=64, items={GEMINID: 200, PROBABILITIES: 64, LLAMA: 128}),
        Load(connections=16, items={GEMINID: 64, PROBABILITIES: 16, LLAMA: 32}),
    )


QUICK = Plan(
    rounds=1, loads=(Load(connections=16, items={GEMINID: 48, PROBABILITIES: 16, LLAMA: 32}),)
)  # fmt: skip


class Run(msgspec.Struct, kw_only=True):
    """One arm's part of a round's chunk. ``expected``: the labels that the texts were written for."""

    round: int
    arm: str
    connections: int
    items: int
    seconds: float
    items_per_s: float
    labels: list[str]
    expected: list[str]
    errors: list[str]
    prompt_tokens: float
    latency_ms_p50: float
    latency_ms_p99: float
    server_cpu_s: float
    client_cpu_s: float
    others_cpu_s: float


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    model, texts = machine.model(), tickets()
    runs: list[Run] = []
    with _sorters(model, max(load.connections for load in plan.loads), say) as sorters:
        for number in rounds(plan.rounds, plan.seconds_max, say):
            for load in plan.loads:
                runs += _round(sorters, number, load, texts, say)
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "model": machine.model_facts(model)},
        runs=[msgspec.to_builtins(each) for each in runs],
        tables=[*_tables(runs), _words(runs)],
        goals=list(_goals(runs)),
    )


@contextmanager
def _sorters(model: Model, slots: int, say: Callable[[str], None]) -> Iterator[list[Sorter]]:
    """All arms, loaded; every one of them has read the instruction."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        load = stack.enter_context(Child("benchmarks.load"))
        # One server for each arm: what one has read must not be in the cache for the other.
        servers = [stack.enter_context(serving("--model", model.card.name)) for _ in range(2)]
        child = stack.enter_context(Child("benchmarks.llama_arm", str(model.weights), str(slots), folder))
        llama = LlamaSorter(child, slots, load, renderer(model))
        plain, probable = (
            GeminidSorter(server, model.card.name, load, probabilities=each)
            for server, each in zip(servers, (False, True), strict=True)
        )
        say("warming up")
        llama.warm("I have a word to say.")
        first = [ticket.text for ticket in itertools.islice(tickets(seed=1), slots)]
        for sorter, texts in ((plain, first), (probable, first[:4]), (llama, first[:8])):
            sorter.sort(texts, slots)
        yield [plain, probable, llama]


def _round(
    sorters: Sequence[Sorter], number: int, load: Load, texts: Iterator[Ticket], say: Callable[[str], None]
) -> Iterator[Run]:
    chunk = list(itertools.islice(texts, max(load.items.values())))
    for sorter in turned(sorters, number):
        done = _run(sorters, sorter, number, chunk[: load.items[sorter.name]], load.connections)
        where = f"round {number + 1}, {load.connections} at once, {sorter.name}"
        say(f"{where}: {done.items_per_s:.1f} texts/s, {_right(done)} right, {len(done.errors)} errors")
        yield done


def _run(
    sorters: Sequence[Sorter], sorter: Sorter, number: int, chunk: list[Ticket], connections: int
) -> Run:
    before = {each.pid: usage(each.pid) for each in sorters}
    done = sorter.sort([ticket.text for ticket in chunk], connections)
    cpu_s = {pid: usage(pid).cpu_s - used.cpu_s for pid, used in before.items()}
    return _summed(sorter, number, chunk, connections, done, cpu_s)


def _summed(
    sorter: Sorter, number: int, chunk: list[Ticket], connections: int, done: Sorted, cpu_s: dict[int, float]
) -> Run:
    latencies_ms = [1e3 * each for each in done.latencies_s]
    return Run(
        round=number,
        arm=sorter.name,
        connections=connections,
        items=len(chunk),
        seconds=done.seconds,
        items_per_s=(len(chunk) - len(done.errors)) / done.seconds,
        labels=done.labels,
        expected=[ticket.label for ticket in chunk],
        errors=done.errors,
        prompt_tokens=sum(done.prompt_tokens) / max(1, len(done.prompt_tokens)),
        latency_ms_p50=percentile(latencies_ms, 50),
        latency_ms_p99=percentile(latencies_ms, 99),
        server_cpu_s=cpu_s[sorter.pid],
        client_cpu_s=done.client_cpu_s,
        others_cpu_s=sum(cpu_s.values()) - cpu_s[sorter.pid],
    )


# -- figures ---------------------------------------------------------------------------------------


def _right(run: Run) -> int:
    return sum(label == wanted for label, wanted in zip(run.labels, run.expected, strict=True))


def _of(runs: Iterable[Run], arm: str, connections: int) -> list[Run]:
    return [run for run in runs if run.arm == arm and run.connections == connections]


def _loads(runs: Iterable[Run]) -> list[int]:
    return sorted({run.connections for run in runs}, reverse=True)


def _tables(runs: list[Run]) -> Iterable[Table]:
    yield _table(runs, "Texts sorted per second", lambda r: r.items_per_s)
    yield _ratios(runs)
    yield _table(runs, "Time of one answer, ms, median", lambda r: r.latency_ms_p50)
    yield _table(runs, "Time of one answer, ms, 99th percentile", lambda r: r.latency_ms_p99)
    yield _table(runs, "Processor ms a text, server", lambda r: 1e3 * r.server_cpu_s / r.items)
    yield _table(runs, "Processor share of the idle arms, cores", lambda r: r.others_cpu_s / r.seconds)


def _table(runs: list[Run], title: str, value: Callable[[Run], float]) -> Table:
    rows: list[list[str | Figure]] = [
        [str(n), *(figure(map(value, _of(runs, name, n))) for name in NAMES)] for n in _loads(runs)
    ]
    note = f"By number of requests at once. Rounds: {len({run.round for run in runs})}."
    return Table(title=title, note=note, columns=["at once", *NAMES], rows=rows)


def _ratio(runs: list[Run], over: str, under: str, connections: int) -> Figure:
    """Return an arm's speed over another's, within each round."""
    pairs = zip(_of(runs, over, connections), _of(runs, under, connections), strict=False)
    return figure(a.items_per_s / b.items_per_s for a, b in pairs if b.items_per_s)


def _ratios(runs: list[Run]) -> Table:
    pairs = ((GEMINID, LLAMA), (PROBABILITIES, LLAMA), (PROBABILITIES, GEMINID))
    rows: list[list[str | Figure]] = [
        [str(n), *(_ratio(runs, over, under, n) for over, under in pairs)] for n in _loads(runs)
    ]
    columns = ["at once", *(f"{over} / {under}" for over, under in pairs)]
    return Table(
        title="Ratios of texts per second", note="Each within one round.", columns=columns, rows=rows
    )


def _agreement(runs: Iterable[Run], one: str, other: str) -> str:
    """Return how many of the texts that both arms sorted got the same label from both."""
    same = both = 0
    pairs = {(run.round, run.connections): run for run in runs if run.arm == other}
    for run in runs:
        if run.arm == one and (twin := pairs.get((run.round, run.connections))):
            labels = list(zip(run.labels, twin.labels, strict=False))
            both, same = both + len(labels), same + sum(a == b for a, b in labels)
    return f"{same} of {both}"


def _words(runs: list[Run]) -> Table:
    rows: list[list[str | Figure]] = []
    for name in NAMES:
        mine = [run for run in runs if run.arm == name]
        right, items = sum(map(_right, mine)), sum(run.items for run in mine)
        tokens = figure(run.prompt_tokens for run in mine)
        errors = str(sum(len(run.errors) for run in mine))
        rows.append([name, tokens, f"{right} of {items}", _agreement(runs, GEMINID, name), errors])
    note = (
        "Right: the label that the text's template was written for. Prompt tokens as each server counts "
        "them. The two engines compute with different weights (unpacked and packed), so labels may differ."
    )
    columns = ["arm", "prompt tokens, mean", "right", "same label as geminid", "errors"]
    return Table(title="Labels", note=note, columns=columns, rows=rows)


def _goals(runs: list[Run]) -> Iterable[Goal]:
    for n in _loads(runs):
        name = f"texts/s over those of llama.cpp, {n} at once"
        yield Goal(name=name, bound=3.0, at_least=True, figure=_ratio(runs, GEMINID, LLAMA, n), unit="×")
