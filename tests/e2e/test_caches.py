"""Cached contents through real servers: killed at any moment, shared between servers, and with the real model."""

import asyncio
import datetime
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest

from geminid.service.cache_storage import whole_storage_nano
from geminid.store import caches
from geminid.store.database import sqlite_url
from serving import serving
from tenants import _with, balance_of, proved, rows_of, tenant

PRICES = """
use = ""
[[price]]
key = "scripted"
input = "1"
output = "2"
cached = "0.1"
storage_hour = "36"
"""
"""A token costs 1,000 nano-dollars to read, 100 from a cache, 10 a second to keep."""
CREDIT = 10**12
WORDS = 1_100
TEXT = " ".join(f"w{number}" for number in range(WORDS))
PATH = "/v1beta/cachedContents"
ASK = "/v1beta/models/scripted:generateContent"


def environ_of(folder, url):
    (folder / "prices.toml").write_text(PRICES)
    return {
        "GEMINID_STORE_URL": url,
        "GEMINID_BILLING_PRICES": str(folder / "prices.toml"),
        "GEMINID_CACHES_TTL_S_MIN": "1",
    }


def started(folder, name, environ):
    (folder / name).mkdir()
    return serving(folder / name, "--model", "scripted", environ=environ)


def contents(text=TEXT):
    return [{"role": "user", "parts": [{"text": text}]}]


def rows(url):
    return asyncio.run(_with(url, lambda database: database.read(lambda c: caches.living(c, 0))))


class Client(threading.Thread):
    """Makes, uses, prolongs and deletes cached contents until the server is gone; keeps what was told."""

    def __init__(self, url, key, seed):
        super().__init__()
        self.url, self.key, self.seed = url, key, seed
        self.made, self.deleted, self.doubtful = {}, set(), set()

    def run(self):
        chance = random.Random(self.seed)
        headers = {"x-goog-api-key": self.key}
        with httpx.Client(base_url=self.url, headers=headers, timeout=30) as http:
            try:
                while True:
                    self.step(http, chance)
            except httpx.HTTPError:
                pass

    def step(self, http, chance):
        alive = [name for name in self.made if name not in self.deleted | self.doubtful]
        act = chance.choice(("make", "make", "use", "move", "delete"))
        if act == "make" or not alive:
            body = {"model": "models/scripted", "contents": contents(), "ttl": "600s"}
            told = http.post(PATH, json=body)
            assert told.status_code == 200, told.text
            self.made[told.json()["name"]] = told.json()["expireTime"]
            return
        name = chance.choice(alive)
        if act == "use":
            http.post(ASK, json={"contents": contents("hi"), "cachedContent": name}).raise_for_status()
        elif act == "move":
            self.doubtful.add(name)  # whether its end has moved is not known if the server dies now
            told = http.patch(f"/v1beta/{name}", json={"ttl": f"{chance.randint(500, 5_000)}s"})
            self.made[name] = told.json()["expireTime"]
            self.doubtful.discard(name)
        else:
            self.doubtful.add(name)
            http.delete(f"/v1beta/{name}").raise_for_status()
            self.deleted.add(name)
            self.doubtful.discard(name)


def test_a_server_that_is_killed_anywhere_loses_nothing_and_bills_nothing_twice(tmp_path):
    url = sqlite_url(tmp_path / "geminid.db")
    key = tenant(url, "team", CREDIT)
    environ, chance = environ_of(tmp_path, url), random.Random()
    made, deleted, doubtful = {}, set(), set()
    for number in range(6):
        with started(tmp_path, f"server-{number}", environ) as server:
            clients = [Client(server.url, key, chance.random()) for _ in range(3)]
            for client in clients:
                client.start()
            time.sleep(chance.uniform(0.2, 1.2))
            os.kill(server.process.pid, signal.SIGKILL)
            for client in clients:
                client.join()
                made |= client.made
                deleted |= client.deleted
                doubtful |= client.doubtful
    with started(tmp_path, "last", environ) as server:
        headers = {"x-goog-api-key": key}
        for name, end in made.items():
            told = server.get(f"/v1beta/{name}", headers=headers)
            if name in deleted:
                assert told.status_code == 403
            elif name not in doubtful:
                assert (told.status_code, told.json().get("expireTime")) == (200, end)
        used = next(iter(set(made) - deleted - doubtful))
        answer = server.post(ASK, json={"contents": contents("hi"), "cachedContent": used}, headers=headers)
        assert answer.json()["usageMetadata"]["cachedContentTokenCount"] == WORDS
    books_are_right(url)
    assert len(made) > 20


def books_are_right(url):
    """Everything that lives is held for, everything that ended is billed once, and the ledger says the same."""
    proved(url)
    living, usage, balance = rows(url), rows_of(url, "team"), balance_of(url, "team")
    assert balance.holds == len(living)
    assert balance.held_nano == sum(map(whole_storage_nano, living))
    making = [row.cache for row in usage if row.verb == "cache" and row.outcome == "finished"]
    ended = [row.cache for row in usage if row.verb == "storage"]
    assert len(making) == len(set(making))
    assert sorted(making) == sorted([*ended, *(row.id for row in living)])
    assert balance.posted_nano == CREDIT - sum(row.cost_nano for row in usage)


def test_servers_that_share_a_database_share_cached_contents(tmp_path, database_url):
    key = tenant(database_url, "team", CREDIT)
    environ, headers = environ_of(tmp_path, database_url), {"x-goog-api-key": key}
    with started(tmp_path, "a", environ) as one, started(tmp_path, "b", environ) as two:
        body = {"model": "models/scripted", "contents": contents(), "ttl": "600s"}
        name = one.post(PATH, json=body, headers=headers).json()["name"]
        asked = {"contents": contents("hi"), "cachedContent": name}
        answer = two.post(ASK, json=asked, headers=headers).json()
        assert answer["usageMetadata"]["cachedContentTokenCount"] == WORDS
        patched = httpx.patch(f"{two.url}/v1beta/{name}", json={"ttl": "3s"}, headers=headers).json()
        assert one.get(f"/v1beta/{name}", headers=headers).json() == patched
        end = datetime.datetime.fromisoformat(patched["expireTime"])
        time.sleep(max((end - datetime.datetime.now(datetime.UTC)).total_seconds(), 0))
        for server in (one, two):
            assert server.post(ASK, json=asked, headers=headers).status_code == 403
        until(lambda: not rows(database_url))
        until(lambda: all(server.engine("scripted")["prefixes"] == 0 for server in (one, two)))
    books_are_right(database_url)
    (storage,) = [row for row in rows_of(database_url, "team") if row.verb == "storage"]
    created, ended = (
        datetime.datetime.fromisoformat(patched[f"{word}Time"]) for word in ("create", "expire")
    )
    seconds = -(-(ended - created) // datetime.timedelta(seconds=1))
    assert storage.cost_nano == seconds * WORDS * 10


def test_the_command_line_lists_and_ends_what_a_server_keeps(tmp_path):
    url = sqlite_url(tmp_path / "data" / "geminid.db")
    (tmp_path / "data").mkdir()
    key = tenant(url, "team", CREDIT)
    environ = environ_of(tmp_path, url)
    headers = {"x-goog-api-key": key}
    with serving(tmp_path, "--model", "scripted", environ=environ) as server:
        body = {"model": "models/scripted", "contents": contents(), "displayName": "The contract"}
        name = server.post(PATH, json=body, headers=headers).json()["name"]
        for _ in range(3):
            server.post(ASK, json={"contents": contents("hi"), "cachedContent": name}, headers=headers)
        (found,) = json.loads(command(environ, "caches", "list", "--json"))
        figures = (found["hits"], found["cachedTokens"], found["saved"], found["tokens"])
        assert figures == (3, 3 * WORDS, f"{3 * WORDS * 900 / 10**9:.9f}".rstrip("0"), WORDS)
        assert (found["displayName"], found["project"]) == ("The contract", "team")
        assert name.removeprefix("cachedContents/") in command(environ, "caches", "list")
        assert "The contract" in command(environ, "caches", "show", name)
        command(environ, "caches", "delete", name)
        assert server.get(f"/v1beta/{name}", headers=headers).status_code == 403
        until(lambda: server.engine("scripted")["prefixes"] == 0)
        assert json.loads(command(environ, "caches", "list", "--json")) == []
        assert "caches.delete" in command(environ, "audit")
    books_are_right(url)


def command(environ, *words):
    done = subprocess.run(
        [sys.executable, "-m", "geminid.cli.main", *words],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


# -- with the real model -----------------------------------------------------------------------------------

REAL = "/v1beta/models/gemini-3.1-flash-lite:generateContent"
QUESTIONS = [
    f"What does clause {number} say about the fee? Answer in one sentence." for number in range(1, 21)
]


def contract(tokens):
    """A document of about so many tokens."""
    chance = random.Random(6)
    things = ("the warehouse", "a delivery", "the deposit", "an invoice", "the crane", "a late fee")
    lines, number = [], 0
    while sum(map(len, lines)) < tokens * 2.72:
        number += 1
        thing, days, fee = chance.choice(things), chance.randint(2, 90), chance.randint(10, 9_999)
        lines.append(
            f"Clause {number}. For {thing} the parties agree on {days} days and a fee of {fee} euros."
        )
    return "\n".join(lines)


@pytest.mark.e2e
def test_twenty_questions_to_a_cached_document_are_answered_alike_and_cost_a_tenth(tmp_path):
    document = contract(6_000)
    environ = {"GEMINID_ENGINE_KV_CACHE_GIB": "1", "GEMINID_CACHES_TTL_S_MIN": "1"}
    url = sqlite_url(tmp_path / "data" / "geminid.db")
    with serving(tmp_path, "--pull", environ=environ) as server:
        server.wait_ready()
        plain = [ask(server, question, contents=contents(document)) for question in QUESTIONS]
        body = {"model": "models/gemini-3.1-flash-lite", "contents": contents(document), "ttl": "3600s"}
        cache = server.post(PATH, json=body).json()
        tokens = cache["usageMetadata"]["totalTokenCount"]
        assert 5_000 < tokens < 7_000
        for question, expected in zip(QUESTIONS, plain, strict=True):
            agree(ask(server, question, cachedContent=cache["name"]), expected, tokens)
    with serving(tmp_path, environ=environ) as server:  # after a restart
        server.wait_ready()
        until(lambda: server.engine()["prefixes"] == 1, 100)
        for question, expected in zip(QUESTIONS[:5], plain, strict=False):
            agree(ask(server, question, cachedContent=cache["name"]), expected, tokens)
        patched = httpx.patch(f"{server.url}/v1beta/{cache['name']}", json={"ttl": "2s"}).json()
        end = datetime.datetime.fromisoformat(patched["expireTime"])
        assert "error" not in ask(server, QUESTIONS[0], cachedContent=cache["name"])
        time.sleep(max((end - datetime.datetime.now(datetime.UTC)).total_seconds(), 0))
        assert ask(server, QUESTIONS[0], cachedContent=cache["name"])["error"]["code"] == 403
        until(lambda: server.engine()["prefixes"] == 0)
    usage = rows_of(url, "default")
    for row in [row for row in usage if row.verb == "generate" and row.cache and row.outcome == "finished"]:
        (line,) = [line for line in row.lines if line.item == "cached"]
        assert (line.quantity, line.nano_per_million) == (row.usage.cached, 25_000_000)
        assert line.cost_nano == -(-row.usage.cached * 25_000_000 // 1_000_000)  # a tenth of 0.25 dollars


def ask(server, question, *, contents=(), **fields):
    asked = [*contents, {"role": "user", "parts": [{"text": question}]}]
    config = {"temperature": 0, "maxOutputTokens": 12}
    return server.post(REAL, json={"contents": asked, "generationConfig": config, **fields}).json()


def agree(answer, expected, tokens):
    assert words_of(answer) == words_of(expected)
    usage, plain = answer["usageMetadata"], expected["usageMetadata"]
    assert usage["promptTokenCount"] == plain["promptTokenCount"]
    assert usage["cachedContentTokenCount"] >= tokens


def words_of(answer):
    """Return the words alone: signatures are of their moment."""
    return [part.get("text") for part in answer["candidates"][0]["content"]["parts"]]
