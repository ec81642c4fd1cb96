"""What each wire costs a streamed chunk: an event to the bytes that are sent, and back as a client reads it.

The bound is 30 µs for each, as a median. Reading a request and writing a whole answer are told beside it. No
network, no engine; figures as in :mod:`benchmarks.wire`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec

from benchmarks.figures import Outcome, Table, figure
from benchmarks.wire import QUICK, Plan, _times_us
from geminid.core.card import ModelCard
from geminid.core.events import Answer, Candidate, FinishReason, Started, TextDelta
from geminid.core.usage import Usage
from geminid.wire.gemini import generate
from geminid.wire.openai import answers, chat, chunks
from geminid.wire.openai.surfaces import GOOGLE, OPENAI
from geminid.wire.sse import SseFraming

__all__ = ["QUICK", "Plan", "run"]

CHUNK_US_MAX = 30
MODEL = "smollm2-135m-instruct"
RESPONSE_ID = "aBcDeFgHiJkLmNoPqRsTuV"
WORDS = "The quick brown fox jumps over the lazy dog. "
DELTA = TextDelta(" fox", 1)


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    runs = []
    for name, call in CASES.items():
        us = _times_us(call, plan)
        runs.append({"case": name, "us": us})
        say(f"{name}: {figure(us).median:.2f} µs")
    return Outcome(
        arguments=msgspec.to_builtins(plan),
        runs=runs,
        tables=[
            Table(
                title="Microseconds a call, by wire",
                note=f"The bound on encoding and on decoding one streamed chunk is {CHUNK_US_MAX} µs each, "
                "as a median.",
                columns=["call", "µs"],
                rows=[[each["case"], figure(each["us"])] for each in runs],
            )
        ],
    )


def _gemini() -> Callable[[], bytes]:
    writer, framing = generate.ChunkWriter(MODEL, RESPONSE_ID), SseFraming()
    writer.write(Started(Usage(prompt=30)))
    return lambda: framing.frame(writer.write(DELTA) or b"")


def _openai(surface: object) -> Callable[[], bytes]:
    writer, framing = chunks.ChunkWriter(_heading(surface), TELLING), chunks.ChatFraming()
    writer.write(Started(Usage(prompt=30)))
    return lambda: framing.frame(writer.write(DELTA) or b"")


def _heading(surface: object) -> answers.Heading:
    card = ModelCard(
        name=MODEL, title=MODEL, context_tokens_max=8192, input_tokens_max=8192, output_tokens_max=8192
    )
    return answers.heading_of(surface, card, RESPONSE_ID, 1_741_569_952, TELLING)  # type: ignore[arg-type]


def _decoded(framed: bytes) -> Callable[[], object]:
    """Read one event as a client does: its line, then its JSON."""
    return lambda: json.loads(framed.rstrip().removeprefix(b"data: "))


TELLING = answers.Telling()


def _cases() -> dict[str, Callable[[], object]]:
    writers = {"gemini": _gemini(), "openai": _openai(OPENAI), "openai at /v1beta/openai": _openai(GOOGLE)}
    cases: dict[str, Callable[[], object]] = {}
    for wire, write in writers.items():
        cases[f"{wire}: one streamed chunk, encoded and framed"] = write
        cases[f"{wire}: one streamed chunk, decoded"] = _decoded(write())
    short = [{"role": "user", "content": WORDS * 2}]
    long = [{"role": ("user", "assistant")[i % 2], "content": WORDS * 20} for i in range(21)]
    settings = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 256, "stop": ["END"]}
    reading = chat.Reading()
    for name, messages in (("one message", short), ("21 messages of 900 bytes", long)):
        body = json.dumps({"model": MODEL, "messages": messages, **settings}).encode()
        cases[f"openai: read_request, {name}"] = lambda body=body: chat.read_request(body, reading)
    answer = Answer(
        candidates=(Candidate(text=WORDS * 12, reason=FinishReason.MAX_TOKENS),),
        usage=Usage(prompt=30, candidates=128),
    )
    heading = _heading(OPENAI)
    cases["openai: one whole answer of 128 tokens"] = lambda: answers.write_answer(answer, heading, TELLING)
    return cases


CASES = _cases()
