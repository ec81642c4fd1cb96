"""Counting tokens: the two forms of the request, and the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geminid.core.content import Text, Turn
from geminid.core.errors import InvalidArgument
from geminid.core.usage import Usage
from geminid.wire.gemini import count
from geminid.wire.gemini.generate import Reading

CONTENTS = [{"role": "user", "parts": [{"text": "hello"}]}]


def read(document: dict[str, Any], *, strict: bool = False):
    return count.read_request(json.dumps(document).encode(), "m", Reading(strict=strict)).request


def refusal(document: dict[str, Any], *, strict: bool = False) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        read(document, strict=strict)
    return caught.value


def test_contents_alone_are_counted():
    assert read({"contents": CONTENTS}).turns == (Turn("user", (Text("hello"),)),)


def test_a_whole_request_is_counted():
    inner = {"model": "models/m", "contents": CONTENTS, "systemInstruction": {"parts": [{"text": "s"}]}}
    request = read({"generateContentRequest": inner})
    assert request.system == (Text("s"),)
    assert request == read({"generate_content_request": inner})


def test_the_fields_of_a_request_are_tolerated_at_the_top():
    request = read({"contents": CONTENTS, "systemInstruction": {"parts": [{"text": "s"}]}, "tools": []})
    assert request.system == (Text("s"),)


@pytest.mark.parametrize("document", [{}, {"contents": []}, {"contents": None}, {"systemInstruction": {}}])
def test_neither_form_is_told_in_googles_words(document):
    message = "CountTokens requires generate_content_request or contents to be set."
    assert refusal(document).message == message


def test_both_forms_exclude_each_other():
    error = refusal({"contents": CONTENTS, "generateContentRequest": {"contents": CONTENTS}})
    assert error.message == "Only one of generate_content_request and contents can be set."
    assert error.violations[0].field == "generate_content_request"


def test_paths_are_those_of_the_body_that_was_sent():
    inner = refusal({"generateContentRequest": {"contents": [{}]}})
    assert inner.message == (
        "* CountTokensRequest.generate_content_request.contents[0].parts: contents.parts must not be empty."
    )
    assert inner.violations[0].field == "generate_content_request.contents[0].parts"
    assert refusal({"contents": CONTENTS, "toolConfig": 1}).violations[0].field == "tool_config"
    unknown = refusal({"generateContentRequest": {"contents": [{"txt": 1}]}})
    assert unknown.violations[0].field == "generate_content_request.contents[0]"


def test_strict_holds_here_too():
    config = {"candidateCount": 2}
    assert refusal({"contents": CONTENTS, "generationConfig": config}, strict=True)
    assert read({"contents": CONTENTS, "generationConfig": config}).candidates == 2


def test_the_answer_tells_totals_and_details_and_no_zeros():
    assert json.loads(count.write_answer(Usage(prompt=7))) == {
        "totalTokens": 7,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
    }
    assert json.loads(count.write_answer(Usage(prompt=7, cached=4))) == {
        "totalTokens": 7,
        "cachedContentTokenCount": 4,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
    }
