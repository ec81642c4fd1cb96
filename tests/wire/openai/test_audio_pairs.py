"""Forms of sound and their answers after OpenAI's public API reference, field by field: each file is one pair.

A file has ``reference``; ``act``, what is asked for; ``fields`` of its form; and

- ``core`` and ``downgrades``, what it means, and ``response``, ``text`` or ``chunks``, what is answered when
  ``segments`` of a sound of ``length_ms`` are heard;
- or ``error``, how it is refused.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from geminid.core.speech import Segment, Transcript, Understood, transcript_of
from geminid.core.usage import Usage
from geminid.service.transcribe import seconds_of
from geminid.wire.openai import errors
from geminid.wire.openai.audio import ReadAudio, read_transcription, read_translation
from geminid.wire.openai.audio_answers import EventWriter, Sounding, write_transcript
from geminid.wire.openai.refused import Refused

PAIRS = Path(__file__).parent / "pairs" / "audio"
READ = {"transcriptions": read_transcription, "translations": read_translation}
SPOKEN = Understood("en", "English")


def pairs(key: str) -> list[Any]:
    found = ((path.stem, json.loads(path.read_bytes())) for path in sorted(PAIRS.glob("*.json")))
    return [pytest.param(pair, id=name) for name, pair in found if key in pair]


def read(pair: dict[str, Any]) -> ReadAudio:
    return READ[pair["act"]](pair["fields"])


def without_defaults(value: Any) -> Any:
    said = msgspec.to_builtins(value)
    defaults = msgspec.to_builtins(type(value)(**({"model": ""} if "model" in said else {})))
    return {name: each for name, each in said.items() if each != defaults[name]}


def heard(pair: dict[str, Any]) -> list[Segment | Understood]:
    segments = msgspec.convert(pair["segments"], list[Segment])
    return [*segments, SPOKEN if segments else Understood("", "")]


async def _each(events):
    for event in events:
        yield event


def transcript(pair: dict[str, Any]) -> Transcript:
    return asyncio.run(transcript_of(_each(heard(pair))))


def usage(pair: dict[str, Any]) -> Usage:
    audio = 32 * seconds_of(pair["length_ms"])
    tokens = sum(len(each["tokens"]) for each in pair["segments"])
    return Usage(prompt=audio, media={"audio": audio}, candidates=tokens)


@pytest.mark.parametrize("pair", pairs("core"))
def test_a_form_means_what_the_reference_says(pair):
    found = read(pair)
    said = without_defaults(found.request.listen)
    if found.request.listen.pauses is not None:
        said["pauses"] = msgspec.to_builtins(found.request.listen.pauses)
    assert {"model": found.request.model, **said} == pair["core"]
    assert list(found.downgrades) == pair.get("downgrades", [])


@pytest.mark.parametrize("pair", [*pairs("response"), *pairs("text")])
def test_an_answer_has_the_fields_of_the_reference(pair):
    sounding = Sounding(pair["length_ms"], seconds_of(pair["length_ms"]), usage(pair))
    written = write_transcript(transcript(pair), read(pair), sounding)
    if "text" in pair:
        assert (written.mime_type, written.body.decode()) == ("text/plain; charset=utf-8", pair["text"])
    else:
        assert (written.mime_type, json.loads(written.body)) == ("application/json", pair["response"])


@pytest.mark.parametrize("pair", pairs("chunks"))
def test_a_stream_has_the_events_of_the_reference(pair):
    writer = EventWriter(read(pair), pair["length_ms"], seconds_of(pair["length_ms"]), lambda: usage(pair))
    chunks = [json.loads(chunk) for event in heard(pair) if (chunk := writer.write(event)) is not None]
    assert chunks == pair["chunks"]
    assert "".join(each["delta"] for each in chunks[:-1]) == chunks[-1]["text"] == transcript(pair).text


@pytest.mark.parametrize("pair", pairs("error"))
def test_a_mistake_is_told_as_openai_tells_it(pair):
    with pytest.raises(Refused) as caught:
        read(pair)
    status, body = errors.write_error(caught.value)
    assert (status, json.loads(body)) == (400, {"error": pair["error"]})


def test_there_are_enough_pairs():
    assert len(list(PAIRS.glob("*.json"))) >= 20
