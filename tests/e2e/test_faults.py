"""Killed engines, hung engines, vanishing clients: promises 12, 15 and 16."""

import asyncio
import contextlib
import json
import os
import random
import signal
import time

import httpx
import psutil
import pytest

from serving import serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STREAM = "/v1beta/models/gemini-3.1-flash-lite:streamGenerateContent?alt=sse"
SMALL = {
    "GEMINID_ENGINE_KV_CACHE_GIB": "1",
    "GEMINID_ENGINE_STALLED_MS": "4000",
    "GEMINID_LOG_ACCESS": "false",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of its own: these tests hurt it."""
    with serving(tmp_path_factory.mktemp("faults"), "--pull", environ=SMALL) as started:
        started.wait_ready()
        yield started


def body(text, tokens):
    return {"contents": [{"parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": tokens}}


async def outcome(client, url, text, tokens=60):
    """Read a stream to its end and say how it ended."""
    last = None
    async with client.stream("POST", url + STREAM, json=body(text, tokens)) as reply:
        async for line in reply.aiter_lines():
            if line:
                last = json.loads(line.removeprefix("data: "))
    if "error" in last:
        return f"error {last['error']['code']}"
    return last["candidates"][0].get("finishReason", "cut")


async def alive(client, url, until):
    """Ask for /healthz until told to stop; return the slowest answer in seconds."""
    slowest = 0.0
    while not until.is_set():
        began = time.monotonic()
        assert (await client.get(f"{url}/healthz")).status_code == 200
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.05)
    return slowest


async def hurt(server, signal_number):
    """16 streams; hurt the engine in the middle; return the outcomes, the slowest /healthz, the pause."""
    async with httpx.AsyncClient(timeout=120) as client:
        pid, done = server.engine()["pid"], asyncio.Event()
        watching = asyncio.create_task(alive(client, server.url, done))
        streams = [
            asyncio.create_task(outcome(client, server.url, f"Write a long story about {n} ships."))
            for n in range(16)
        ]
        await asyncio.sleep(2)
        os.kill(pid, signal_number)
        began = time.monotonic()
        after = await outcome(client, server.url, "Say hello.", 5)
        pause_s = time.monotonic() - began
        outcomes = await asyncio.gather(*streams)
        done.set()
        assert after in ("STOP", "MAX_TOKENS")
        return outcomes, await watching, pause_s


@pytest.mark.parametrize(
    "signal_number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP], ids=lambda s: s.name
)
async def test_a_lost_engine_costs_the_producing_streams_only(server, signal_number):
    before = server.engine()["restarts"]
    outcomes, slowest_s, pause_s = await hurt(server, signal_number)
    assert set(outcomes) <= {"STOP", "MAX_TOKENS", "error 503"}
    assert server.engine()["restarts"] == before + 1
    assert slowest_s < 5
    assert pause_s < 60  # a noisy machine; the bench has the figure


async def quiet(server):
    """Wait until the engine has not stepped for a second, and return its state."""
    before = None
    for _ in range(30):
        now = server.engine()
        if before is not None and now["steps"] == before["steps"]:
            return now
        before = now
        await asyncio.sleep(1)
    raise AssertionError(f"the engine computes for nobody: {now}")


async def vanish(client, server, chance):
    """One client that leaves at a random moment: before the answer, in it, or after it."""
    patience_s = chance.choice([0.0, 0.02, 0.1, 0.4]) * chance.random()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(outcome(client, server.url, f"Tell me about {chance.random()}", 8), patience_s)


async def test_clients_that_vanish_leave_nothing_behind(server):
    """64 at a time, 1,000 times: the engine ends idle, its process is the same, memory stays flat."""
    chance = random.Random(20261122)
    state, worker = server.engine(), psutil.Process(server.engine()["pid"])
    limit = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=120, limits=limit) as client:
        sizes = []
        for _ in range(16):
            await asyncio.gather(*(vanish(client, server, chance) for _ in range(64)))
            sizes.append(psutil.Process(server.process.pid).memory_info().rss)
    now = await quiet(server)
    assert (now["waiting"], now["producing"], now["restarts"]) == (0, 0, state["restarts"])
    assert worker.is_running()
    assert sizes[-1] < sizes[3] * 1.05, sizes


async def test_a_server_that_is_killed_takes_its_engine_along(tmp_path):
    with serving(tmp_path, "--pull", environ=SMALL) as started:
        started.wait_ready()
        worker = psutil.Process(started.engine()["pid"])
        os.kill(started.process.pid, signal.SIGKILL)
        psutil.wait_procs([worker], timeout=5)
        assert not worker.is_running()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
async def test_a_server_that_is_told_to_stop_lets_answers_finish_and_stops_its_engine(
    tmp_path, signal_number
):
    with serving(tmp_path, "--pull", environ=SMALL) as started:
        started.wait_ready()
        worker = psutil.Process(started.engine()["pid"])
        async with httpx.AsyncClient(timeout=60) as client:
            running = asyncio.create_task(
                outcome(client, started.url, "Write a long story about the sea.", 20)
            )
            await asyncio.sleep(0.5)
            started.process.send_signal(signal_number)
            assert await running == "MAX_TOKENS"
        assert started.process.wait(20) == 0
        assert not worker.is_running()
