"""Hostile bodies of OpenAI's files, batches and embeddings: each is refused in words, and none is a 500."""

import json
import os
import random
import time

import psutil
import pytest

SEED = int(os.environ.get("HOSTILE_SEED", "20261125"))
BEARER = {"authorization": "Bearer sk-x"}
CHAT = "/v1/chat/completions"
BODY = {"model": "gemini-3.1-flash-lite", "messages": [{"role": "user", "content": "hello"}]}
GOOD = json.dumps({"custom_id": "good", "method": "POST", "url": CHAT, "body": BODY}).encode()

LINES = {
    "no JSON": b"this is no JSON",
    "half a line": GOOD[:60],
    "two in one": GOOD + b" " + GOOD,
    "a list": b"[1, 2]",
    "a number": b"17",
    "null": b"null",
    "empty object": b"{}",
    "Google's form": b'{"key":"k","request":{"contents":[{"parts":[{"text":"hello"}]}]}}',
    "body is text": b'{"custom_id":"k","method":"POST","url":"/v1/chat/completions","body":"x"}',
    "id is an object": b'{"custom_id":{},"method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}',
    "model is a list": b'{"custom_id":"k","method":"POST","url":"/v1/chat/completions","body":{"model":[]}}',
    "stream is text": b'{"custom_id":"k","method":"POST","url":"/v1/chat/completions","body":{"model":"m","stream":"x"}}',
    "not UTF-8": GOOD.replace(b"good", b"\xff\xfe"),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "half a surrogate": GOOD.replace(b"good", b"\\ud800"),
    "NUL bytes": b"\x00" * 100,
    "deep": b"[" * 50_000 + b"]" * 50_000,
    "deep body": GOOD[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "infinite": GOOD.replace(b'"hello"', b"1e999"),
    "not a number": GOOD.replace(b'"hello"', b"NaN"),
    "a field twice": GOOD[:-1] + b',"custom_id":"other","custom_id":7}',
    "a very long id": GOOD.replace(b"good", b"k" * 2_000_000).replace(b"POST", b"PUT"),
}
"""Lines for which a whole file is refused, by what is wrong with them."""

COSTLY = {
    "messages is text": {"messages": "hello"},
    "deep metadata": {"metadata": {"a": {"b": {}}}},
    "huge n": {"n": 10**30},
    "unknown field": {"nosuch": 1},
    "a schema that cannot be": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "x"}}}
    },
    "a file that is not there": {
        "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "../../x"}}]}]
    },
    "role unknown": {"messages": [{"role": "king", "content": "x"}]},
}
"""Bodies that cost their line, and it alone."""


def upload(server, data, name="lines.jsonl"):
    made = server.post("/v1/files", headers=BEARER, files={"file": (name, data)}, data={"purpose": "batch"})
    assert made.status_code == 200, made.text
    return made.json()["id"]


def submit(server, data):
    said = {"input_file_id": upload(server, data), "endpoint": CHAT, "completion_window": "24h"}
    made = server.post("/v1/batches", headers=BEARER, json=said)
    assert made.status_code == 200, made.text
    return made.json()


def ended(server, batch):
    until = time.monotonic() + 90
    while batch["status"] not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < until, batch
        time.sleep(0.05)
        batch = server.get(f"/v1/batches/{batch['id']}", headers=BEARER).json()
    return batch


@pytest.fixture
def server(scripted):
    before = scripted.process.pid
    yield scripted
    assert psutil.pid_exists(before)
    assert scripted.get("/healthz").status_code == 200


@pytest.mark.parametrize("what", LINES)
def test_a_wrong_line_fails_its_file_with_its_number(server, what):
    batch = submit(server, GOOD + b"\n" + LINES[what] + b"\n")
    assert batch["status"] == "failed", batch
    for fault in batch["errors"]["data"]:
        assert fault["line"] == 2
        assert fault["code"]
        assert 0 < len(fault["message"]) < 500


def test_each_costly_line_costs_itself_only(server):
    lines = []
    for number, changes in enumerate(COSTLY.values()):
        lines += [
            json.dumps(
                {"custom_id": f"bad{number}", "method": "POST", "url": CHAT, "body": {**BODY, **changes}}
            ),
            json.dumps({"custom_id": f"good{number}", "method": "POST", "url": CHAT, "body": BODY}),
        ]
    batch = ended(server, submit(server, "\n".join(lines).encode()))
    counts = batch["request_counts"]
    assert (counts["completed"], counts["failed"]) == (len(COSTLY), len(COSTLY))
    told = server.get(f"/v1/files/{batch['error_file_id']}/content", headers=BEARER).text.splitlines()
    for line in map(json.loads, told):
        assert 400 <= line["response"]["status_code"] < 500, line
        assert line["response"]["body"]["error"]["message"]


def test_a_file_of_noise_fails(server):
    chance = random.Random(SEED)
    for data in (chance.randbytes(200_000), b"\n" * 100_000, b"\xef\xbb\xbf", b"x" * 1_000_000):
        batch = submit(server, data)
        assert batch["status"] == "failed", data[:20]
        assert len(batch["errors"]["data"]) <= 100


def test_mutated_lines_are_judged_without_a_500(server):
    chance = random.Random(SEED)
    lines = []
    for _ in range(400):
        line = bytearray(GOOD)
        for _ in range(chance.randrange(1, 4)):
            line[chance.randrange(len(line))] = chance.randrange(256)
        lines.append(bytes(line).replace(b"\n", b" "))
    batch = submit(server, b"\n".join(lines))
    assert batch["status"] == "failed"


def test_more_lines_than_a_batch_may_have_are_refused(server):
    line = b'{"custom_id":"%d","method":"POST","url":"/v1/chat/completions","body":{"model":"gemini-3.1-flash-lite","messages":[]}}'
    batch = submit(server, b"\n".join(line % number for number in range(50_001)))
    assert batch["errors"]["data"][-1]["code"] == "too_many_tasks"


@pytest.mark.parametrize(
    "path", ["/v1/batches", "/v1/embeddings", "/v1beta/openai/batches", "/v1beta/openai/embeddings"]
)
def test_bodies_of_anything_are_refused_in_words(server, path):
    chance = random.Random(SEED)
    bodies = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"17",
        b'"x"',
        b"\xff\xfe",
        b"{}",
        b"[" * 100_000,
        chance.randbytes(1_000),
    ]
    bodies += [json.dumps({name: value}).encode() for name in ("input", "model", "metadata", "endpoint")
               for value in (None, 1, "x" * 10_000, [], {}, [[[]]], True)]  # fmt: skip
    for body in bodies:
        said = server.post(path, headers=BEARER, content=body)
        assert said.status_code == 400, (body[:60], said.text)
        problem = said.json() if path.startswith("/v1/") else said.json()[0]
        assert problem["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/files", "/v1beta/openai/files"])
def test_forms_of_anything_are_refused_in_words(server, path):
    chance = random.Random(SEED)
    kinds = [
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "text/plain",
        "multipart/form-data; boundary=",
    ]
    begins = [b"", b"--b\r\n", b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n']
    for kind in kinds:
        for begin in begins:
            body = begin + chance.randbytes(2_000)
            said = server.post(path, headers={**BEARER, "content-type": kind}, content=body)
            assert said.status_code == 400, (kind, said.text)
    deep = b"--b\r\n" + b"x: y\r\n" * 5_000 + b"\r\n"
    said = server.post(path, headers={**BEARER, "content-type": kinds[0]}, content=deep)
    assert said.status_code == 400
