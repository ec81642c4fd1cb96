"""Requests and their answers after OpenAI's public API reference, field by field: each file is one pair.

A file has ``reference``, the place in the reference; ``surface``, where it is asked; and one of

- ``request``, with ``core`` and ``downgrades``, what it means, and ``response`` or ``chunks``, what is
  answered when the engine gives ``events`` (those of the reference's example where there are none);
- ``request``, with ``status`` and ``error``, how it is refused;
- ``problem``, with ``status``, ``error`` and ``headers``, how what happened later is told;
- ``models`` or ``model``, with ``response``.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from geminid.catalog.manners import manner_of
from geminid.core import errors as problems
from geminid.core.errors import Problem, QuotaViolation
from geminid.core.events import Event, Finished, FinishReason, Started, TextDelta, fold
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.wire.openai import answers, errors, models
from geminid.wire.openai.chat import Reading, read_request
from geminid.wire.openai.chunks import ChatFraming, ChunkWriter
from geminid.wire.openai.surfaces import SURFACES, Surface
from make import card

PAIRS = Path(__file__).parent / "pairs"
RESPONSE_ID = "B9MBs8CjcvOU2jLn4n570S"
CREATED_S = 1_741_569_952
EXAMPLE: tuple[Event, ...] = (
    Started(Usage(prompt=19)),
    TextDelta("Hello! How can I ", 5),
    TextDelta("assist you today?", 5),
    Finished(FinishReason.STOP),
)
DEFAULTS = msgspec.to_builtins(GenerateRequest(model="", turns=()))


def pairs(*keys: str) -> list[Any]:
    found = ((path.stem, json.loads(path.read_bytes())) for path in sorted(PAIRS.glob("*.json")))
    return [pytest.param(pair, id=name) for name, pair in found if all(key in pair for key in keys)]


def surface_of(pair: dict[str, Any]) -> Surface:
    return next(each for each in SURFACES if each.prefix == pair["surface"])


def reading_of(pair: dict[str, Any]) -> Reading:
    return Reading(
        surface=surface_of(pair),
        strict=pair.get("strict", False),
        manner_of=manner_of,
        genuine=lambda signature: signature == "genuine",
    )


def core_of(pair: dict[str, Any]) -> dict[str, Any]:
    read = read_request(json.dumps(pair["request"]).encode(), reading_of(pair))
    said = msgspec.to_builtins(read.request)
    # Grammars are the business of the tests of shapes.
    if said["output"] is not None:
        said["output"].pop("grammar")
    said = {name: value for name, value in said.items() if value != DEFAULTS[name]}
    return json.loads(json.dumps(said))


def written(pair: dict[str, Any]) -> list[Any]:
    """The response, or all chunks in their framing."""
    read = read_request(json.dumps(pair["request"]).encode(), reading_of(pair))
    events = msgspec.convert(pair["events"], list[Event]) if "events" in pair else list(EXAMPLE)
    heading = answers.heading_of(surface_of(pair), card("tiny"), RESPONSE_ID, CREATED_S, read.telling)
    if heading.fingerprint:  # what it is made of is no part of the reference
        heading = msgspec.structs.replace(heading, fingerprint="fp_44709d6fcb")
    sign = (lambda candidate, part: f"signed-{candidate}-{part}") if surface_of(pair).signatures else None
    if not read.stream:
        return [json.loads(answers.write_answer(asyncio.run(folded(events)), heading, read.telling, sign))]
    writer = ChunkWriter(heading, read.telling, read.request.candidates, sign)
    framing = ChatFraming()
    framing.closing = writer.write_usage
    framed = [framing.frame(chunk) for event in events if (chunk := writer.write(event)) is not None]
    lines = b"".join([*framed, framing.last()]).decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


async def folded(events: list[Event]):
    async def each():
        for event in events:
            yield event

    return await fold(each())


@pytest.mark.parametrize("pair", pairs("core"))
def test_a_request_means_what_the_reference_says(pair):
    assert core_of(pair) == pair["core"]
    read = read_request(json.dumps(pair["request"]).encode(), reading_of(pair))
    assert list(read.downgrades) == pair.get("downgrades", [])


@pytest.mark.parametrize("pair", pairs("request", "response"))
def test_an_answer_has_the_fields_of_the_reference(pair):
    assert written(pair) == [pair["response"]]


@pytest.mark.parametrize("pair", pairs("chunks"))
def test_a_stream_has_the_fields_of_the_reference(pair):
    assert written(pair) == pair["chunks"]


@pytest.mark.parametrize("pair", pairs("request", "error"))
def test_a_mistake_is_told_as_openai_tells_it(pair):
    with pytest.raises(Problem) as caught:
        core_of(pair)
    status, body = errors.write_error(caught.value)
    assert (status, json.loads(body)) == (pair["status"], {"error": pair["error"]})


def problem_of(said: dict[str, Any]) -> Problem:
    given = dict(said)
    kind = getattr(problems, given.pop("kind"))
    if "violations" in given:
        given["violations"] = msgspec.convert(given["violations"], tuple[QuotaViolation, ...])
    return kind(**given)


@pytest.mark.parametrize("pair", pairs("problem"))
def test_a_problem_is_told_as_openai_tells_it(pair):
    problem = problem_of(pair["problem"])
    status, body = errors.write_error(problem)
    assert (status, json.loads(body)) == (pair["status"], {"error": pair["error"]})
    assert dict(errors.headers_of(problem)) == pair["headers"]


@pytest.mark.parametrize("pair", [*pairs("models"), *pairs("model")])
def test_models_have_the_fields_of_the_reference(pair):
    surface = surface_of(pair)
    if "models" in pair:
        body = models.write_list(pair["models"], surface, CREATED_S)
    else:
        body = models.write_model(pair["model"], surface, CREATED_S)
    assert json.loads(body) == pair["response"]


def test_there_are_enough_pairs():
    assert len(list(PAIRS.glob("*.json"))) >= 100
