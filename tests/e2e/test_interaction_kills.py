"""Interactions, stores of vectors and SIGKILL: what was acknowledged is there, what was begun ends, and each is
paid once."""

import json
import os
import random
import signal
import time

import httpx
import pytest

from geminid.store.database import sqlite_url
from serving import serving
from tenants import PRICES, balance_of, proved, rows_of, tenant

SCRIPT = """
[[rule]]
match = "^slow"
text = " w"
repeat = 12
first_token_ms = 150
token_ms = 40
"""
EMBEDDING_PRICE = """
[[price]]
key = "gemini-embedding-001"
input = "0.15"
"""
CREDIT_NANO = 10**9
ENDED = ("completed", "failed", "cancelled", "incomplete", "requires_action")


class House:
    """One data directory, a project that pays in advance, and servers that come and go."""

    def __init__(self, folder) -> None:
        self.folder = folder
        (folder / "prices.toml").write_text(PRICES + EMBEDDING_PRICE)
        (folder / "script.toml").write_text(SCRIPT)
        (folder / "data").mkdir(mode=0o700)
        self.url = sqlite_url(folder / "data" / "geminid.db")
        self.headers = {"x-goog-api-key": tenant(self.url, "team", CREDIT_NANO)}
        self.environ = {
            "GEMINID_BILLING_PRICES": str(folder / "prices.toml"),
            "GEMINID_SCRIPTED_SCRIPT": str(folder / "script.toml"),
            "GEMINID_INTERACTIONS_RUNNING_MAX": "2",
        }

    def server(self):
        return serving(self.folder, "--model", "scripted", environ=self.environ)

    def create(self, server, text, **said):
        body = {"model": "scripted", "input": text, **said}
        made = server.post("/v1beta/interactions", json=body, headers=self.headers)
        assert made.status_code == 200, made.text
        return made.json()

    def get(self, server, name):
        return server.get(f"/v1beta/interactions/{name}", headers=self.headers).json()

    def wait(self, server, name, seconds=60):
        until = time.monotonic() + seconds
        while (said := self.get(server, name))["status"] not in ENDED:
            assert time.monotonic() < until, said
            time.sleep(0.05)
        return said

    def prove(self, ended):
        """What was answered was paid, once, at the price of its tokens; what failed was not."""
        rows = rows_of(self.url, "team")
        paid = [row for row in rows if row.outcome == "finished"]
        completed = [each for each in ended if each["status"] == "completed"]
        assert len(paid) == len(completed)
        told = sum(
            1_000 * each["usage"]["total_input_tokens"] + 2_000 * each["usage"]["total_output_tokens"]
            for each in completed
        )
        assert told == sum(row.cost_nano for row in paid)
        assert not any(row.cost_nano for row in rows if row.outcome != "finished")
        balance = balance_of(self.url, "team")
        assert (balance.available_nano, balance.held_nano, balance.holds) == (CREDIT_NANO - told, 0, 0)
        assert proved(self.url).open_holds == 0


def kill(server):
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(30)


def test_what_was_acknowledged_is_there_and_is_gone_on_from(tmp_path):
    house, known = House(tmp_path), []
    for number in range(3):
        with house.server() as server:
            for each in known:
                assert house.get(server, each["id"]) == each
            previous = {"previous_interaction_id": known[-1]["id"]} if known else {}
            known.append(house.create(server, f"number {number}", **previous))
            kill(server)  # the answer has only just come
    assert known[2]["usage"]["total_input_tokens"] == 5 * 2  # three questions, two answers before the last
    house.prove(known)


def test_the_end_of_a_stream_that_was_read_is_kept(tmp_path):
    house = House(tmp_path)
    body = {"model": "scripted", "input": "slow", "stream": True}
    with house.server() as server:
        url = f"{server.url}/v1beta/interactions"
        with httpx.stream("POST", url, json=body, headers=house.headers, timeout=60) as reply:
            for line in reply.iter_lines():
                if "interaction.completed" in line and line.startswith("data:"):
                    kill(server)
                    break
        told = json.loads(line.removeprefix("data: "))["interaction"]
    with house.server() as server:
        kept = house.get(server, told["id"])
        assert (kept["status"], kept["usage"]) == ("completed", told["usage"])
    house.prove([kept])


@pytest.mark.timeout(300)
def test_whenever_the_server_is_killed_what_ran_in_the_background_ends_and_is_paid_once(tmp_path):
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance, house, names = random.Random(seed), House(tmp_path), []
    for _ in range(4):
        with house.server() as server:
            names += [house.create(server, "slow", background=True)["id"] for _ in range(4)]
            time.sleep(chance.uniform(0, 1.2))
            kill(server)
    with house.server() as server:
        ended = [house.wait(server, name) for name in names]
        again = [house.get(server, name) for name in names]
    assert again == ended
    statuses = [each["status"] for each in ended]
    print({status: statuses.count(status) for status in set(statuses)})
    assert set(statuses) <= {"completed", "failed"}
    house.prove(ended)


def test_a_server_that_is_stopped_ends_what_it_told_and_leaves_the_rest_to_the_next(tmp_path):
    house = House(tmp_path)
    with house.server() as server:
        names = [house.create(server, "slow", background=True)["id"] for _ in range(20)]
    with house.server() as server:
        ended = [house.wait(server, name) for name in names]
    assert [each["status"] for each in ended].count("failed") <= 2
    house.prove(ended)


def test_files_that_were_to_be_indexed_are_after_a_kill(tmp_path):
    house, ids = House(tmp_path), []
    bearer = {"authorization": f"Bearer {house.headers['x-goog-api-key']}"}
    with house.server() as server:
        for number in range(4):
            form = {"files": {"file": (f"{number}.txt", f"This is number {number}. ".encode() * 2_000)}}
            made = server.post("/v1/files", headers=bearer, data={"purpose": "assistants"}, **form)
            ids.append(made.json()["id"])
        made = server.post("/v1/vector_stores", headers=bearer, json={"name": "s", "file_ids": ids})
        store = made.json()["id"]
        kill(server)
    with house.server() as server:
        until = time.monotonic() + 60
        while (said := server.get(f"/v1/vector_stores/{store}", headers=bearer).json())[
            "status"
        ] != "completed":
            assert time.monotonic() < until, said
            time.sleep(0.1)
        assert said["file_counts"]["completed"] == 4
        asked = {"query": "number 2", "max_num_results": 1}
        hits = server.post(f"/v1/vector_stores/{store}/search", headers=bearer, json=asked).json()["data"]
        assert [hit["filename"] for hit in hits] == ["2.txt"]
    paid = [row.request for row in rows_of(house.url, "team") if row.outcome == "finished"]
    assert len(set(paid)) == len(paid)
    assert proved(house.url).open_holds == 0
