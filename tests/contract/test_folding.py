"""Input beyond the window: refused with its count, or folded and said so."""

import json
from pathlib import Path

import pytest

from serving import serving

SCRIPT = Path(__file__).parents[1] / "script.toml"
URL = "/v1beta/models/gemini-3.1-flash-lite"
LONG = {
    "contents": [
        {"parts": [{"text": "A page of a book that goes on. " * 150_000 + "The code is 4711. What is it?"}]}
    ]
}


def test_without_the_option_it_is_refused_with_the_exact_count(scripted):
    answer = scripted.post(f"{URL}:generateContent", json=LONG)
    assert answer.status_code == 400
    tokens = scripted.post(f"{URL}:countTokens", json=LONG).json()["totalTokens"]
    limit = scripted.get(URL).json()["inputTokenLimit"]
    message = answer.json()["error"]["message"]
    assert (
        message == f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit})."
    )


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse"])
def test_with_it_the_answer_says_what_was_left_out(tmp_path, verb):
    environ = {"GEMINID_SCRIPTED_SCRIPT": str(SCRIPT)}
    with serving(tmp_path, "--model", "scripted", "--long-input", "fold", environ=environ) as server:
        answer = server.post(f"{URL}:{verb}", json={**LONG, "generationConfig": {"maxOutputTokens": 5}})
        short = server.post(f"{URL}:generateContent", json={"contents": [{"parts": [{"text": "hello"}]}]})
    assert answer.status_code == 200
    before, kept = (int(figure.split("=")[1]) for figure in answer.headers["x-geminid-folded"].split("; "))
    last = answer.text.strip().rpartition("data: ")[2]
    usage = json.loads(last)["usageMetadata"]
    assert before > kept > 0
    assert int(usage["foldedCharacterCount"]) == before - kept
    assert usage["promptTokenCount"] < before / 4
    assert "x-geminid-folded" not in short.headers
    assert "foldedCharacterCount" not in short.json()["usageMetadata"]
