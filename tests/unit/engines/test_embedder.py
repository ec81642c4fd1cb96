"""Embedding outlives its processes: with a fake one that dies, hangs and babbles on demand."""

import asyncio
import os
import signal
import struct
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from geminid.core.card import EmbeddingCard
from geminid.core.embed import Embedding, EmbedInput, EmbedRequest
from geminid.core.errors import FailedPrecondition, Internal, InvalidArgument, Unavailable
from geminid.engines.openvino import embed_engine, embedder
from geminid.engines.openvino.embedder import EmbedderConfig, OpenVinoEmbedder
from geminid.engines.openvino.watchdog import Patience

FAKE = (sys.executable, str(Path(__file__).with_name("fake_embed_worker.py")))
GIB = 1024**3


def card(name="m"):
    return EmbeddingCard(name=name, title=name, dimensions=4, context_tokens_max=8)


def request(*texts, tier="standard", **options):
    inputs = tuple(EmbedInput(text=text, **options) for text in texts)
    return EmbedRequest(model="m", inputs=inputs, tier=tier)


@asynccontextmanager
async def embedding(folder, *arguments, memory_bytes_max=GIB, queue_max=10, here=True, **patience):
    config = EmbedderConfig(
        memory_bytes_max=memory_bytes_max, threads=1, queue_max=queue_max, patience=Patience(**patience)
    )
    made = OpenVinoEmbedder(config, lambda card: folder if here else None, worker=(*FAKE, *arguments))
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def once(tmp_path, monkeypatch):
    """Death and hangs happen to the first process only."""
    monkeypatch.setenv("ONCE", str(tmp_path / "happened"))


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """What arrived in processes, in order."""
    path = tmp_path / "seen"
    path.touch()
    monkeypatch.setenv("SEEN", str(path))
    return lambda: [line.split() for line in path.read_text().splitlines()]


async def until(true):
    while not true():
        await asyncio.sleep(0.01)


async def test_vectors_come_in_the_order_of_the_texts(tmp_path):
    async with embedding(tmp_path) as real:
        found = await real.embed(card(), request("abc", "a cut one"))
        assert found == (
            Embedding(struct.pack("<4f", 3, 0, 0, 0), 3),
            Embedding(struct.pack("<4f", 9, 0, 0, 0), 9, truncated=True),
        )
        assert await real.count(card(), request("abc", "de")) == 5
        assert [(state.model, state.phase) for state in real.states()] == [("m", "ready")]
        assert await real.embed(card(), request()) == ()


async def test_fewer_dimensions_are_asked_of_the_process_and_more_refused(tmp_path):
    async with embedding(tmp_path) as real:
        (found,) = await real.embed(card(), request("abc", dimensions=2))
        assert found.values == struct.pack("<2f", 3, 0)
        for wrong in (5, 0, -1):
            with pytest.raises(InvalidArgument, match=r"vectors of 4 numbers, so there are none of"):
                await real.embed(card(), request("abc", dimensions=wrong))


async def test_half_a_character_is_refused(tmp_path):
    async with embedding(tmp_path) as real:
        with pytest.raises(InvalidArgument, match="half a character"):
            await real.embed(card(), request("\ud800"))


async def test_requests_that_a_dying_process_had_are_answered_by_the_next(tmp_path, once):
    async with embedding(tmp_path) as real:
        found = await asyncio.gather(
            real.embed(card(), request("abc")),
            real.embed(card(), request("die")),
            real.embed(card(), request("never mind")),
            real.count(card(), request("abcd")),
        )
        assert [len(each) for each in found[:3]] == [1, 1, 1]
        assert found[3] == 4
        (state,) = real.states()
        assert (state.restarts, state.phase) == (1, "ready")


async def test_a_kill_from_outside_costs_nobody_an_answer(tmp_path):
    async with embedding(tmp_path) as real:
        await real.ready(card())
        waiting = asyncio.gather(*(real.embed(card(), request("abc")) for _ in range(10)))
        os.kill(real.states()[0].pid, signal.SIGKILL)
        assert len(await waiting) == 10


async def test_a_request_that_two_processes_died_of_is_refused_and_the_next_is_answered(tmp_path):
    async with embedding(tmp_path) as real:
        with pytest.raises(Internal, match="stopped twice"):
            await real.embed(card(), request("die"))
        assert len(await real.embed(card(), request("abc"))) == 1
        assert real.states()[0].restarts == 2


async def test_a_hung_process_is_replaced(tmp_path, once, monkeypatch):
    monkeypatch.setattr(embed_engine, "WATCH_EVERY_S", 0.05)
    async with embedding(tmp_path, stalled_ms=300) as real:
        assert len(await real.embed(card(), request("hang"))) == 1


async def test_a_process_that_babbles_is_replaced(tmp_path):
    async with embedding(tmp_path) as real:
        with pytest.raises(Internal, match="stopped twice"):
            await real.embed(card(), request("garbage"))


async def test_a_text_that_cannot_be_read_costs_its_request_only(tmp_path):
    async with embedding(tmp_path) as real:
        with pytest.raises(Internal, match="cannot be read"):
            await real.embed(card(), request("fail"))
        assert len(await real.embed(card(), request("abc"))) == 1
        assert real.states()[0].restarts == 0


@pytest.mark.parametrize(("argument", "why"), [("broken", "no such weights"), ("wide", "killed by SIGKILL")])
async def test_a_model_that_cannot_be_loaded_says_why(tmp_path, argument, why):
    async with embedding(tmp_path, argument) as real:
        with pytest.raises(Unavailable, match=f"The model m cannot be loaded.*{why}"):
            await real.embed(card(), request("abc"))
        with pytest.raises(Unavailable, match="cannot be loaded"):
            await real.ready(card())
        assert real.states()[0].phase == "failed"


async def test_a_full_queue_refuses_and_keeps_half_for_those_who_wait(tmp_path):
    async with embedding(tmp_path, queue_max=4) as real:
        waiting = [asyncio.create_task(real.embed(card(), request("never"))) for _ in range(2)]
        await until(lambda: real.states() and real.states()[0].producing == 2)
        with pytest.raises(Unavailable, match="2 requests wait"):
            await real.embed(card(), request("abc", tier="batch"))
        waiting += [asyncio.create_task(real.embed(card(), request("never"))) for _ in range(2)]
        await until(lambda: real.states()[0].producing == 4)
        with pytest.raises(Unavailable, match="4 requests wait"):
            await real.embed(card(), request("abc"))
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert len(await real.embed(card(), request("abc"))) == 1


async def test_who_leaves_is_told_to_the_process(tmp_path, seen):
    async with embedding(tmp_path) as real:
        leaver = asyncio.create_task(real.embed(card(), request("never")))
        await until(lambda: ["Embed", "1"] in seen())
        leaver.cancel()
        await until(lambda: ["Cancel"] in seen())
        assert real.states()[0].producing == 0


async def test_batches_are_less_urgent(tmp_path, seen):
    async with embedding(tmp_path) as real:
        for tier in ("standard", "batch", "priority"):
            await real.embed(card(), request("abc", tier=tier))
        urgencies = [int(line[1]) for line in seen() if line[0] == "Embed"]
        assert urgencies[2] < urgencies[0] < urgencies[1]


async def test_closing_ends_what_runs(tmp_path):
    async with embedding(tmp_path) as real:
        waiting = asyncio.create_task(real.embed(card(), request("never")))
        await until(lambda: real.states() and real.states()[0].producing == 1)
        await real.close()
        with pytest.raises(Unavailable, match="shutting down"):
            await waiting


async def test_weights_that_are_not_here_are_told_with_what_to_do(tmp_path):
    async with embedding(tmp_path, here=False) as real:
        with pytest.raises(FailedPrecondition, match="geminid pull m"):
            await real.embed(card(), request("abc"))


async def test_the_model_that_has_rested_longest_makes_room(tmp_path):
    room = 2 * embedder.PROCESS_BYTES
    async with embedding(tmp_path, memory_bytes_max=room) as real:
        for name in ("a", "b", "a", "c"):
            await real.embed(card(name), request("abc"))
        assert [state.model for state in real.states()] == ["a", "c"]


async def test_a_model_that_is_embedding_is_never_taken_away(tmp_path):
    async with embedding(tmp_path, memory_bytes_max=embedder.PROCESS_BYTES) as real:
        waiting = asyncio.create_task(real.embed(card("a"), request("never")))
        await until(lambda: real.states() and real.states()[0].producing == 1)
        with pytest.raises(Unavailable, match="No memory for b"):
            await real.embed(card("b"), request("abc"))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len(await real.embed(card("b"), request("abc"))) == 1
