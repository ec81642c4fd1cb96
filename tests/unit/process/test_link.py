"""The server's end of the link: a child may do what it likes, and costs nobody anything but itself."""

import asyncio
import contextlib
import logging
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from geminid.process.link import LINE_CHARACTERS_MAX, Link


class Said(msgspec.Struct):
    text: str


decode = msgspec.msgpack.Decoder(Said).decode
TALKER = str(Path(__file__).with_name("talker.py"))


@contextlib.asynccontextmanager
async def talking(*orders: str, **options):
    heard: asyncio.Queue[str] = asyncio.Queue()
    link = await Link.start(
        lambda said: heard.put_nowait(said.text),
        (sys.executable, TALKER, *orders),
        decode,
        name="talker",
        **options,
    )
    try:
        yield link, heard
    finally:
        link.kill()
        await link.closed.wait()


async def test_what_is_said_is_heard_in_order():
    async with talking("echo") as (link, heard):
        for number in range(100):
            link.send(Said(str(number)))
        assert [await heard.get() for _ in range(100)] == [str(number) for number in range(100)]
        await link.close()
        assert link.death() == "exited with status 0"
        link.send(Said("into the void"))


@pytest.mark.parametrize(("name", "number"), [("SIGSEGV", 11), ("SIGALRM", 14)])
async def test_how_a_process_died_is_told(name, number):
    async with talking(f"die:{name}") as (link, _):
        await link.closed.wait()
        assert (link.killed_by, link.death()) == (number, f"killed by {name}")


async def test_a_process_that_will_not_leave_is_killed():
    async with talking("say:here", "sleep") as (link, heard):
        assert await heard.get() == "here"
        assert link.killed_by is None
        await link.close(grace_s=0.1)
        assert link.death() == "killed by SIGKILL"


@pytest.mark.parametrize("order", ["huge", "garbage"])
async def test_a_process_that_sends_nonsense_is_ended(order, caplog):
    async with talking(order, "sleep") as (link, _):
        await asyncio.wait_for(link.closed.wait(), 10)
        assert "sent something unreadable" in caplog.text


async def test_what_it_started_ends_with_it():
    async with talking("child", "sleep") as (link, heard):
        child = psutil.Process(int(await heard.get()))
        link.kill()
        await link.closed.wait()
        with contextlib.suppress(psutil.NoSuchProcess):
            assert child.wait(5) is None
        assert not child.is_running()


async def test_a_line_without_end_stops_nothing():
    async with talking("cry:x", "say:still here", "sleep", "3000000") as (_, heard):
        assert await asyncio.wait_for(heard.get(), 10) == "still here"


async def test_what_it_writes_cannot_command_a_terminal(caplog):
    caplog.set_level(logging.INFO)
    async with talking("cry:\x1b[2J\x07\u202e", "say:done", "sleep", "2000") as (link, heard):
        await heard.get()
        while not link.last_words():
            await asyncio.sleep(0.01)
        assert not {"\x1b", "\x07", "\u202e"} & set(link.last_words() + caplog.text)
        assert len(link.last_words()) == LINE_CHARACTERS_MAX


async def test_a_child_is_told_only_the_environment_that_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("A_KEY", "secret")
    given = {"PYTHONPATH": ":".join(sys.path)}
    async with talking("environ:A_KEY", "folder", environ=given, folder=tmp_path) as (_, heard):
        assert [await heard.get(), await heard.get()] == ["-", str(tmp_path)]
    async with talking("environ:A_KEY") as (_, heard):
        assert await heard.get() == "secret"


async def test_a_command_that_is_not_there_is_told():
    with pytest.raises(OSError, match="nothing"):
        await Link.start(print, ("/nothing/here",), decode)
