"""What a shared prefix saves: the time to the first token of a second request over the first's.

Both requests begin with the same text of some 1,500 tokens, which no repetition has used before, and
end in different questions. Over HTTP, one request at a time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from benchmarks import machine
from benchmarks.arms import GeminidArm, serving
from benchmarks.child import Child
from benchmarks.figures import Figure, Goal, Outcome, Table, figure
from benchmarks.prompts import long_text

TOKENS_MAX = 4
QUESTIONS = (" Which word came first?", " How many words were there?")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. ``prefix_tokens`` is met within a few tokens; the real count is in the runs."""

    repetitions: int = 5
    prefix_tokens: int = 1500


QUICK = Plan(repetitions=2)


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    model = machine.model()
    with Child("benchmarks.load") as load, serving("--model", model.card.name) as server:
        arm = GeminidArm(server.process, server.port, model.card.name, load)
        _first_ms(arm, "Hello.")
        runs = []
        for number in range(plan.repetitions):
            prefix, tokens = fresh_text(server.port, model.card.name, plan.prefix_tokens)
            cold_ms, warm_ms = (_first_ms(arm, prefix + question) for question in QUESTIONS)
            short_ms = _first_ms(arm, f"Name the number {number}.")
            runs.append({"tokens": tokens, "cold_ms": cold_ms, "warm_ms": warm_ms, "short_ms": short_ms})
            say(f"{tokens} tokens: {cold_ms:.0f} ms cold, {warm_ms:.0f} ms warm")
    ratio = figure(each["warm_ms"] / each["cold_ms"] for each in runs)
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "model": machine.model_facts(model)},
        runs=runs,
        tables=[_table(runs, ratio)],
        goals=[
            Goal(
                name="first token, second request over first",
                bound=0.10,
                at_least=False,
                figure=ratio,
                unit="×",
            )
        ],
    )


def fresh_text(port: int, model: str, tokens: int) -> tuple[str, int]:
    """Return a fresh text and how many tokens a prompt of it has."""
    text = long_text(int(tokens / 1.1), random.SystemRandom().getrandbits(32))
    url = f"http://127.0.0.1:{port}/v1beta/models/{model}:countTokens"
    for _ in range(3):
        body = {"contents": [{"parts": [{"text": text}]}]}
        count = httpx.post(url, json=body, timeout=60).raise_for_status().json()["totalTokens"]
        if abs(count - tokens) < tokens / 100:
            break
        words = text.split()
        wanted = round(len(words) * tokens / count)
        text = " ".join(words[:wanted] + long_text(max(0, wanted - len(words)), count).split())
    return text, count


def _first_ms(arm: GeminidArm, text: str) -> float:
    sample = arm.wave([(text, "")], TOKENS_MAX).samples[0]
    assert sample.arrivals, sample.error
    return (sample.arrivals[0][0] - sample.began_s) * 1e3


def _table(runs: list[dict[str, Any]], ratio: Figure) -> Table:
    names = ("tokens", "cold_ms", "warm_ms", "short_ms")
    row: list[str | Figure] = [*(figure(float(each[name]) for each in runs) for name in names), ratio]
    return Table(
        title="Time to the first token with a long prefix, ms",
        note="Cold: nobody has sent this text before. Warm: it is sent again with another question. "
        "Short: a prompt of a few words, for comparison.",
        columns=["prompt tokens", "cold", "warm", "short", "warm / cold"],
        rows=[row],
    )
