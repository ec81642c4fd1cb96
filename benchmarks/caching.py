"""Cached contents: the time to the first token of questions about a long document, beside the same without.

A document of some 6,000 tokens is cached over HTTP and asked about. Beside every few questions another
document that nobody has sent before is asked about, whole. Both are streamed, one at a time. Then the server
is started again on its data, and once it has computed the cached contents again the questions are asked anew.
At last as many cached contents are made as were planned, the first are asked about again, and the memory of
the server and its engine is read.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from benchmarks import machine
from benchmarks.arms import serving
from benchmarks.child import usage, wait_until
from benchmarks.figures import Figure, Goal, Outcome, Table, figure
from benchmarks.prefix import fresh_text
from benchmarks.prompts import WHO, long_text

TOKENS_MAX = 12


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. ``each_tokens``: of one of the ``caches`` that are made at last."""

    questions: int = 20
    uncached: int = 5
    document_tokens: int = 6_000
    caches: int = 200
    each_tokens: int = 350


QUICK = Plan(questions=4, uncached=1, document_tokens=1_500, caches=5)


class Told(NamedTuple):
    """One answer: when its first token came, what it says, and which part of its prompt was cached."""

    first_ms: float
    text: str
    prompt: int
    cached: int


class Asker:
    """Talks to one server about one model."""

    def __init__(self, port: int, model: str) -> None:
        self._model = model
        self._url = f"http://127.0.0.1:{port}"
        self._client = httpx.Client(base_url=f"{self._url}/v1beta", timeout=600)

    def cache(self, text: str) -> str:
        """Make cached contents and return their name."""
        body = {"model": f"models/{self._model}", "contents": contents(text), "ttl": "3600s"}
        return str(self._client.post("/cachedContents", json=body).raise_for_status().json()["name"])

    def ask(self, texts: list[str], cache: str = "") -> Told:
        """Ask greedily, over a stream."""
        body: dict[str, Any] = {
            "contents": [turn for text in texts for turn in contents(text)],
            "generationConfig": {"maxOutputTokens": TOKENS_MAX, "temperature": 0},
        }
        if cache:
            body["cachedContent"] = cache
        said, first_s, counts = "", 0.0, {}
        path, began_s = f"/models/{self._model}:streamGenerateContent?alt=sse", time.monotonic()
        with self._client.stream("POST", path, json=body) as response:
            for line in response.raise_for_status().iter_lines():
                if line.startswith("data: "):
                    first_s = first_s or time.monotonic() - began_s
                    chunk = json.loads(line.removeprefix("data: "))
                    counts = chunk["usageMetadata"]
                    parts = chunk["candidates"][0]["content"].get("parts", [])
                    said += "".join(part.get("text", "") for part in parts)
        return Told(first_s * 1e3, said, counts["promptTokenCount"], counts.get("cachedContentTokenCount", 0))

    def kept(self) -> int:
        """Return how many prefixes the engine keeps."""
        state = httpx.get(f"{self._url}/readyz").json()["models"]
        return int(next(each["prefixes"] for each in state if each["model"] == self._model))


def contents(text: str) -> list[dict[str, Any]]:
    """Return one turn of the user."""
    return [{"role": "user", "parts": [{"text": text}]}]


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    model = machine.model()
    name, questions = model.card.name, [f"What would a {who} say of this?" for who in WHO[: plan.questions]]
    with tempfile.TemporaryDirectory() as data:
        environ = {
            "GEMINID_SERVER_DATA": str(Path(data) / "data"),
            "GEMINID_CATALOG_CACHE": str(model.fleet.cache),
            "GEMINID_CACHES_TOKENS_MIN": "1",
        }
        with serving("--model", name, environ=environ) as (_, port):
            first = _first_life(Asker(port, name), port, name, questions, plan)
            times = [f"{firsts(first.runs, kind).median:.0f} ms {kind}" for kind in ("uncached", "cached")]
            say(f"{first.tokens} tokens: {', '.join(times)}")
        with serving("--model", name, environ=environ) as (process, port):
            runs, memory = _second_life(Asker(port, name), process.pid, questions, plan, first)
            say(f"many: {memory}")
    runs = first.runs + runs
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "model": machine.model_facts(model), "tokens": first.tokens},
        runs=[*runs, memory],
        tables=[_table(runs, first.tokens), _memory(memory)],
        goals=_goals(runs),
    )


class FirstLife(NamedTuple):
    """What a server left that is started again: its cached contents, and the answers without them."""

    runs: list[dict[str, Any]]
    tokens: int
    cache: str
    plain: list[str]


def _first_life(asker: Asker, port: int, model: str, questions: list[str], plan: Plan) -> FirstLife:
    document, tokens = fresh_text(port, model, plan.document_tokens)
    plain = [asker.ask([document, question]).text for question in questions]  # the first one computes it
    cache, every = asker.cache(document), max(1, plan.questions // plan.uncached)
    runs = []
    for number, question in enumerate(questions):
        if number % every == 0:
            other, _ = fresh_text(port, model, plan.document_tokens)
            runs.append(note("uncached", asker.ask([other, question])))
        told = asker.ask([question], cache)
        runs.append(note("cached", told, told.text == plain[number]))
    return FirstLife(runs, tokens, cache, plain)


def _second_life(
    asker: Asker, pid: int, questions: list[str], plan: Plan, first: FirstLife
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    wait_until(lambda: asker.kept() == 1, 120, "the cached contents are not computed again")
    runs = []
    for question, plain in zip(questions, first.plain, strict=True):
        told = asker.ask([question], first.cache)
        runs.append(note("after a restart", told, told.text == plain))
    before, began_s, chance = usage(pid).rss_bytes, time.monotonic(), random.SystemRandom()
    for _ in range(plan.caches - 1):
        asker.cache(long_text(int(plan.each_tokens / 1.1), chance.getrandbits(32)))
    took_s = time.monotonic() - began_s
    for question, plain in zip(questions, first.plain, strict=True):
        told = asker.ask([question], first.cache)
        runs.append(note("beside many", told, told.text == plain))
    mib = {"before_mib": before / 2**20, "after_mib": usage(pid).rss_bytes / 2**20}
    return runs, {"caches": asker.kept(), "took_s": took_s, **mib}


def note(kind: str, told: Told, same: bool | None = None) -> dict[str, Any]:
    """Return one answer as a raw run. same: whether it says what was said without a cache."""
    return {"kind": kind, **told._asdict(), "same": same}


def firsts(runs: list[dict[str, Any]], kind: str) -> Figure:
    """Return the times to the first token of one kind of run."""
    return figure(each["first_ms"] for each in runs if each["kind"] == kind)


def _goals(runs: list[dict[str, Any]]) -> list[Goal]:
    uncached = firsts(runs, "uncached").median
    goals = []
    for kind in ("cached", "after a restart"):
        ratio = figure(each["first_ms"] / uncached for each in runs if each["kind"] == kind)
        same = figure(float(each["same"]) for each in runs if each["kind"] == kind)
        name = f"first token over uncached, {kind}"
        goals.append(Goal(name=name, bound=0.15, at_least=False, figure=ratio, unit="×"))
        goals.append(Goal(name=f"answers equal, {kind}, lowest", bound=1, at_least=True, figure=lowest(same)))
    return goals


def lowest(of: Figure) -> Figure:
    """Return a figure by its worst run."""
    return Figure(of.low, of.low, of.high, of.n)


def _table(runs: list[dict[str, Any]], tokens: int) -> Table:
    rows: list[list[str | Figure]] = []
    for kind in ("uncached", "cached", "after a restart", "beside many"):
        of = [each for each in runs if each["kind"] == kind]
        cached = figure(float(each["cached"]) for each in of)
        told = [each["same"] for each in of if each["same"] is not None]
        same = f"{sum(told)} of {len(told)}" if told else "–"
        rows.append([kind, firsts(runs, kind), figure(float(each["prompt"]) for each in of), cached, same])
    return Table(
        title=f"Questions about a document of {tokens} tokens",
        note="Uncached: a document that nobody has sent before. Equal: to the greedy answer to the same "
        "question without a cache.",
        columns=["", "first token, ms", "prompt tokens", "cached tokens", "answers equal"],
        rows=rows,
    )


def _memory(memory: dict[str, Any]) -> Table:
    return Table(
        title="Many cached contents at once",
        note="Resident memory of the server and its engine before and after they were made.",
        columns=["kept", "made in, s", "before, MiB", "after, MiB"],
        rows=[[f"{memory[key]:.0f}" for key in ("caches", "took_s", "before_mib", "after_mib")]],
    )
