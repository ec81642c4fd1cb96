"""Media parts: what is read of them, and what is refused by its path."""

import json

import pytest

from geminid.core.content import Blob, FileRef, Look, Text
from geminid.core.errors import InvalidArgument
from geminid.core.usage import Usage
from geminid.wire.gemini import count, generate
from geminid.wire.gemini.answers import usage_metadata
from geminid.wire.gemini.enums import MediaModality

PNG = {"mimeType": "image/png", "data": "AAAA"}


def read(part, **config):
    body = {"contents": [{"parts": [part, {"text": "?"}]}], "generationConfig": config}
    return generate.read_request(json.dumps(body).encode(), "m").request.turns[0].parts


def refusal(part, **config):
    with pytest.raises(InvalidArgument) as caught:
        read(part, **config)
    return [violation.field for violation in caught.value.violations], caught.value.message


def test_a_medium_keeps_its_place_its_bytes_and_the_path_of_its_field():
    blob, text = read({"inlineData": {**PNG, "displayName": "cat"}})
    assert blob == Blob("image/png", b"\0\0\0", field="contents[0].parts[0].inline_data", name="cat")
    assert text == Text("?")


def test_a_data_uri_is_media_inside_the_request():
    blob, _ = read({"fileData": {"fileUri": "data:image/png;base64,AAAA", "displayName": "cat"}})
    assert blob == Blob("image/png", b"\0\0\0", field="contents[0].parts[0].file_data", name="cat")
    blob, _ = read({"fileData": {"fileUri": "DATA:;base64,AAAA", "mimeType": "image/png"}})
    assert (blob.mime_type, blob.data) == ("image/png", b"\0\0\0")


@pytest.mark.parametrize("uri", ["data:image/png,AAAA", "data:image/png;base64", "data:image/png;base64,A*A"])
def test_a_broken_data_uri_is_refused_by_its_path(uri):
    fields, _ = refusal({"fileData": {"fileUri": uri}})
    assert fields == ["contents[0].parts[0].file_data.file_uri"]


def test_a_path_in_a_counted_request_is_the_path_of_the_body_that_was_sent():
    inner = {"contents": [{"parts": [{"fileData": {"fileUri": "files/x"}}]}], "model": "models/m"}
    body = json.dumps({"generateContentRequest": inner}).encode()
    (part,) = count.read_request(body, "m").request.turns[0].parts
    assert part.field == "generate_content_request.contents[0].parts[0].file_data"


@pytest.mark.parametrize(
    ("film", "look"),
    [
        ({}, Look()),
        ({"startOffset": "1.5s"}, Look(start_ms=1500)),
        ({"start_offset": "0s", "end_offset": "3600s"}, Look(end_ms=3_600_000)),
        ({"startOffset": "0.0019s", "endOffset": "0.002s", "fps": 24}, Look(start_ms=1, end_ms=2, fps=24.0)),
        ({"fps": 0.1}, Look(fps=0.1)),
    ],
)
def test_a_stretch_of_film_is_read_in_milliseconds(film, look):
    part = read({"fileData": {"fileUri": "files/x"}, "videoMetadata": film})[0]
    assert part == FileRef("files/x", look=look, field="contents[0].parts[0].file_data")


@pytest.mark.parametrize(
    ("film", "field"),
    [
        ({"startOffset": "1"}, "start_offset"),
        ({"startOffset": "-1s"}, "start_offset"),
        ({"endOffset": "1m"}, "end_offset"),
        ({"endOffset": "0s"}, "end_offset"),
        ({"startOffset": "2s", "endOffset": "1s"}, "end_offset"),
        ({"fps": 0}, "fps"),
        ({"fps": 24.5}, "fps"),
        ({"fps": -1}, "fps"),
    ],
)
def test_a_wrong_stretch_is_refused_by_its_path(film, field):
    fields, _ = refusal({"inlineData": PNG, "videoMetadata": film})
    assert fields == [f"contents[0].parts[0].video_metadata.{field}"]


def test_words_are_no_film():
    fields, message = refusal({"text": "a", "videoMetadata": {}})
    assert fields == ["contents[0].parts[0].video_metadata"]
    assert "needs inline_data or file_data" in message


def test_the_resolution_of_a_part_goes_before_that_of_the_request():
    fine = {"level": "MEDIA_RESOLUTION_HIGH"}
    config = {"mediaResolution": "MEDIA_RESOLUTION_LOW"}
    assert read({"inlineData": PNG}, **config)[0].look.resolution == "low"
    assert read({"inlineData": PNG, "mediaResolution": fine}, **config)[0].look.resolution == "high"
    assert read({"inlineData": PNG, "mediaResolution": {}}, **config)[0].look.resolution == "low"


def test_the_finest_resolution_is_for_parts_only():
    fields, _ = refusal({"inlineData": PNG}, mediaResolution="MEDIA_RESOLUTION_ULTRA_HIGH")
    assert fields == ["generation_config.media_resolution"]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"inlineData": {"data": "AAAA"}}, "inline_data.mime_type"),
        ({"inlineData": {"mimeType": "image/png"}}, "inline_data.data"),
        ({"inlineData": {"mimeType": "font/woff", "data": "AAAA"}}, "inline_data.mime_type"),
        ({"inlineData": {"mimeType": "application/zip", "data": "AAAA"}}, "inline_data.mime_type"),
        ({"fileData": {}}, "file_data.file_uri"),
        ({"fileData": {"fileUri": "files/x", "mimeType": "model/obj"}}, "file_data.mime_type"),
        (
            {"inlineData": PNG, "mediaResolution": {"numTokens": 12}},
            "media_resolution.num_tokens",
        ),
    ],
)
def test_a_broken_medium_is_refused_by_its_path(part, field):
    assert f"contents[0].parts[0].{field}" in refusal(part)[0]


def test_a_type_that_nobody_reads_is_refused_in_googles_words():
    _, message = refusal({"inlineData": {"mimeType": "Font/Woff", "data": "AAAA"}})
    assert message.startswith("Unsupported MIME type: Font/Woff")


def test_tokens_are_told_by_modality_and_add_up():
    usage = Usage(prompt=100, media={"image": 30, "audio": 20, "document": 0})
    details = usage_metadata(usage).prompt_tokens_details
    assert [(each.modality, each.token_count) for each in details] == [
        (MediaModality.TEXT, 50),
        (MediaModality.IMAGE, 30),
        (MediaModality.AUDIO, 20),
    ]
    assert sum(each.token_count for each in details) == usage.prompt


def test_a_prompt_of_media_alone_tells_no_text():
    details = usage_metadata(Usage(prompt=7, media={"video": 7})).prompt_tokens_details
    assert [each.modality for each in details] == [MediaModality.VIDEO]
