"""The library: one reading for the same bytes and question, and no more disk than was allowed."""

import asyncio

import pytest

from geminid.media.bounds import Bounds
from geminid.media.library import Library, Maker
from geminid.media.reading import Ask, Passage, Reading

ASK = Ask(mime_type="image/png")


def reading(text: str) -> Reading:
    return Reading(kind="image", mime_type="image/png", parts=(Passage(text, "image"),))


class Counting:
    """A reader that counts how often it was asked; it answers when it is let."""

    def __init__(self, text: str = "x") -> None:
        self.calls, self.text, self.gate, self.cancelled = 0, text, asyncio.Event(), False
        self.gate.set()

    async def __call__(self) -> Reading:
        self.calls += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return reading(self.text)


def library(folder, bytes_max=1_000_000, bounds=None):
    return Library(folder, bytes_max, lambda: Maker(bounds or Bounds(), "tiny"))


async def test_a_file_is_read_once_even_by_the_next_server(tmp_path):
    reader = Counting()
    assert (await library(tmp_path).read("a", ASK, reader)).text == "x"
    assert (await library(tmp_path).read("a", ASK, reader)).text == "x"
    assert reader.calls == 1


@pytest.mark.parametrize(
    ("sha256", "ask", "bounds"),
    [
        ("b", ASK, Bounds()),
        ("a", Ask(mime_type="image/png", eyes=True), Bounds()),
        ("a", ASK, Bounds(pages_max=1)),
    ],
)
async def test_another_file_question_or_bound_is_read_anew(tmp_path, sha256, ask, bounds):
    reader = Counting()
    await library(tmp_path).read("a", ASK, reader)
    await library(tmp_path, bounds=bounds).read(sha256, ask, reader)
    assert reader.calls == 2


async def test_callers_at_the_same_time_share_one_reading(tmp_path):
    reader, shelf = Counting(), library(tmp_path, 0)
    reader.gate.clear()
    asked = [asyncio.create_task(shelf.read("a", ASK, reader)) for _ in range(5)]
    await asyncio.sleep(0.01)
    reader.gate.set()
    assert [each.text for each in await asyncio.gather(*asked)] == ["x"] * 5
    assert reader.calls == 1


async def test_a_reading_goes_on_while_anyone_waits_and_ends_when_nobody_does(tmp_path):
    reader, shelf = Counting(), library(tmp_path, 0)
    reader.gate.clear()
    one, other = (asyncio.create_task(shelf.read("a", ASK, reader)) for _ in range(2))
    await asyncio.sleep(0.01)
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    assert not reader.cancelled
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert reader.cancelled


async def test_a_failure_is_not_remembered(tmp_path):
    shelf, reader = library(tmp_path), Counting()

    async def fail() -> Reading:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await shelf.read("a", ASK, fail)
    assert (await shelf.read("a", ASK, reader)).text == "x"


async def test_a_full_library_forgets_what_was_not_asked_for_longest(tmp_path):
    shelf = library(tmp_path, 50_000)
    for number in range(20):
        await shelf.read(str(number), ASK, Counting("y" * 10_000))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 50_000
    last = Counting()
    await shelf.read("19", ASK, last)
    assert last.calls == 0


async def test_a_damaged_reading_is_read_anew(tmp_path):
    await library(tmp_path).read("a", ASK, Counting())
    for path in tmp_path.iterdir():
        path.write_bytes(b"\xff")
    reader = Counting("again")
    assert (await library(tmp_path).read("a", ASK, reader)).text == "again"


async def test_a_disk_without_room_costs_no_answer(tmp_path, monkeypatch):
    shelf = library(tmp_path)
    monkeypatch.setattr("pathlib.Path.write_bytes", no_room)
    assert (await shelf.read("a", ASK, Counting())).text == "x"
    assert list(tmp_path.iterdir()) == []


def no_room(*args):
    raise OSError(28, "No space left on device")
