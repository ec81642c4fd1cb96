"""A batch and SIGKILL: whenever the server or its engine dies, every line is answered once and paid once."""

import json
import os
import random
import signal
import time
from contextlib import contextmanager

import httpx
import psutil
import pytest

from geminid.store.database import sqlite_url
from serving import serving
from tenants import balance_of, proved, rows_of, tenant

PRICES = """
use = ""
[[price]]
key = "scripted"
input = "1"
output = "2"
[[price]]
key = "smollm2-135m-instruct"
input = "1"
cached = "1"
output = "2"
"""
IN_NANO, OUT_NANO = 500, 1_000
"""A batch costs half."""
SCRIPT = """
[[rule]]
match = "slow"
text = "one two three"
first_token_ms = 300
token_ms = 100
[[rule]]
match = "broken"
fail = "INVALID_ARGUMENT"
[[rule]]
text = "yes or no"
first_token_ms = 200
token_ms = 60
"""
CREDIT_NANO = 10**9


def line_of(number: int) -> dict:
    """Some are slow, some are refused, some ask what others ask."""
    words = {0: "slow", 1: "broken", 2: "the same"}.get(number % 10, "quick")
    text = words if words == "the same" else f"{words} {number}"
    config = {"temperature": 0, "maxOutputTokens": 4}
    return {
        "key": f"k{number}",
        "request": {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": config},
    }


class House:
    """One data directory, a project that pays in advance, and servers that come and go."""

    def __init__(self, folder, *flags: str) -> None:
        self.folder, self.flags = folder, flags
        (folder / "prices.toml").write_text(PRICES)
        (folder / "script.toml").write_text(SCRIPT)
        (folder / "data").mkdir(mode=0o700)
        self.url = sqlite_url(folder / "data" / "geminid.db")
        self.key = tenant(self.url, "team", CREDIT_NANO)
        self.headers = {"x-goog-api-key": self.key}
        self.environ = {
            "GEMINID_BILLING_PRICES": str(folder / "prices.toml"),
            "GEMINID_SCRIPTED_SCRIPT": str(folder / "script.toml"),
            "GEMINID_ENGINE_KV_CACHE_GIB": "1",
        }

    @contextmanager
    def server(self):
        with serving(self.folder, *self.flags, environ=self.environ) as server:
            yield server

    def submit(self, server, model: str, lines: list[dict]) -> str:
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        start = {"X-Goog-Upload-Protocol": "raw", "X-Goog-Upload-File-Name": "lines.jsonl"}
        said = server.post("/upload/v1beta/files", content=body, headers=self.headers | start)
        name = said.json()["file"]["name"]
        made = server.post(
            f"/v1beta/models/{model}:batchGenerateContent",
            json={"batch": {"displayName": "kills", "inputConfig": {"fileName": name}}},
            headers=self.headers,
        )
        assert made.status_code == 200, made.text
        return made.json()["name"]

    def look(self, server, name: str) -> dict:
        return server.get(f"/v1beta/{name}", headers=self.headers).json()

    def wait(self, server, name: str, seconds: float = 240) -> dict:
        until = time.monotonic() + seconds
        while not (said := self.look(server, name)).get("done"):
            assert time.monotonic() < until, said
            time.sleep(0.2)
        return said

    def results(self, server, said: dict) -> list[dict]:
        name = said["response"]["responsesFile"]
        got = server.get(f"/v1beta/{name}:download?alt=media", headers=self.headers)
        assert got.status_code == 200, got.text
        return [json.loads(line) for line in got.text.splitlines()]


def prove(house: House, lines: list[dict], results: list[dict]) -> int:
    """Every key once, in order; what was answered was paid once, at the price of its tokens; nothing else."""
    assert [each.get("key") for each in results] == [each["key"] for each in lines]
    answered = [each["response"] for each in results if "response" in each]
    told = sum(
        IN_NANO * usage["promptTokenCount"] + OUT_NANO * usage.get("candidatesTokenCount", 0)
        for usage in (each["usageMetadata"] for each in answered)
    )
    rows = rows_of(house.url, "team")
    paid = [row for row in rows if row.outcome == "finished"]
    assert len({row.request for row in paid}) == len(paid) == len(answered)
    assert {row.id for row in paid} == {each["responseId"] for each in answered}
    assert all(not row.cost_nano for row in rows if row.outcome != "finished")
    balance = balance_of(house.url, "team")
    assert told == sum(row.cost_nano for row in paid) == CREDIT_NANO - balance.available_nano
    assert (balance.held_nano, balance.holds) == (0, 0)
    assert proved(house.url).open_holds == 0
    return len(answered)


@pytest.mark.timeout(400)
def test_twenty_kills_of_the_server_lose_and_repeat_nothing(tmp_path):
    count, kills, seed = 2_000, 20, random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance, house = random.Random(seed), House(tmp_path, "--model", "scripted")
    lines, name, killed, seen = [line_of(number) for number in range(count)], "", 0, []
    while True:
        with house.server() as server:
            name = name or house.submit(server, "scripted", lines)
            if killed == kills:
                said = house.wait(server, name)
                results = house.results(server, said)
                break
            time.sleep(chance.uniform(0.02, 0.6))
            seen.append(int(house.look(server, name)["metadata"]["batchStats"]["pendingRequestCount"]))
            os.kill(server.process.pid, signal.SIGKILL)
            killed += 1
    print(f"pending at each kill: {seen}")
    assert said["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    stats = said["metadata"]["batchStats"]
    assert (stats["successfulRequestCount"], stats["failedRequestCount"]) == ("1800", "200")
    assert prove(house, lines, results) == 1_800
    assert all(each["error"]["code"] == 3 for each in results if "error" in each)


@pytest.mark.e2e
@pytest.mark.timeout(400)
def test_kills_of_the_engine_and_the_server_with_the_real_model(tmp_path):
    house = House(tmp_path)
    chance, count = random.Random(4), 120
    lines = [
        {
            "key": f"k{number}",
            "request": {
                "systemInstruction": {"parts": [{"text": "Answer in one word."}]},
                "contents": [{"role": "user", "parts": [{"text": f"Is {number} more than 50?"}]}],
                "generationConfig": {"temperature": 0, "maxOutputTokens": 24},
            },
        }
        for number in range(count)
    ]
    model, name = "smollm2-135m-instruct", ""
    for turn in range(6):
        with house.server() as server:
            name = name or house.submit(server, model, lines)
            server.wait_ready()
            time.sleep(chance.uniform(0.1, 0.8))
            if turn % 2:
                os.kill(server.process.pid, signal.SIGKILL)
            else:
                engine = psutil.Process(server.engine(model)["pid"])
                engine.kill()
                time.sleep(chance.uniform(0.1, 0.8))
    with house.server() as server:
        said = house.wait(server, name)
        results = house.results(server, said)
    assert said["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    assert prove(house, lines, results) == count


def test_a_stopped_server_stops_at_once_and_goes_on_at_its_next_start(tmp_path):
    house = House(tmp_path, "--model", "scripted")
    lines = [line_of(number) for number in range(600)]
    with house.server() as server:
        name = house.submit(server, "scripted", lines)
        time.sleep(0.5)
        httpx.get(server.url + "/healthz")
    rows = rows_of(house.url, "team")
    assert all(not row.cost_nano for row in rows if row.outcome == "interrupted")
    with house.server() as server:
        results = house.results(server, house.wait(server, name))
    assert prove(house, lines, results) == 540


CHAT = "/v1/chat/completions"


def other_line(number: int) -> dict:
    """The same request as :func:`line_of`, as OpenAI's wire spells it."""
    text = line_of(number)["request"]["contents"][0]["parts"][0]["text"]
    body = {
        "model": "scripted",
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": 4,
    }
    return {"custom_id": f"k{number}", "method": "POST", "url": CHAT, "body": body}


class OtherHouse(House):
    """The same by OpenAI's wire."""

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def submit(self, server, model: str, lines: list[dict]) -> str:
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        form = {"files": {"file": ("lines.jsonl", data)}, "data": {"purpose": "batch"}}
        file = server.post("/v1/files", headers=self.bearer, **form).json()["id"]
        said = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
        made = server.post("/v1/batches", json=said, headers=self.bearer)
        assert made.status_code == 200, made.text
        return made.json()["id"]

    def look(self, server, name: str) -> dict:
        said = server.get(f"/v1/batches/{name}", headers=self.bearer).json()
        return {**said, "done": said["status"] in ("completed", "failed", "expired", "cancelled")}

    def lines(self, server, file_id: str) -> list[dict]:
        got = server.get(f"/v1/files/{file_id}/content", headers=self.bearer)
        return [json.loads(line) for line in got.text.splitlines()]


@pytest.mark.timeout(400)
def test_kills_lose_and_repeat_nothing_in_openais_format_either(tmp_path):
    count, kills, seed = 800, 8, random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance, house = random.Random(seed), OtherHouse(tmp_path, "--model", "scripted")
    lines, name = [other_line(number) for number in range(count)], ""
    for _ in range(kills):
        with house.server() as server:
            name = name or house.submit(server, "scripted", lines)
            time.sleep(chance.uniform(0.02, 0.5))
            os.kill(server.process.pid, signal.SIGKILL)
    with house.server() as server:
        said = house.wait(server, name)
        good, bad = (house.lines(server, said[f"{part}_file_id"]) for part in ("output", "error"))
    assert (said["status"], said["request_counts"]) == (
        "completed",
        {"total": count, "completed": 720, "failed": 80},
    )
    assert [each["custom_id"] for each in good] == [f"k{n}" for n in range(count) if n % 10 != 1]
    assert [each["custom_id"] for each in bad] == [f"k{n}" for n in range(1, count, 10)]
    assert {each["response"]["status_code"] for each in bad} == {400}
    paid = [row for row in rows_of(house.url, "team") if row.outcome == "finished"]
    assert {each["response"]["body"]["id"] for each in good} == {f"chatcmpl-{row.id}" for row in paid}
    assert len({row.request for row in paid}) == len(paid) == len(good)
    usage = [each["response"]["body"]["usage"] for each in good]
    told = sum(IN_NANO * each["prompt_tokens"] + OUT_NANO * each["completion_tokens"] for each in usage)
    balance = balance_of(house.url, "team")
    assert told == sum(row.cost_nano for row in paid) == CREDIT_NANO - balance.available_nano
    assert said["usage"]["total_tokens"] == sum(each["total_tokens"] for each in usage)
    assert (balance.held_nano, balance.holds) == (0, 0)
    assert proved(house.url).open_holds == 0
