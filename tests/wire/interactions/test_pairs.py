"""Requests for interactions and their answers, field by field: each file is one pair.

A file has ``reference``: where the pair comes from, which is a recorded exchange, a page of Google's reference,
or a type of its SDK; and one of

- ``request``, with ``core``, ``downgrades`` and ``before``, what it means after the turns before it;
- ``request`` and ``events``, with ``response`` or ``stream``, what is answered when the engine gives these;
- ``request``, with ``status`` and ``error``, how it is refused;
- ``problem``, with ``status``, ``error`` and ``headers``, how what happened later is told.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from geminid.catalog.manners import manner_of
from geminid.core import errors as problems
from geminid.core import interaction as core
from geminid.core.content import Turn
from geminid.core.errors import Problem, QuotaViolation
from geminid.core.interaction import Ended
from geminid.core.request import GenerateRequest
from geminid.wire.interactions import answers, errors, events
from geminid.wire.interactions.create import Reading, read_body, read_message
from interacting import CREATED_MS, ended, told_events

PAIRS = Path(__file__).parent / "pairs"
DEFAULTS = msgspec.to_builtins(GenerateRequest(model="", turns=()))
READING = Reading(manner_of=manner_of, genuine=lambda signature: signature == "genuine")


def pairs(*keys: str) -> list[Any]:
    found = ((path.stem, json.loads(path.read_bytes())) for path in sorted(PAIRS.glob("*.json")))
    return [pytest.param(pair, id=name) for name, pair in found if all(key in pair for key in keys)]


def read(pair: dict[str, Any]):
    before = msgspec.convert(pair.get("before", []), list[Turn])
    return read_message(read_body(json.dumps(pair["request"]).encode()), before, READING)


def core_of(pair: dict[str, Any]) -> dict[str, Any]:
    said = msgspec.to_builtins(read(pair).request)
    if said["output"] is not None:
        said["output"].pop("grammar")  # the business of the tests of shapes
    said = {name: value for name, value in said.items() if value != DEFAULTS[name]}
    return json.loads(json.dumps(said))


@pytest.mark.parametrize("pair", pairs("core"))
def test_a_request_means_what_the_reference_says(pair):
    assert core_of(pair) == pair["core"]
    assert list(read(pair).downgrades) == pair.get("downgrades", [])


@pytest.mark.parametrize("pair", pairs("request", "response"))
def test_an_answer_has_the_fields_of_the_reference(pair):
    got = read(pair)
    body = answers.write_interaction(ended(pair, got), got.telling, sign)
    assert list(json.loads(body)) == list(pair["response"])
    assert json.loads(body) == pair["response"]


@pytest.mark.parametrize("pair", pairs("stream"))
def test_a_stream_has_the_events_of_the_reference(pair):
    got = read(pair)
    interaction = ended(pair, got)
    writer = events.EventWriter(begun(interaction), got.telling, sign)
    framing = events.EventFraming()
    framing.failed = lambda: writer.failed
    told = [*told_events(pair), Ended(interaction)]
    framed = b"".join([writer.begin(), *map(writer.write, told), framing.last()]).decode()
    *blocks, nothing = framed.split("\n\n")
    assert nothing == ""
    if blocks[-1] == "event: done\ndata: [DONE]":
        blocks.pop()
    else:
        assert blocks[-1].startswith("event: error\n")
    named = [block.split("\n") for block in blocks]
    said = [json.loads(data.removeprefix("data: ")) for _, data in named]
    assert [name for name, _ in named] == [f"event: {event['event_type']}" for event in said]
    assert said == pair["stream"]


def begun(interaction: core.Interaction) -> core.Interaction:
    return msgspec.structs.replace(
        interaction, status="in_progress", steps=(), fault=None, updated_ms=CREATED_MS
    )


def sign(receipt: str, step: int) -> str:
    return f"signed-{step}"


@pytest.mark.parametrize("pair", pairs("request", "error"))
def test_a_mistake_is_told_as_google_tells_it(pair):
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
def test_a_problem_is_told_as_google_tells_it(pair):
    problem = problem_of(pair["problem"])
    status, body = errors.write_error(problem)
    assert (status, json.loads(body)) == (pair["status"], {"error": pair["error"]})
    assert dict(errors.headers_of(problem)) == pair["headers"]


def test_there_are_enough_pairs():
    assert len(list(PAIRS.glob("*.json"))) >= 60
