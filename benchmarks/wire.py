"""What the wire costs: reading a request, writing a chunk, writing an answer. No network, no engine.

Each figure is the time of one call, from loops of some 50 ms; several loops give median and extremes.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.figures import Outcome, Table, figure
from geminid.core.events import Answer, Candidate, FinishReason, Started, TextDelta
from geminid.core.usage import Usage
from geminid.wire.gemini.generate import ChunkWriter, read_request, write_answer
from geminid.wire.sse import SseFraming

MODEL = "smollm2-135m-instruct"
WORDS = "The quick brown fox jumps over the lazy dog. "


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    loops: int = 15
    loop_s: float = 0.05


QUICK = Plan(loops=3, loop_s=0.02)


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    runs = []
    for name, call in CASES.items():
        runs.append({"case": name, "us": _times_us(call, plan)})
        say(f"{name}: {figure(runs[-1]['us']).median:.2f} µs")
    return Outcome(
        arguments=msgspec.to_builtins(plan),
        runs=runs,
        tables=[
            Table(
                title="Microseconds a call",
                note="The fast path reads a body as clients send it, in camelCase. Anything else that "
                "protobuf's JSON allows takes the slow one.",
                columns=["call", "µs"],
                rows=[[each["case"], figure(each["us"])] for each in runs],
            )
        ],
    )


def _times_us(call: Callable[[], object], plan: Plan) -> list[float]:
    timer = timeit.Timer(call)
    number, took_s = timer.autorange()
    number = max(1, int(number * plan.loop_s / took_s))
    return [timer.timeit(number) / number * 1e6 for _ in range(plan.loops)]


def _body(turns: int, words: int) -> dict[str, Any]:
    """Return a conversation of ``turns``, each of ``words`` sentences."""
    contents = [{"role": ("user", "model")[i % 2], "parts": [{"text": WORDS * words}]} for i in range(turns)]
    config = {"temperature": 0.7, "topP": 0.9, "maxOutputTokens": 256, "stopSequences": ["END"]}
    return {"contents": contents, "generationConfig": config}


def _snake(body: dict[str, Any]) -> dict[str, Any]:
    """Return the same in the names of the .proto file."""
    config = {"temperature": 0.7, "top_p": 0.9, "max_output_tokens": 256, "stop_sequences": ["END"]}
    return {"contents": body["contents"], "generation_config": config}


def _cases() -> dict[str, Callable[[], object]]:
    short, long = _body(1, 2), _body(21, 20)
    bodies = {
        "read_request, one turn, fast path": json.dumps(short).encode(),
        "read_request, one turn, slow path": json.dumps(_snake(short)).encode(),
        "read_request, 21 turns of 900 bytes, fast path": json.dumps(long).encode(),
        "read_request, 21 turns of 900 bytes, slow path": json.dumps(_snake(long)).encode(),
    }
    cases: dict[str, Callable[[], object]] = {
        name: (lambda body=body: read_request(body, MODEL)) for name, body in bodies.items()
    }
    writer, framing, delta = ChunkWriter(MODEL, "aBcDeFgHiJkLmNoPqRsTuV"), SseFraming(), TextDelta(" fox", 1)
    writer.write(Started(Usage(prompt=30)))
    cases["one streamed chunk, framed as an event"] = lambda: framing.frame(writer.write(delta) or b"")
    answer = Answer(
        candidates=(Candidate(text=WORDS * 12, reason=FinishReason.MAX_TOKENS),),
        usage=Usage(prompt=30, candidates=128),
    )
    cases["one whole answer of 128 tokens"] = lambda: write_answer(answer, MODEL, "aBcDeFgHiJkLmNoPqRsTuV")
    return cases


CASES = _cases()
