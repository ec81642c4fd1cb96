"""Documented shapes, byte for byte: each folder of ``golden`` is one case.

A case reads, when it has a ``request.json``: it gives ``core.json``, or is refused with ``error.json``.
A case writes, when it has an ``events.json``: it gives the lines of ``chunks.jsonl``, one for each event
that tells something, and ``response.json`` as the unary answer. ``count-`` cases are of countTokens,
the others of generateContent; ``strict-`` cases are read strictly.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from geminid.core.errors import InvalidArgument
from geminid.core.events import Event, fold
from geminid.core.request import GenerateRequest
from geminid.wire.gemini import count, errors, generate

MODEL = "gemini-3.1-flash-lite"
RESPONSE_ID = "aB3dE5fG7hI9jK1lM3nO5p"
GOLDEN = Path(__file__).parent / "golden"
UNSAID = msgspec.to_builtins(GenerateRequest(model="", turns=()), str_keys=True)
"""What a request means that says nothing; cases need not name it."""


def cases(file: str) -> list[Path]:
    return sorted(path.parent for path in GOLDEN.glob(f"*/{file}"))


def read(case: Path) -> generate.ReadRequest:
    read_request = count.read_request if "count-" in case.name else generate.read_request
    body = (case / "request.json").read_bytes()
    return read_request(body, MODEL, generate.Reading(strict=case.name.startswith("strict-")))


def write(case: Path) -> tuple[list[bytes], bytes]:
    events = msgspec.json.decode((case / "events.json").read_bytes(), type=list[Event])
    writer = generate.ChunkWriter(MODEL, RESPONSE_ID, 1 + max(getattr(e, "candidate", 0) for e in events))
    chunks = [chunk for event in events if (chunk := writer.write(event)) is not None]
    return chunks, generate.write_answer(asyncio.run(fold(_each(events))), MODEL, RESPONSE_ID)


async def _each(events: list[Event]):
    for event in events:
        yield event


@pytest.mark.parametrize("case", cases("core.json"), ids=lambda case: case.name)
def test_a_documented_request_is_read(case):
    request, downgrades, _ = read(case)
    expected = json.loads((case / "core.json").read_bytes())
    assert json.loads(msgspec.json.encode(request)) == {**UNSAID, **expected["request"]}
    assert list(downgrades) == expected["downgrades"]


@pytest.mark.parametrize("case", cases("error.json"), ids=lambda case: case.name)
def test_a_documented_mistake_is_refused(case):
    with pytest.raises(InvalidArgument) as caught:
        read(case)
    assert errors.write_error(caught.value) == (400, (case / "error.json").read_bytes())


@pytest.mark.parametrize("case", cases("events.json"), ids=lambda case: case.name)
def test_an_answer_is_written_byte_for_byte(case):
    chunks, body = write(case)
    assert chunks == (case / "chunks.jsonl").read_bytes().splitlines()
    assert body == (case / "response.json").read_bytes()


def test_there_are_cases_of_each_kind():
    assert min(len(cases(file)) for file in ("core.json", "error.json", "events.json")) >= 5
