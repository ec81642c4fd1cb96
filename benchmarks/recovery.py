"""What a killed engine costs: from the kill to the next answer, and how the server behaved meanwhile.

Sixteen streams are running when the engine process is killed. At once the next request is sent; the
time to its first token is the pause. ``/healthz`` is asked all the while.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from benchmarks import machine
from benchmarks.arms import serving
from benchmarks.figures import Figure, Goal, Outcome, Table, figure

STREAMS = 16
TOKENS_MAX = 100
KILL_AFTER_S = 4.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    repetitions: int = 5


QUICK = Plan(repetitions=2)


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    model = machine.model()
    runs = []
    with serving("--model", model.card.name) as server:
        for _ in range(plan.repetitions):
            runs.append(asyncio.run(_kill(f"http://127.0.0.1:{server.port}", model.card.name)))
            say(f"{runs[-1]['pause_s']:.1f} s; {runs[-1]['outcomes']}")
    pause_s, slowest_ms = (figure(each[name] for each in runs) for name in ("pause_s", "healthz_ms_max"))
    clean = all(set(each["outcomes"]) <= {"STOP", "MAX_TOKENS", "error 503"} for each in runs)
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "streams": STREAMS, "model": machine.model_facts(model)},
        runs=runs,
        tables=[_table(pause_s, slowest_ms)],
        goals=[
            Goal(name="next answer begins after a kill", bound=15, at_least=False, figure=pause_s, unit="s"),
            Goal(
                name="runs in which every stream ended in an answer or an error event",
                bound=1,
                at_least=True,
                figure=figure([float(clean)]),
                unit="×",
            ),
        ],
    )


async def _kill(url: str, model: str) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=None)) as client:
        stop = asyncio.Event()
        slowest = asyncio.create_task(_healthz(client, url, stop))
        streams = [
            asyncio.create_task(_stream(client, url, model, f"Write a long story about {number} ships."))
            for number in range(STREAMS)
        ]
        await asyncio.sleep(KILL_AFTER_S)
        states = (await client.get(f"{url}/readyz")).json()["models"]
        os.kill(next(state["pid"] for state in states if state["model"] == model), signal.SIGKILL)
        began = time.perf_counter()
        first_s, _ = await _stream(client, url, model, "Say hello.")
        outcomes = Counter(outcome for _, outcome in await asyncio.gather(*streams))
        stop.set()
        return {
            "pause_s": first_s - began,
            "outcomes": dict(outcomes),
            "healthz_ms_max": await slowest,
        }


async def _stream(client: httpx.AsyncClient, url: str, model: str, text: str) -> tuple[float, str]:
    """Return when the first chunk came and how the stream ended."""
    body = {"contents": [{"parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": TOKENS_MAX}}
    path = f"{url}/v1beta/models/{model}:streamGenerateContent?alt=sse"
    first_s, last = 0.0, {}
    async with client.stream("POST", path, json=body) as reply:
        async for line in reply.aiter_lines():
            if line:
                first_s = first_s or time.perf_counter()
                last = json.loads(line.removeprefix("data: "))
    if "error" in last:
        return first_s, f"error {last['error']['code']}"
    return first_s, last["candidates"][0].get("finishReason", "cut short")


async def _healthz(client: httpx.AsyncClient, url: str, stop: asyncio.Event) -> float:
    slowest_ms = 0.0
    while not stop.is_set():
        began = time.perf_counter()
        (await client.get(f"{url}/healthz")).raise_for_status()
        slowest_ms = max(slowest_ms, (time.perf_counter() - began) * 1e3)
        await asyncio.sleep(0.05)
    return slowest_ms


def _table(pause_s: Figure, slowest_ms: Figure) -> Table:
    return Table(
        title="Engine process killed under 16 streams",
        note="From the kill to the first token of the next request; slowest answer of /healthz meanwhile.",
        columns=["next first token, s", "slowest /healthz, ms"],
        rows=[[pause_s, slowest_ms]],
    )
