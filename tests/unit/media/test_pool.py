"""The pool of reader processes: what a bad file costs, and what it does not."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import psutil
import pytest

from geminid.core.errors import Unavailable
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.pool import KEPT_ENVIRON, OWN_ENVIRON, PoolConfig, ReaderPool
from geminid.media.reading import Ask

COMMAND = (sys.executable, str(Path(__file__).with_name("fake_reader.py")))
ASK = Ask(mime_type="text/plain")


@contextlib.asynccontextmanager
async def pool(time_ms_max=20_000, environ=os.environ, **config):
    config = PoolConfig(bounds=Bounds(time_ms_max=time_ms_max), **{"processes": 1, **config})
    made = ReaderPool(config, command=COMMAND, environ=environ)
    try:
        yield made
    finally:
        await made.close()


def a_file(folder: Path, name: str = "fine", text: str = "hello") -> Path:
    path = folder / name
    path.write_text(text)
    return path


async def pid(readers: ReaderPool, folder: Path) -> int:
    return int((await readers.read(a_file(folder), ASK)).text.split()[0])


async def test_a_process_is_used_again(tmp_path):
    async with pool() as readers:
        assert await pid(readers, tmp_path) == await pid(readers, tmp_path)


@pytest.mark.parametrize(("name", "words"), [("refuse", "It is no good."), ("spent", "It is too much.")])
async def test_a_refused_file_is_told_in_the_readers_words(tmp_path, name, words):
    async with pool() as readers:
        first = await pid(readers, tmp_path)
        with pytest.raises(Unreadable, match=words):
            await readers.read(a_file(tmp_path, name), ASK)
        assert (await pid(readers, tmp_path) == first) is (name == "refuse")


async def test_a_crash_costs_its_own_file_only(tmp_path):
    async with pool(processes=2) as readers:
        good = [readers.read(a_file(tmp_path, f"fine{i}"), ASK) for i in range(4)]
        bad = readers.read(a_file(tmp_path, "die"), ASK)
        *readings, died = await asyncio.gather(*good, bad, return_exceptions=True)
        assert all(reading.text.endswith("hello") for reading in readings)
        assert isinstance(died, Unreadable)


@pytest.mark.parametrize("name", ["die", "other"])
async def test_a_process_that_fails_is_told_without_its_words(tmp_path, name):
    async with pool() as readers:
        first = await pid(readers, tmp_path)
        with pytest.raises(Unreadable, match=r"^Reading the file failed: its parser crashed"):
            await readers.read(a_file(tmp_path, name), ASK)
        assert not psutil.pid_exists(first)


async def test_nobody_is_given_what_was_read_for_somebody_else(tmp_path):
    async with pool() as readers:
        assert (await readers.read(a_file(tmp_path, "twice"), ASK)).text.endswith("hello")
        await asyncio.sleep(0.1)
        with pytest.raises(Unreadable, match="failed"):
            await readers.read(a_file(tmp_path), ASK)
        assert (await readers.read(a_file(tmp_path), ASK)).text.endswith("hello")


async def test_a_process_is_not_told_the_servers_secrets(tmp_path):
    secrets = {"GEMINID_SERVER_API_KEYS": "secret", "LANG": "C.UTF-8", "AWS_SECRET_ACCESS_KEY": "secret"}
    environ = {"PYTHONPATH": ":".join(sys.path), **secrets}
    async with pool(environ=environ) as readers:
        names = set((await readers.read(a_file(tmp_path, "environ"), ASK)).text.split())
    assert "LANG" in names
    assert names <= {*OWN_ENVIRON, *KEPT_ENVIRON, "LC_CTYPE"}


async def test_a_process_that_ended_itself_in_time_is_told_as_too_long(tmp_path):
    async with pool() as readers:
        with pytest.raises(Unreadable, match="takes longer than it may"):
            await readers.read(a_file(tmp_path, "over"), ASK)


async def test_a_file_that_takes_too_long_is_refused_and_its_process_is_gone(tmp_path):
    async with pool(time_ms_max=1500) as readers:
        first = await pid(readers, tmp_path)
        with pytest.raises(Unreadable, match="takes longer than it may"):
            await readers.read(a_file(tmp_path, "hang"), ASK)
        assert not psutil.pid_exists(first)
        assert await pid(readers, tmp_path) != first


async def test_a_caller_who_leaves_frees_the_process(tmp_path):
    async with pool() as readers:
        first = await pid(readers, tmp_path)
        reading = asyncio.create_task(readers.read(a_file(tmp_path, "hang"), ASK))
        await asyncio.sleep(0.1)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert not psutil.pid_exists(first)
        assert await pid(readers, tmp_path)


async def test_too_many_waiting_files_are_refused_early(tmp_path):
    async with pool(waiting_max=1, time_ms_max=2000) as readers:
        busy = [asyncio.create_task(readers.read(a_file(tmp_path, f"hang{i}"), ASK)) for i in range(2)]
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable, match="wait to be read already"):
            await readers.read(a_file(tmp_path), ASK)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


async def test_a_process_is_replaced_after_its_share_of_files(tmp_path):
    async with pool(jobs_max=2) as readers:
        pids = [await pid(readers, tmp_path) for _ in range(4)]
        assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_an_idle_process_is_ended(tmp_path):
    async with pool(idle_ms=200) as readers:
        first = await pid(readers, tmp_path)
        for _ in range(100):
            await asyncio.sleep(0.05)
            if not psutil.pid_exists(first):
                break
        assert not psutil.pid_exists(first)
        assert await pid(readers, tmp_path)


async def test_a_closed_pool_leaves_no_process(tmp_path):
    async with pool() as readers:
        first = await pid(readers, tmp_path)
    assert not psutil.pid_exists(first)


async def test_a_probe_tells_the_duration(tmp_path):
    async with pool() as readers:
        probed = await readers.probe(a_file(tmp_path), "video/mp4")
        assert (probed.kind, probed.mime_type, probed.duration_ms) == ("video", "video/mp4", 1500)
