"""Responses and their answers after OpenAI's public API reference, field by field: each file is one pair.

A file has ``reference``, the place in the reference, and one of

- ``request``, with ``core`` and ``downgrades``, what it means, and ``response`` or ``chunks``, what is answered
  when ``events`` happen (those of the reference's example where there are none) and it ends as ``ends`` says;
- ``request``, with ``status`` and ``error``, how it is refused;
- ``problem``, with ``status`` and ``error``, how what happened later is told;
- ``items``, with ``query`` and ``page``, how an input is told again.

``known`` is what was said before the request, where something was.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from geminid.catalog.manners import manner_of
from geminid.core import errors as problems
from geminid.core import vector
from geminid.core.content import Text, ToolCall
from geminid.core.errors import Problem
from geminid.core.events import Finished, FinishReason, Started, TextDelta
from geminid.core.interaction import Ended, Fault, Interaction, StepBegun, StepEvent, steps_of
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.wire.openai import errors
from geminid.wire.openai.responses import listing, writing
from geminid.wire.openai.responses.draft import Draft, heading_of
from geminid.wire.openai.responses.items import Known
from geminid.wire.openai.responses.kept import Kept, read_kept, write_kept
from geminid.wire.openai.responses.problems import worded
from geminid.wire.openai.responses.request import (
    Reading,
    ReadResponse,
    model_of,
    parse_request,
    read_request,
)
from make import card

PAIRS = Path(__file__).parent / "response_pairs"
RESPONSE_ID = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"
CREATED_MS, ENDED_MS = 1_741_476_542_000, 1_741_476_543_000
EXAMPLE: tuple[StepEvent, ...] = (
    StepBegun("B9MBs8CjcvOU2jLn4n570S"),
    Started(Usage(prompt=37)),
    TextDelta("Hi there! ", 3),
    TextDelta("How can I assist you today?", 8),
    Finished(FinishReason.STOP),
)
DEFAULTS = msgspec.to_builtins(GenerateRequest(model="", turns=()))


def pairs(*keys: str) -> list[Any]:
    found = ((path.stem, json.loads(path.read_bytes())) for path in sorted(PAIRS.glob("*.json")))
    return [pytest.param(pair, id=name) for name, pair in found if all(key in pair for key in keys)]


def sign(receipt: str, candidate: int, part: int) -> str:
    return f"signed-{receipt}-{candidate}-{part}"


def read_of(pair: dict[str, Any]) -> ReadResponse:
    message = parse_request(json.dumps(pair["request"]).encode())
    said = pair.get("known", {})
    known = Known(
        pending=tuple(msgspec.convert(each, ToolCall) for each in said.get("pending", ())),
        standing=tuple(Text(each) for each in said.get("standing", ())),
        follows=bool(said),
        referred=said.get("referred", {}),
    )
    reading = Reading(
        card=card("gpt-5.4"),
        manner=manner_of(model_of(message)),
        folds=pair.get("folds", False),
        strict=pair.get("strict", False),
        genuine=lambda signature: signature == "genuine",
    )
    return read_request(message, known, reading)


def core_of(read: ReadResponse) -> dict[str, Any]:
    said = msgspec.to_builtins(read.request)
    if said["output"] is not None:
        said["output"].pop("grammar")  # the business of the tests of shapes
    said = {name: value for name, value in said.items() if value != DEFAULTS[name]}
    if read.search is not None:
        said["search"] = msgspec.to_builtins(read.search)
    return json.loads(json.dumps(said))


def events_of(pair: dict[str, Any]) -> tuple[StepEvent, ...]:
    return tuple(msgspec.convert(pair["events"], list[StepEvent])) if "events" in pair else EXAMPLE


def interaction_of(pair: dict[str, Any], kept: Kept) -> Interaction:
    ends = pair.get("ends", {})
    return Interaction(
        id=RESPONSE_ID,
        project="p",
        wire="responses",
        model="gpt-5.4",
        asked="gpt-5.4",
        status=ends.get("status", "completed"),
        created_ms=CREATED_MS,
        updated_ms=ENDED_MS,
        expires_ms=ENDED_MS,
        steps=steps_of(events_of(pair)),
        fault=msgspec.convert(ends["fault"], Fault) if "fault" in ends else None,
    )


def whole(pair: dict[str, Any]) -> Any:
    kept = read_kept(write_kept(read_of(pair).kept))
    return json.loads(writing.write_response(interaction_of(pair, kept), kept, sign))


def streamed(pair: dict[str, Any]) -> list[Any]:
    """All events in their framing."""
    kept = read_of(pair).kept
    interaction = interaction_of(pair, kept)
    writer = writing.EventWriter(Draft(heading_of(interaction, kept), sign))
    sent = [writer.begin(), *(writer.write(each) for each in (*events_of(pair), Ended(interaction)))]
    framed = b"".join(each for each in sent if each).decode().split("\n\n")
    assert framed.pop() == ""
    told = []
    for frame in framed:
        name, _, data = frame.partition("\n")
        told.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {told[-1]['type']}"
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    return told


@pytest.mark.parametrize("pair", pairs("core"))
def test_a_request_means_what_the_reference_says(pair):
    read = read_of(pair)
    assert core_of(read) == pair["core"]
    assert list(read.downgrades) == pair.get("downgrades", [])


@pytest.mark.parametrize("pair", pairs("request", "response"))
def test_a_response_has_the_fields_of_the_reference(pair):
    assert whole(pair) == pair["response"]


@pytest.mark.parametrize("pair", pairs("chunks"))
def test_a_stream_has_the_events_of_the_reference(pair):
    assert streamed(pair) == pair["chunks"]


@pytest.mark.parametrize("pair", pairs("chunks"))
def test_a_stream_ends_in_the_whole_response(pair):
    assert pair["chunks"][-1]["response"] == whole(pair)


@pytest.mark.parametrize("pair", pairs("request", "error"))
def test_a_mistake_is_told_as_openai_tells_it(pair):
    with pytest.raises(Problem) as caught:
        read_of(pair)
    status, body = errors.write_error(worded(caught.value))
    assert (status, json.loads(body)) == (pair["status"], {"error": pair["error"]})


@pytest.mark.parametrize("pair", pairs("problem"))
def test_a_problem_is_told_as_openai_tells_it(pair):
    given = dict(pair["problem"])
    name = given.pop("kind")
    kind = getattr(problems, name, None) or getattr(vector, name)
    status, body = errors.write_error(worded(kind(**given)))
    assert (status, json.loads(body)) == (pair["status"], {"error": pair["error"]})


@pytest.mark.parametrize("pair", pairs("items"))
def test_an_input_is_told_again(pair):
    items = listing.sent_items(pair["items"], RESPONSE_ID)
    assert json.loads(listing.write_items(items, listing.read_page(pair["query"]))) == pair["page"]


def test_there_are_enough_pairs():
    assert len(list(PAIRS.glob("*.json"))) >= 60
