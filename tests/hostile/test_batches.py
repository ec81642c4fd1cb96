"""Hostile files of requests: each line costs itself, and no more; the server is the same afterwards."""

import json
import os
import random
import time

import httpx
import psutil
import pytest

MODEL = "models/gemini-3.1-flash-lite"
SEED = int(os.environ.get("HOSTILE_SEED", "20261125"))
PATIENCE_S = 90
MIB = 1024 * 1024
GOOD = b'{"key":"good","request":{"contents":[{"parts":[{"text":"hello"}]}]}}'

BAD = {
    "no JSON": b"this is no JSON",
    "half a line": GOOD[:40],
    "two in one": GOOD + b" " + GOOD,
    "a list": b"[1, 2]",
    "a number": b"17",
    "null": b"null",
    "no request": b'{"key":"k"}',
    "request is a list": b'{"key":"k","request":[]}',
    "request is text": b'{"key":"k","request":"hello"}',
    "a stranger's form": b'{"custom_id":"k","method":"POST","url":"/v1/x","body":{}}',
    "bare": b'{"contents":[{"parts":[{"text":"hello"}]}]}',
    "unknown field": b'{"key":"k","request":{"contnts":[]}}',
    "another model": b'{"key":"k","request":{"model":"models/other","contents":[{"parts":[{"text":"x"}]}]}}',
    "no contents": b'{"key":"k","request":{}}',
    "not UTF-8": b'{"key":"k","request":{"contents":[{"parts":[{"text":"\xff\xfe"}]}]}}',
    "not UTF-8 key": b'{"key":"\xc3","request":{"contents":[{"parts":[{"text":"x"}]}]}}',
    "UTF-16": GOOD.decode().encode("utf-16"),
    "half a surrogate": b'{"key":"k","request":{"contents":[{"parts":[{"text":"\\ud800"}]}]}}',
    "NUL bytes": b"\x00" * 100,
    "deep": b"[" * 50_000 + b"]" * 50_000,
    "deep request": b'{"key":"k","request":{"contents":' + b"[" * 50_000 + b"]" * 50_000 + b"}}",
    "deep key": b'{"key":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b',"request":{}}',
    "infinite key": b'{"key":Infinity,"request":{}}',
    "key twice": b'{"key":"a","key":"b","request":{"contents":"x"}}',
    "a schema that cannot be": b'{"key":"k","request":{"contents":[{"parts":[{"text":"x"}]}],'
    b'"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"NONSENSE"}}}}',
    "wrong numbers": b'{"key":"k","request":{"contents":[{"parts":[{"text":"x"}]}],'
    b'"generationConfig":{"temperature":1e999}}}',
}
"""Lines that are wrong, by what is wrong with them."""

ODD = {
    "no key": b'{"request":{"contents":[{"parts":[{"text":"hello"}]}]}}',
    "null key": b'{"key":null,"request":{"contents":[{"parts":[{"text":"hello"}]}]}}',
    "numeric key": b'{"key":17,"request":{"contents":[{"parts":[{"text":"hello"}]}]}}',
    "object for a key": b'{"key":{"a":[1]},"request":{"contents":[{"parts":[{"text":"hello"}]}]}}',
    "long key": json.dumps(
        {"key": "k" * MIB, "request": {"contents": [{"parts": [{"text": "hello"}]}]}}
    ).encode(),
    "same key": GOOD,
    "same key again": GOOD,
    "spaces": b"   " + GOOD + b"\t ",
    "lenient": b"{'key': 'k', 'request': {'contents': [{'parts': [{'text': 'hello'}],}],},}",
}
"""Lines that are odd, and answered."""


class Batches:
    """Jobs of one server, over plain HTTP."""

    def __init__(self, server):
        self.server = server

    def run(self, data):
        """Upload a file, have its lines answered, return the operation and the result lines."""
        headers = {"x-goog-upload-protocol": "raw", "content-type": "application/jsonl"}
        sent = self.server.post("/upload/v1beta/files", headers=headers, content=data)
        return self.over(sent.json()["file"]["name"])

    def over(self, name):
        made = self.server.post(
            f"/v1beta/{MODEL}:batchGenerateContent", json={"batch": {"inputConfig": {"fileName": name}}}
        )
        if made.status_code != 200:
            return made.json(), []
        give_up = time.monotonic() + PATIENCE_S
        while not (operation := self.server.get(f"/v1beta/{made.json()['name']}").json()).get("done"):
            assert time.monotonic() < give_up, operation
            time.sleep(0.05)
        output = operation["metadata"].get("output")
        if output is None:
            return operation, []
        found = self.server.get(f"/v1beta/{output['responsesFile']}:download", params={"alt": "media"})
        return operation, [json.loads(line) for line in found.content.splitlines()]


@pytest.fixture
def batches(scripted):
    before = scripted.process.pid
    yield Batches(scripted)
    assert psutil.pid_exists(before)
    assert scripted.get("/healthz").status_code == 200


def stats(operation):
    told = operation["metadata"]["batchStats"]
    return tuple(int(told[f"{name}RequestCount"]) for name in ("successful", "failed", "pending"))


def test_each_wrong_line_costs_itself_only(batches):
    lines = [line for bad in BAD.values() for line in (bad, GOOD)]
    operation, results = batches.run(b"\n".join(lines))
    assert operation["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    assert len(results) == len(lines)
    for (what, _), bad, good in zip(BAD.items(), results[::2], results[1::2], strict=True):
        assert "error" in bad, (what, bad)
        assert bad["error"]["code"] in (3, 5), (what, bad)
        assert bad["error"]["message"], what
        assert good["key"] == "good", what
        assert "response" in good, (what, good)
    assert stats(operation) == (len(BAD), len(BAD), 0)


def test_odd_lines_are_answered_with_what_hung_on_them(batches):
    operation, results = batches.run(b"\n".join(ODD.values()))
    assert stats(operation) == (len(ODD), 0, 0)
    keys = [result.get("key", "-") for result in results]
    assert keys == ["-", "-", 17, {"a": [1]}, "k" * MIB, "good", "good", "good", "k"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n\n", b"\r\n \r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_ends_of_lines_and_marks_of_byte_order(batches, end, mark, last):
    operation, results = batches.run(mark + end.join([GOOD] * 3) + last)
    assert stats(operation) == (3, 0, 0)
    assert len(results) == 3


@pytest.mark.parametrize("data", [b"\n\n\n", b"   \r\n  ", b"\xef\xbb\xbf"])
def test_a_file_without_a_line_is_refused(batches, data):
    answer, results = batches.run(data)
    assert results == []
    told = answer.get("error", {})
    assert told["message"]
    assert told.get("status", "INVALID_ARGUMENT") == "INVALID_ARGUMENT"


def test_a_line_beyond_the_bound_is_refused_and_memory_stays(batches, scripted, tmp_path):
    """A line of 200 MiB in every run, and of a gigabyte where the promise is proved."""
    size = (1024 if os.environ.get("PROVE") == "all" else 200) * MIB
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        file.write(GOOD + b"\n")
        file.write(b'{"key":"large","request":{"contents":[{"parts":[{"text":"')
        for _ in range(size // MIB):
            file.write(b"x" * MIB)
        file.write(b'"}]}]}}\n')
        file.write(GOOD + b"\n")
    headers = {"x-goog-upload-protocol": "raw", "content-type": "application/jsonl"}
    with path.open("rb") as file:
        name = scripted.post("/upload/v1beta/files", headers=headers, content=file).json()["file"]["name"]
    path.unlink()  # folders of tests outlive them
    before = psutil.Process(scripted.process.pid).memory_info().rss
    operation, results = batches.over(name)
    httpx.delete(f"{scripted.url}/v1beta/{name}")
    assert stats(operation) == (2, 1, 0)
    assert ["error" in result for result in results] == [False, True, False]
    assert results[1]["error"]["message"].startswith("Line 2: ")
    grown = psutil.Process(scripted.process.pid).memory_info().rss - before
    assert grown < 250 * MIB, f"{grown / MIB:.0f} MiB"


def test_mutated_lines_end_in_one_result_each(batches):
    """Bytes of a good line changed, removed, doubled, with a seed that is printed."""
    print(f"HOSTILE_SEED={SEED}")
    source = random.Random(SEED)
    lines = []
    for _ in range(300):
        line = bytearray(GOOD)
        for _ in range(source.randint(1, 4)):
            at = source.randrange(len(line))
            match source.randrange(3):
                case 0:
                    line[at] = source.randrange(256)
                case 1:
                    del line[at : at + source.randint(1, 5)]
                case _:
                    line[at:at] = line[at : at + source.randint(1, 5)]
        lines.append(bytes(line).replace(b"\n", b" ").replace(b"\r", b" "))
    lines = [line for line in lines if line.strip()]
    operation, results = batches.run(b"\n".join(lines))
    assert len(results) == len(lines)
    assert all(("response" in result) != ("error" in result) for result in results)
    assert sum(stats(operation)) == len(lines)


def test_a_film_is_no_file_of_requests(batches):
    data = b"\x00\x00\x00\x18ftypmp42" + random.Random(SEED).randbytes(20_000)
    answer, results = batches.run(data)
    if "error" in answer and "metadata" not in answer:
        assert answer["error"]["status"] in ("INVALID_ARGUMENT", "FAILED_PRECONDITION")
        return
    state = answer["metadata"]["state"]
    assert state in ("BATCH_STATE_SUCCEEDED", "BATCH_STATE_FAILED")
    assert all("error" in result for result in results)
