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
from geminid.core.interaction import Interaction, StepBegun
from geminid.core.usage import Usage
from geminid.wire.anthropic import answers as anthropic
from geminid.wire.anthropic.messages import Shows
from geminid.wire.gemini import generate
from geminid.wire.interactions import create
from geminid.wire.interactions import events as interactions
from geminid.wire.interactions.answers import Telling
from geminid.wire.openai import answers, chat, chunks
from geminid.wire.openai.responses import request
from geminid.wire.openai.responses.draft import Draft, Heading
from geminid.wire.openai.responses.events import ResponsesFraming
from geminid.wire.openai.responses.items import Known
from geminid.wire.openai.responses.writing import EventWriter
from geminid.wire.openai.surfaces import GOOGLE, OPENAI
from geminid.wire.sse import SseFraming

__all__ = ["QUICK", "Plan", "run"]

CHUNK_US_MAX = 30
MODEL = "smollm2-135m-instruct"
RESPONSE_ID = "aBcDeFgHiJkLmNoPqRsTuV"
WORDS = "The quick brown fox jumps over the lazy dog. "
DELTA = TextDelta(" fox", 1)
CARD = ModelCard(
    name=MODEL, title=MODEL, context_tokens_max=8192, input_tokens_max=8192, output_tokens_max=8192
)


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


def _interactions() -> Callable[[], bytes]:
    begun = Interaction(
        id=f"v1_{RESPONSE_ID}",
        project="default",
        wire="interactions",
        model=MODEL,
        asked=MODEL,
        status="in_progress",
        created_ms=0,
        updated_ms=0,
        expires_ms=0,
    )
    writer, framing = interactions.EventWriter(begun, Telling(), lambda *of: ""), interactions.EventFraming()
    for event in (StepBegun(RESPONSE_ID), Started(Usage(prompt=30)), DELTA):
        writer.write(event)
    return lambda: framing.frame(writer.write(DELTA))


def _responses() -> Callable[[], bytes]:
    read = _read_response({"model": MODEL, "input": WORDS * 2})
    heading = Heading(
        id=f"resp_{RESPONSE_ID}",
        created_s=1_741_569_952,
        model=MODEL,
        settings=read.kept.settings,
        showing=read.kept.showing,
    )
    writer, framing = EventWriter(Draft(heading, lambda *of: "")), ResponsesFraming()
    writer.begin()
    for event in (StepBegun(RESPONSE_ID), Started(Usage(prompt=30)), DELTA):
        writer.write(event)
    return lambda: framing.frame(writer.write(DELTA) or b"")


def _anthropic() -> Callable[[], bytes]:
    heading = anthropic.Heading(id=RESPONSE_ID, model=MODEL, shows=Shows(), sign=lambda block: "")
    writer, framing = anthropic.EventWriter(heading), anthropic.Framing()
    for event in (Started(Usage(prompt=30)), DELTA):
        writer.write(event)
    return lambda: framing.frame(writer.write(DELTA) or b"")


def _read_response(body: dict[str, object]) -> request.ReadResponse:
    message = request.parse_request(json.dumps(body).encode())
    return request.read_request(message, Known(), request.Reading(card=CARD))


def _heading(surface: object) -> answers.Heading:
    return answers.heading_of(surface, CARD, RESPONSE_ID, 1_741_569_952, TELLING)  # type: ignore[arg-type]


def _decoded(framed: bytes) -> Callable[[], object]:
    """Read one event as a client does: its line, then its JSON."""
    return lambda: json.loads(framed.rstrip().rpartition(b"data: ")[2])


TELLING = answers.Telling()


def _cases() -> dict[str, Callable[[], object]]:
    writers = {
        "gemini": _gemini(),
        "interactions": _interactions(),
        "openai": _openai(OPENAI),
        "openai at /v1beta/openai": _openai(GOOGLE),
        "openai, responses": _responses(),
        "anthropic": _anthropic(),
    }
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
    for name, said in (("one message", WORDS * 2), ("21 messages of 900 bytes", long)):
        cases[f"openai, responses: read, {name}"] = lambda said=said: _read_response(
            {"model": MODEL, "input": said}
        )
    steps = [
        {"type": ("user_input", "model_output")[i % 2], "content": [{"type": "text", "text": WORDS * 20}]}
        for i in range(21)
    ]
    for name, given in (("one message", WORDS * 2), ("21 steps of 900 bytes", steps)):
        body = json.dumps({"model": MODEL, "input": given}).encode()
        cases[f"interactions: read, {name}"] = lambda body=body: create.read_message(
            create.read_body(body), (), create.Reading()
        )
    answer = Answer(
        candidates=(Candidate(text=WORDS * 12, reason=FinishReason.MAX_TOKENS),),
        usage=Usage(prompt=30, candidates=128),
    )
    heading = _heading(OPENAI)
    cases["openai: one whole answer of 128 tokens"] = lambda: answers.write_answer(answer, heading, TELLING)
    return cases


CASES = _cases()
