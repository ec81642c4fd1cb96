"""Sound in the pool of reader processes: events as they come, and what leaving or a crash costs."""

import asyncio
import contextlib
import sys
from pathlib import Path

import pytest

from geminid.core.speech import Listen, Listening, Segment, Understood
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.pool import PoolConfig, ReaderPool

COMMAND = (sys.executable, str(Path(__file__).with_name("fake_listener.py")))
WAV, LISTEN = "audio/wav", Listen()


@contextlib.asynccontextmanager
async def pool(time_ms_max=20_000):
    config = PoolConfig(bounds=Bounds(time_ms_max=time_ms_max), processes=1)
    made = ReaderPool(config, command=COMMAND)
    try:
        yield made
    finally:
        await made.close()


async def heard(readers, name):
    async with readers.hearing(Path("/x") / name, WAV, LISTEN) as events:
        return [event async for event in events]


async def pid(readers):
    """The process that would read next."""
    return (await readers.probe(Path("/x/y"), WAV)).mime_type


async def test_events_come_in_their_order_and_the_process_is_used_again():
    async with pool() as readers:
        listening, segment, understood = await heard(readers, "fine")
        assert (listening, understood) == (Listening(1_000), Understood("en", WAV))
        assert isinstance(segment, Segment)
        assert segment.text.strip() == await pid(readers)
        assert (await heard(readers, "fine"))[1] == segment


@pytest.mark.parametrize(
    ("name", "words", "again"),
    [
        ("refuse", "It is no good", True),
        ("late", "ends in noise", False),
        ("die", "its parser crashed", False),
        ("other", "its parser crashed", False),
    ],
)
async def test_what_goes_wrong_is_told_in_words_and_costs_nobody_else(name, words, again):
    async with pool() as readers:
        before = await pid(readers)
        with pytest.raises(Unreadable, match=words):
            await heard(readers, name)
        assert (await pid(readers) == before) is again


async def test_whoever_leaves_early_ends_the_process_that_listened():
    async with pool() as readers:
        before = await pid(readers)
        async with readers.hearing(Path("/x/hang"), WAV, LISTEN) as events:
            assert isinstance(await anext(events), Listening)
        assert await pid(readers) != before


async def test_who_is_cancelled_frees_the_process_for_the_next():
    async with pool() as readers:
        hanging = asyncio.create_task(heard(readers, "hang"))
        await asyncio.sleep(0.3)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        assert len(await heard(readers, "fine")) == 3


async def test_a_sound_that_takes_too_long_is_refused():
    async with pool(time_ms_max=1_500) as readers:
        with pytest.raises(Unreadable, match="takes longer than it may"):
            await heard(readers, "hang")
