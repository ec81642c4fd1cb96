"""Money and limits with real servers: whatever clients do, the books are right."""

import asyncio
import collections
import itertools
import json
import re
import signal
import time
from contextlib import ExitStack

import pytest

from geminid.billing.standing import Override
from serving import serving
from tenants import PRICES, balance_of, proved, rows_of, tenant

PATH = "/v1beta/models/scripted:generateContent"
STREAM = "/v1beta/models/scripted:streamGenerateContent?alt=sse"
SCRIPT = """
[[rule]]
match = "^stream"
text = " word"
repeat = 60
token_ms = 15
"""
IN_NANO, OUT_NANO = 1_000, 2_000


@pytest.fixture
def servers(tmp_path, database_url):
    """Start so many servers on one database."""
    (tmp_path / "prices.toml").write_text(PRICES)
    (tmp_path / "script.toml").write_text(SCRIPT)
    environ = {
        "GEMINID_STORE_URL": database_url,
        "GEMINID_BILLING_PRICES": str(tmp_path / "prices.toml"),
        "GEMINID_SCRIPTED_SCRIPT": str(tmp_path / "script.toml"),
    }
    numbers = itertools.count()
    with ExitStack() as stack:

        def start(count=1):
            folders = [tmp_path / f"server-{next(numbers)}" for _ in range(count)]
            for folder in folders:
                folder.mkdir()
            return [
                stack.enter_context(serving(folder, "--model", "scripted", environ=environ))
                for folder in folders
            ]

        yield start


def request(path, key, text, tokens_max=1, **headers):
    body = json.dumps(
        {"contents": [{"parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": tokens_max}}
    )
    named = {"host": "x", "x-goog-api-key": key, "content-length": len(body), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n{body}".encode()


async def ask(connection, data):
    """Send a request and return status, headers and body of its answer."""
    reader, writer = connection
    writer.write(data)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    headers = {name.lower(): value for name, value in lines}
    body = await reader.readexactly(int(headers["content-length"]))
    return int(head[9:12]), headers, json.loads(body)


async def connected(server):
    host, port = server.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def crowd(servers, data, clients, each):
    """Let many clients ask the same again and again; return all answers."""

    async def client(server):
        connection = await connected(server)
        answers = [await ask(connection, data) for _ in range(each)]
        connection[1].close()
        return answers

    asked = await asyncio.gather(*(client(servers[n % len(servers)]) for n in range(clients)))
    return [answer for answers in asked for answer in answers]


def test_a_balance_that_covers_a_thousand_requests_lets_a_thousand_of_five_thousand_run(
    servers, database_url
):
    key = tenant(database_url, "thousand", 1_000 * (IN_NANO + OUT_NANO))
    answers = asyncio.run(crowd(servers(), request(PATH, key, "hello"), 50, 100))
    assert collections.Counter(status for status, _, _ in answers) == {200: 1_000, 402: 4_000}
    refused = next(body["error"] for status, _, body in answers if status == 402)
    assert refused["status"] == "RESOURCE_EXHAUSTED"
    assert "$0.000003 is needed and $0.000000 is available" in refused["message"]
    receipts = {headers["x-geminid-receipt"] for status, headers, _ in answers if status == 200}
    costs = {headers["x-geminid-cost-nano"] for status, headers, _ in answers if status == 200}
    rows = rows_of(database_url, "thousand")
    assert receipts == {row.id for row in rows}
    assert costs == {"3000"} == {str(row.cost_nano) for row in rows}
    assert balance_of(database_url, "thousand").posted_nano == 0
    assert proved(database_url).open_holds == 0


def test_four_servers_admit_exactly_what_a_limit_allows_together(servers, database_url):
    key = tenant(database_url, "limited", mode="postpaid", every_model=Override(rpm=200, rpd=250))
    four = servers(4)
    began = time.monotonic()
    answers = asyncio.run(crowd(four, request(PATH, key, "hello"), 16, 25))
    assert time.monotonic() - began < 60, "too slow to tell"
    assert collections.Counter(status for status, _, _ in answers) == {200: 200, 429: 200}
    error = next(body["error"] for status, _, body in answers if status == 429)
    kinds = {detail["@type"].rpartition(".")[2]: detail for detail in error["details"]}
    assert kinds.keys() == {"Help", "QuotaFailure", "RetryInfo"}
    assert kinds["QuotaFailure"]["violations"] == [
        {
            "quotaMetric": "generativelanguage.googleapis.com/generate_requests_per_model",
            "quotaId": "GenerateRequestsPerMinutePerProjectPerModel",
            "quotaDimensions": {"location": "global", "model": "scripted"},
            "quotaValue": "200",
        }
    ]
    assert re.search(r"Please retry in \d+(\.\d+)?s\.", error["message"])
    assert 0 < float(kinds["RetryInfo"]["retryDelay"].rstrip("s")) <= 60.5
    assert len(rows_of(database_url, "limited")) == 200


async def cut(server, data, chunks):
    """Read so many chunks of a stream, then hang up; return its receipt."""
    reader, writer = await connected(server)
    writer.write(data)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    seen = b""
    while seen.count(b"data: ") < chunks and (block := await reader.read(65536)):
        seen += block
    writer.transport.abort()
    return re.search(r"x-geminid-receipt: (\S+)", head)[1], seen.count(b"data: ")


def test_a_stream_that_is_cut_anywhere_is_charged_by_what_was_produced(servers, database_url):
    key = tenant(database_url, "cut", 10**9)
    (server,) = servers()
    data = request(STREAM, key, "stream sixty", 100)

    async def everywhere():
        return await asyncio.gather(*(cut(server, data, chunks) for chunks in range(1, 61)))

    read = dict(asyncio.run(everywhere()))
    deadline = time.monotonic() + 20
    while len(rows := rows_of(database_url, "cut")) < 60:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    logged = {
        found[1]: int(found[2])
        for found in re.finditer(r"access: (\S+) .* (\d+) out", server.log.read_text())
    }
    for row in rows:
        produced = row.usage.candidates
        assert produced == logged[row.id]
        assert read[row.id] <= produced <= 60
        assert row.cost_nano == row.usage.prompt * IN_NANO + produced * OUT_NANO
    assert {row.outcome for row in rows} <= {"cancelled", "finished"}
    assert sum(row.outcome == "cancelled" for row in rows) > 40
    assert balance_of(database_url, "cut").posted_nano == 10**9 - sum(row.cost_nano for row in rows)
    assert proved(database_url).open_holds == 0


def test_what_a_killed_server_held_is_released_by_the_next_and_what_it_answered_is_kept(
    servers, database_url
):
    key = tenant(database_url, "killed", 10**9)
    (first,) = servers()

    async def work():
        answered = await crowd([first], request(PATH, key, "hello"), 4, 5)
        streams = [await connected(first) for _ in range(3)]
        for reader, writer in streams:
            writer.write(request(STREAM, key, "stream sixty", 100))
            await reader.readuntil(b"data: ")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        for _, writer in streams:
            writer.transport.abort()
        await asyncio.sleep(0)
        return answered

    answered = asyncio.run(work())
    assert balance_of(database_url, "killed").holds == 3
    servers()
    balance = balance_of(database_url, "killed")
    assert (balance.holds, balance.held_nano) == (0, 0)
    assert balance.posted_nano == 10**9 - 20 * (IN_NANO + OUT_NANO)
    receipts = {headers["x-geminid-receipt"] for _, headers, _ in answered}
    assert receipts == {row.id for row in rows_of(database_url, "killed")}
    proved(database_url)


def test_counting_tells_the_most_that_a_request_can_cost_and_costs_nothing(servers, database_url):
    key = tenant(database_url, "counted", 10**9)
    (server,) = servers()
    body = {
        "generateContentRequest": {
            "model": "models/scripted",
            "contents": [{"parts": [{"text": "two words"}]}],
            "generationConfig": {"maxOutputTokens": 2},
        }
    }
    asked = {"headers": {"x-goog-api-key": key}, "json": body}
    counted = server.post("/v1beta/models/scripted:countTokens", **asked)
    assert counted.status_code == 200, counted.text
    bound = int(counted.headers["x-geminid-cost-bound-nano"])
    asked["json"] = body["generateContentRequest"]
    answer = server.post(PATH, **asked)
    usage = answer.json()["usageMetadata"]
    (row,) = rows_of(database_url, "counted")
    assert (row.usage.prompt, row.usage.candidates) == (
        usage["promptTokenCount"],
        usage["candidatesTokenCount"],
    )
    assert int(answer.headers["x-geminid-cost-nano"]) == row.cost_nano == 2 * IN_NANO + 2 * OUT_NANO
    assert row.cost_nano <= bound == row.bound_nano <= row.cost_nano + 2
