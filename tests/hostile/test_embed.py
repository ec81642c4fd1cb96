"""Odd and hostile texts for the real model that embeds: each has a vector or is refused in words, and none costs
the embedder its process."""

import json
import math
import random
import re

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MODEL = "gemini-embedding-001"
PATH = f"/v1beta/models/{MODEL}"
DIMENSIONS = 384
SEED = 20261125
RESTARTS = re.compile(r'geminid_engine_restarts\{model="all-minilm-l6-v2"\} (\S+)')

TEXTS = {
    "a space": " ",
    "NUL": "\0",
    "controls": "".join(map(chr, range(32))),
    "not characters": "\ufffe\uffff\U0010ffff",
    "right to left": "\u202e\u200f\u2066 abc",
    "a pile of accents": "e" + "\u0301" * 20_000,
    "a ligature of a sentence": "\ufdfa" * 5_000,
    "one word of a million letters": "a" * 1_000_000,
    "a million words": "word " * 1_000_000,
    "no spaces": "漢字" * 100_000,
    "emoji joined": "👩‍👩‍👧‍👦" * 10_000,
    "tokens of the model": "[CLS] [SEP] [PAD] [UNK] [MASK]" * 100,
    "a template": "{text} {title} {0} %s {{ 7*7 }}",
    "a backslash": "\\" * 10_000,
}

WHOLE = {"content": {"parts": [{"text": "hi"}]}}
REFUSED = {
    "content text": ({"content": "hi"}, "Invalid value at 'content'"),
    "content list": ({"content": [WHOLE["content"]]}, "content"),
    "parts of numbers": ({"content": {"parts": [1, 2]}}, "Invalid value at 'content.parts[0]'"),
    "dimensions text": ({**WHOLE, "outputDimensionality": "many"}, "(TYPE_INT32)"),
    "dimensions beyond numbers": ({**WHOLE, "outputDimensionality": 10**30}, "(TYPE_INT32)"),
    "dimensions of half a number": ({**WHOLE, "outputDimensionality": 1.5}, "(TYPE_INT32)"),
    "negative dimensions": ({**WHOLE, "outputDimensionality": -1}, "must be at least 1"),
    "more dimensions than there are": ({**WHOLE, "outputDimensionality": DIMENSIONS + 1}, "ask for 1 to 384"),
    "task unknown": ({**WHOLE, "taskType": "WORLD_DOMINATION"}, "WORLD_DOMINATION"),
    "task beyond numbers": ({**WHOLE, "taskType": 99}, "task_type"),
    "a title of a list": ({**WHOLE, "title": ["a"]}, "title"),
    "both forms": ({**WHOLE, "embedContentConfig": {"content": {}}}, "Cannot find field."),
    "a picture that is none": (
        {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "aGVsbG8="}}]}},
        "content.parts[0].inline_data",
    ),
    "a file that is not there": ({"content": {"parts": [{"fileData": {"fileUri": "files/none"}}]}}, "none"),
}


def restarts(server):
    found = RESTARTS.search(server.get("/metrics").text)
    assert found
    return float(found[1])


@pytest.fixture(scope="module")
def server(real):
    """The server. At the end its embedder is still the same, and answers."""
    assert real.post(f"{PATH}:embedContent", json=WHOLE).status_code == 200
    before = restarts(real)
    yield real
    assert real.post(f"{PATH}:embedContent", json=WHOLE).status_code == 200
    assert restarts(real) == before
    assert " 500 " not in real.log.read_text()
    assert "Traceback" not in real.log.read_text()


def check(values):
    assert len(values) == DIMENSIONS
    assert math.hypot(*values) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_odd_texts_have_vectors(server, text):
    body = {"content": {"parts": [{"text": text}]}, "taskType": "RETRIEVAL_DOCUMENT", "title": text[:100]}
    answer = server.post(f"{PATH}:embedContent", json=body)
    assert answer.status_code == 200, answer.text[:500]
    check(answer.json()["embedding"]["values"])


def test_random_texts_have_vectors(server):
    chance = random.Random(SEED)
    planes = [(0, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF), (32, 126), (0x300, 0x36F)]
    texts = [
        "x" + "".join(chr(chance.randint(*chance.choice(planes))) for _ in range(chance.randint(0, 2_000)))
        for _ in range(100)
    ]
    asked = [{"model": f"models/{MODEL}", "content": {"parts": [{"text": text}]}} for text in texts]
    answer = server.post(f"{PATH}:batchEmbedContents", json={"requests": asked})
    assert answer.status_code == 200, answer.text[:500]
    for each in answer.json()["embeddings"]:
        check(each["values"])


def test_what_is_cut_is_told(server):
    answer = server.post(f"{PATH}:embedContent", json={"content": {"parts": [{"text": "word " * 1_000}]}})
    assert answer.headers["x-geminid-downgraded"] == "content=cut-to-256-tokens"
    body = {"content": {"parts": [{"text": "word " * 1_000}]}, "embedContentConfig": {"autoTruncate": False}}
    answer = server.post(f"{PATH}:embedContent", json=body)
    assert answer.status_code == 400
    assert "exceeds the maximum number of tokens allowed (256)" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("body", "fragment"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_embedded_is_refused_in_words(server, body, fragment):
    answer = server.post(f"{PATH}:embedContent", json=body)
    assert answer.status_code in (400, 403), answer.text[:500]
    assert fragment in json.dumps(answer.json()["error"])


@pytest.mark.parametrize("verb", ["embedContent", "batchEmbedContents", "countTextTokens"])
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b'{"content":' * 5_000, b"[" * 90_000])
def test_what_is_no_request_is_refused(server, verb, body):
    answer = server.post(f"{PATH}:{verb}", content=body)
    assert answer.status_code == 400, answer.text[:500]
    assert len(answer.content) < 100_000


def test_a_batch_of_wrong_requests_is_refused_with_few_words(server):
    answer = server.post(f"{PATH}:batchEmbedContents", json={"requests": [{"title": "t" * 10_000}] * 100})
    assert answer.status_code == 400
    assert len(answer.content) < 100_000
    assert server.post(f"{PATH}:batchEmbedContents", json={"requests": [{}] * 100_000}).status_code == 400
