"""Embeddings on the Gemini wire: what is read, what is refused by its path, numbers that come back the same."""

import json
import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import Blob, Text
from geminid.core.embed import Embedding, EmbedInput
from geminid.core.errors import InvalidArgument
from geminid.core.usage import Usage
from geminid.wire.gemini import embed

MODEL = "gemini-embedding-001"
HELLO = {"parts": [{"text": "hello"}]}


def read(document, reader=embed.read_embed):
    return reader(json.dumps(document).encode(), MODEL)


def fields(document, reader=embed.read_embed):
    with pytest.raises(InvalidArgument) as caught:
        read(document, reader)
    return [each.field for each in caught.value.violations]


def test_a_text_is_read_with_all_that_can_be_said_of_it():
    (asked,) = read(
        {
            "model": f"models/{MODEL}",
            "content": HELLO,
            "taskType": "RETRIEVAL_DOCUMENT",
            "title": "Greetings",
            "outputDimensionality": 64,
        }
    ).inputs
    assert (asked.text, asked.task, asked.title, asked.dimensions) == (
        "hello",
        "retrieval_document",
        "Greetings",
        64,
    )


@pytest.mark.parametrize(
    "document",
    [
        {"content": HELLO, "task_type": "CLUSTERING", "output_dimensionality": "64"},
        {"content": HELLO, "taskType": "CLUSTERING", "outputDimensionality": 64.0},
        {"content": HELLO, "embedContentConfig": {"taskType": "CLUSTERING", "outputDimensionality": 64}},
        {"content": HELLO, "taskType": 5, "outputDimensionality": 64},
    ],
)
def test_both_spellings_and_the_nested_form_mean_the_same(document):
    (asked,) = read(document).inputs
    assert (asked.task, asked.dimensions) == ("clustering", 64)


def test_many_are_read_in_their_order():
    one = {"model": f"models/{MODEL}", "content": HELLO}
    other = {"model": f"models/{MODEL}", "content": {"parts": [{"text": "a"}, {"text": "b"}]}}
    asked = read({"requests": [one, other]}, embed.read_batch)
    assert (asked.model, len(asked.inputs)) == (MODEL, 2)
    assert asked.inputs[0].text == "hello"
    assert asked.inputs[1].text.split() == ["a", "b"]


def test_media_are_kept_for_those_who_read_them():
    (asked,) = read(
        {"content": {"parts": [{"text": "see"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}}
    ).inputs
    assert [type(part) for part in asked.parts] == [Text, Blob]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "content"),
        ({"content": {"parts": []}}, "content"),
        ({"content": {"parts": [{"text": ""}]}}, "content"),
        ({"content": {"parts": [{}]}}, "content.parts[0].data"),
        ({"content": {"parts": [{"functionCall": {"name": "f"}}]}}, "content.parts[0].function_call"),
        ({"content": HELLO, "outputDimensionality": 0}, "output_dimensionality"),
        ({"content": HELLO, "title": "t"}, "title"),
        ({"content": HELLO, "taskType": "CLUSTERING", "title": "t"}, "title"),
        ({"content": HELLO, "model": "models/other"}, "model"),
        ({"content": HELLO, "model": "nonsense"}, "model"),
        (
            {"content": HELLO, "outputDimensionality": 3, "embedContentConfig": {"outputDimensionality": 4}},
            "output_dimensionality",
        ),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_its_path(document, field):
    assert field in fields(document)


def test_an_unknown_field_is_refused():
    with pytest.raises(InvalidArgument, match="Unknown name"):
        read({"content": HELLO, "tasktype": 1})


def test_each_of_many_has_its_own_path_and_there_are_at_most_100():
    good = {"model": f"models/{MODEL}", "content": HELLO}
    assert fields({"requests": []}, embed.read_batch) == ["requests"]
    assert fields({"requests": [good] * 101}, embed.read_batch) == ["requests"]
    named = fields({"requests": [good, {"content": HELLO}, {**good, "content": {}}]}, embed.read_batch)
    assert named == ["requests[1].model", "requests[2].content"]


def test_a_text_to_be_counted_is_read():
    asked = read({"prompt": {"text": "how long"}}, embed.read_count_text)
    assert asked.inputs[0].text == "how long"
    assert fields({}, embed.read_count_text) == ["prompt.text"]
    assert json.loads(embed.write_count_text(3)) == {"tokenCount": 3}


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_come_back_as_the_same_float32(numbers):
    numbers = [number for number in numbers if abs(number) <= 1] or [0.5]
    values = struct.pack(f"<{len(numbers)}f", *numbers)
    told = json.loads(embed.write_embed(Embedding(values, 1), Usage(prompt=1)))["embedding"]["values"]
    assert array("f", told) == array("f", numbers)
    assert json.loads(embed.write_values(Embedding(values, 1))) == told


def test_usage_has_googles_own_spelling():
    vector = Embedding(struct.pack("<2f", 0.5, -0.75), 4)
    told = json.loads(embed.write_batch([vector, vector], Usage(prompt=8)))
    assert [each["values"] for each in told["embeddings"]] == [[0.5, -0.75]] * 2
    assert told["usageMetadata"] == {
        "promptTokenCount": 8,
        "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 8}],
    }


def test_what_was_cut_is_named():
    request = read({"content": HELLO})
    whole, cut = Embedding(b"", 3), Embedding(b"", 3, truncated=True)
    assert embed.downgrades(request, [whole], 256) == ()
    assert embed.downgrades(request, [cut], 256) == ("content=cut-to-256-tokens",)
    assert isinstance(request.inputs[0], EmbedInput)
