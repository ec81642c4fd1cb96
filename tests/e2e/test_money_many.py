"""Money and limits over four servers at once: one balance, one count, whichever of them is asked.

The run in real time, over several minutes, is for ``PROVE=all``; what it shows is shown in a moment by
``tests/unit/service/test_shared_limits.py``, where time is the test's.
"""

import asyncio
import collections
import json
import os
import time
from contextlib import ExitStack

import httpx
import pytest

from geminid.billing.standing import Override
from serving import serving
from tenants import PRICES, balance_of, proved, rows_of, tenant

PROVING = os.environ.get("PROVE") == "all"
PATH = "/v1beta/models/scripted:generateContent"
COST_NANO = 1_000 + 2_000
SECONDS = 200
RPM, TPM, RPD = 300, 1_200, 700
WORDS = "one two three four five six seven eight nine ten"


@pytest.fixture
def four(tmp_path, database_url):
    """Start four servers on one database."""
    (tmp_path / "prices.toml").write_text(PRICES)
    environ = {
        "GEMINID_STORE_URL": database_url,
        "GEMINID_BILLING_PRICES": str(tmp_path / "prices.toml"),
        "GEMINID_LOG_ACCESS": "false",
    }
    with ExitStack() as stack:

        def start():
            urls = []
            for number in range(4):
                (folder := tmp_path / f"server-{number}").mkdir()
                urls.append(stack.enter_context(serving(folder, "--model", "scripted", environ=environ)).url)
            return urls

        yield start


def body(text):
    return json.dumps({"contents": [{"parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": 1}})


async def ask(http, url, key, content):
    """Ask, and return when that was, when the answer was there, and the answer."""
    began_s = time.monotonic()
    answer = await http.post(url + PATH, headers={"x-goog-api-key": key}, content=content)
    return began_s, time.monotonic(), answer


def test_a_balance_for_a_thousand_requests_lets_a_thousand_run_whichever_server_is_asked(four, database_url):
    key = tenant(database_url, "thousand", 1_000 * COST_NANO)
    urls = four()

    async def client(number):
        async with httpx.AsyncClient(timeout=60) as http:
            return [await ask(http, urls[number % 4], key, body("hello")) for _ in range(100)]

    async def crowd():
        return [each for some in await asyncio.gather(*map(client, range(50))) for each in some]

    answers = [answer for _, _, answer in asyncio.run(crowd())]
    assert collections.Counter(answer.status_code for answer in answers) == {200: 1_000, 402: 4_000}
    receipts = {answer.headers["x-geminid-receipt"] for answer in answers if answer.status_code == 200}
    rows = rows_of(database_url, "thousand")
    assert receipts == {row.id for row in rows}
    assert {row.cost_nano for row in rows} == {COST_NANO}
    assert balance_of(database_url, "thousand").posted_nano == 0
    assert proved(database_url).open_holds == 0


def most_in(spans, width_s):
    """The most that any stretch of time can be shown to have had: what began after its start was
    admitted within it, if it was answered before its end."""
    ends = sorted(spans, key=lambda span: span[1])
    most = 0
    for start_s, _, _ in spans:
        inside = [
            weight for began_s, ended_s, weight in ends if began_s >= start_s and ended_s < start_s + width_s
        ]
        most = max(most, sum(inside))
    return most


@pytest.mark.skipif(not PROVING, reason="takes minutes: PROVE=all")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_no_minute_has_more_than_the_limits_and_hardly_less_can_be_used(four, database_url):
    """Three projects, each with one limit, asked at twice the pace that it allows, in real time."""
    limits = {"rpm": {"rpm": RPM}, "tpm": {"tpm": TPM}, "rpd": {"rpd": RPD}}
    keys = {
        name: tenant(database_url, f"by-{name}", mode="postpaid", every_model=Override(**said))
        for name, said in limits.items()
    }
    urls = four()
    contents = {"rpm": body("hello"), "tpm": body(WORDS), "rpd": body("hello")}
    weights = {"rpm": 1, "tpm": len(WORDS.split()), "rpd": 1}
    pauses_s = {"rpm": 30 / RPM, "tpm": 30 * weights["tpm"] / TPM, "rpd": SECONDS / RPD / 2}
    spans = {name: [] for name in limits}
    statuses = {name: collections.Counter() for name in limits}

    async def one(http, name, number):
        began_s, ended_s, answer = await ask(http, urls[number % 4], keys[name], contents[name])
        statuses[name][answer.status_code] += 1
        if answer.status_code == 200:
            spans[name].append((began_s, ended_s, weights[name]))

    async def pace(http, name):
        began_s, asked = time.monotonic(), []
        for number in range(round(SECONDS / pauses_s[name])):
            await asyncio.sleep(began_s + number * pauses_s[name] - time.monotonic())
            asked.append(asyncio.create_task(one(http, name, number)))
        await asyncio.gather(*asked)

    async def everything():
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None)) as http:
            await asyncio.gather(*(pace(http, name) for name in limits))

    asyncio.run(everything())
    print({name: dict(counts) for name, counts in statuses.items()})
    assert all(counts.keys() <= {200, 429} for counts in statuses.values()), statuses
    for name, limit in (("rpm", RPM), ("tpm", TPM)):
        used = sorted(spans[name])
        most = most_in(used, 60)
        first_s = used[0][0]
        steady = [weight for began_s, _, weight in used if began_s < first_s + 180]
        print(f"{name}: {most} in the fullest minute, {sum(steady)} in three of {limit}")
        assert most <= limit
        assert sum(steady) >= 0.98 * 3 * limit
    assert len(spans["rpd"]) == RPD
    assert len(rows_of(database_url, "by-rpd")) == RPD
