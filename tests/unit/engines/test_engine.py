"""Supervision, with a fake engine process that dies, hangs and babbles on demand."""

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import make
from geminid.core.errors import CachesFull, InputTooLong, Internal, InvalidArgument, Unavailable
from geminid.core.events import FinishReason, fold
from geminid.core.usage import Usage
from geminid.engines.openvino import engine as module
from geminid.engines.openvino.engine import ModelEngine
from geminid.engines.openvino.messages import Load
from geminid.engines.openvino.prefix_shelf import PrefixShelf
from geminid.engines.openvino.watchdog import Patience
from geminid.engines.protocol import Prefix

FAKE = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
LOAD = Load(
    weights="",
    chat_template="",
    template_options={},
    context_tokens_max=100,
    kv_cache_gib=1,
    batch_tokens_max=1,
    sequences_max=1,
    properties={},
)


@asynccontextmanager
async def engine(*arguments: str, queue_max: int = 10, **patience):
    made = ModelEngine(
        make.card(), LOAD, queue_max=queue_max, patience=Patience(**patience), worker=(*FAKE, *arguments)
    )
    try:
        yield made
    finally:
        await made.close()


async def ask(engine: ModelEngine, text: str):
    async with engine.generate(make.request(text)) as events:
        return await fold(events)


@pytest.fixture
def once(tmp_path, monkeypatch):
    """Death and hangs happen to the first process only."""
    monkeypatch.setenv("ONCE", str(tmp_path / "happened"))


async def test_an_answer_arrives_whole_and_leaves_nothing_behind():
    async with engine() as real:
        answer = await ask(real, "3")
        assert answer.candidates[0].text == "0 1 2 "
        assert answer.usage == Usage(prompt=7, candidates=3, media={"image": 3})
        assert real.idle
        assert await real.count(make.request()) == Usage(prompt=42, media={"audio": 2})


async def test_how_long_a_request_waited_is_known_when_it_was_begun():
    async with engine() as real, real.generate(make.request("3")) as events:
        await fold(events)
        assert events.waited_ms() == 12


async def test_a_queued_request_survives_the_death_of_the_engine(once):
    async with engine() as real:
        answer = await ask(real, "die")
        assert answer.candidates[0].reason is FinishReason.STOP
        assert real.state().restarts == 1


async def test_a_producing_request_ends_in_an_error_and_the_next_succeeds(once):
    async with engine() as real:
        seen = []
        with pytest.raises(Unavailable, match="in the middle of this answer"):
            async with real.generate(make.request("die after 2")) as events:
                async for event in events:
                    seen.append(event)
        assert len(seen) >= 2
        assert (await ask(real, "1")).candidates[0].text == "0 "


async def test_a_request_that_saw_two_deaths_is_not_tried_again():
    async with engine() as real:
        with pytest.raises(Internal, match="twice"):
            await ask(real, "die")
        assert (await ask(real, "1")).candidates[0].text == "0 "


async def test_a_hung_process_is_replaced(once, monkeypatch):
    monkeypatch.setattr(module, "WATCH_EVERY_S", 0.05)
    async with engine(stalled_ms=400) as real:
        assert (await asyncio.wait_for(ask(real, "hang"), 20)).candidates[0].text == "0 "
        assert real.state().restarts == 1


async def test_a_process_that_sends_garbage_is_replaced():
    async with engine() as real:
        with pytest.raises(Internal, match="twice"):
            await ask(real, "garbage")
        assert (await ask(real, "1")).candidates[0].text == "0 "


@pytest.mark.parametrize(
    ("text", "kind"), [("refuse", InvalidArgument), ("too long", InputTooLong), ("no memory", Unavailable)]
)
async def test_refusals_reach_the_caller_as_problems(text, kind):
    async with engine() as real:
        with pytest.raises(kind):
            await ask(real, text)
        assert real.idle


async def test_weights_that_cannot_be_loaded_are_told_with_the_engines_last_words():
    async with engine("broken") as real:
        with pytest.raises(Unavailable, match="the weights are broken"):
            await real.ready()
        with pytest.raises(Unavailable, match="the weights are broken"):
            await ask(real, "1")
        assert real.state().phase == "failed"


async def test_a_full_queue_refuses_at_once_with_a_hint():
    async with engine(queue_max=1) as real:
        async with real.generate(make.request("never")):
            with pytest.raises(Unavailable) as refused:
                await ask(real, "1")
            with pytest.raises(Unavailable, match="1 requests wait"):
                await real.count(make.request())
        assert refused.value.retry_after_ms


async def test_lines_of_batches_take_nobody_elses_place_and_have_a_bound_of_their_own():
    line = make.request("never", tier="batch")
    async with engine(queue_max=2) as real:
        async with real.generate(line), real.generate(line):
            assert real.spare
            assert not real.idle
            with pytest.raises(Unavailable, match="2 requests wait"):
                async with real.generate(line):
                    pass
            async with real.generate(make.request("never")):
                assert not real.spare
                assert (await ask(real, "1")).candidates[0].text == "0 "
        async with real.generate(line):
            pass
        assert real.idle


async def test_leaving_early_cancels_in_the_process(caplog):
    caplog.set_level("INFO")
    async with engine() as real:
        await real.ready()
        async with real.generate(make.request("never")):
            assert not real.idle
        assert real.idle
        await ask(real, "1")  # later frames come after the cancellation
        for _ in range(100):
            if "cancelled" in caplog.text:
                return
            await asyncio.sleep(0.05)
    raise AssertionError(caplog.text)


async def test_a_caller_that_is_cancelled_leaves_no_trace():
    async with engine() as real:
        tasks = [asyncio.create_task(ask(real, "never")) for _ in range(5)]
        counting = asyncio.create_task(real.count(make.request()))
        await asyncio.sleep(0.1)
        for task in (*tasks, counting):
            task.cancel()
        await asyncio.gather(*tasks, counting, return_exceptions=True)
        assert real.idle
        assert (await ask(real, "1")).candidates[0].text == "0 "


async def test_closing_ends_what_still_runs():
    async with engine() as real:
        waiting = asyncio.create_task(ask(real, "never"))
        await real.ready()
        await asyncio.sleep(0.1)
    with pytest.raises(Unavailable, match="shutting down"):
        await waiting


async def test_a_request_that_failed_for_one_candidate_is_cancelled_for_the_others(caplog):
    caplog.set_level("INFO")
    async with engine() as real:
        with pytest.raises(Unavailable):
            await ask(real, "no memory")
        await ask(real, "1")
        for _ in range(100):
            if "cancelled 1" in caplog.text:
                return
            await asyncio.sleep(0.05)
    raise AssertionError(caplog.text)


async def test_a_machine_that_cannot_start_a_process_is_told_and_tried_again(monkeypatch):
    made = ModelEngine(make.card(), LOAD, queue_max=1, worker=("/no/such/interpreter",))
    try:
        with pytest.raises(Unavailable, match="no process can be started"):
            await made.ready()
        assert not made._supervisor.done()
    finally:
        await made.close()


def kept(text="words", prefix_id="p1", **fields) -> Prefix:
    return Prefix(id=prefix_id, request=make.request(text, **fields))


async def spoken(caplog, words: str, times: int = 1) -> None:
    """Wait until the process has written something so often."""
    for _ in range(200):
        if caplog.text.count(words) >= times:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(caplog.text)


async def test_a_prefix_is_kept_told_of_and_made_up_of_what_requests_begin_with(caplog):
    caplog.set_level("INFO")
    async with engine() as real:
        usage = await real.keep(kept())
        assert usage == Usage(prompt=4, media={"image": 1})
        assert await real.keep(kept()) == usage  # nobody is asked again
        assert caplog.text.count("keep p1") <= 1
        state = real.state()
        assert (state.prefixes, state.cached_tokens, state.cached_tokens_max) == (1, 4, 500)
        async with real.generate(make.request("1", prefix="p1")) as events:
            answer = await fold(events)
        assert (answer.usage.cached, answer.usage.cached_media) == (4, {"image": 1})
        assert (await real.count(make.request(prefix="p1"))).cached == 4
        real.drop("p1")
        assert real.state().prefixes == 0
        async with real.generate(make.request("1", prefix="p1")) as events:
            assert (await fold(events)).usage.cached == 0


async def test_what_was_found_of_a_prompt_is_cached_in_its_usage():
    async with engine() as real:
        answer = await ask(real, "found")
        assert answer.usage == Usage(prompt=7, cached=2, candidates=1, media={"image": 3})


async def test_a_prefix_that_does_not_fit_is_refused_with_the_figures_and_forgotten():
    async with engine() as real:
        with pytest.raises(CachesFull) as full:
            await real.keep(kept("full"))
        assert (full.value.tokens, full.value.kept, full.value.tokens_max) == (600, 40, 500)
        assert real.state().prefixes == 0
        assert real.idle


async def test_a_new_process_computes_what_is_kept_first_what_a_waiting_request_names(once, caplog):
    caplog.set_level("INFO")
    async with engine() as real:
        await real.keep(kept(prefix_id="p1"))
        await real.keep(kept(prefix_id="p2"))
        async with real.generate(make.request("die", prefix="p2")) as events:
            assert (await fold(events)).usage.cached == 4
        await spoken(caplog, "keep p1 3")
        await spoken(caplog, "keep p2", times=2)
        assert "keep p2 3" not in caplog.text
        assert real.state().prefixes == 2
        assert await real.keep(kept(prefix_id="p1")) == Usage(prompt=4, media={"image": 1})


async def test_a_prefix_that_is_being_computed_survives_the_death_of_the_engine(once):
    async with engine() as real:
        assert await real.keep(kept("die")) == Usage(prompt=4, media={"image": 1})
        assert real.state().restarts == 1


async def test_whoever_stops_waiting_for_a_prefix_leaves_nothing_behind(caplog):
    caplog.set_level("INFO")
    async with engine() as real:
        await real.ready()
        keeping = asyncio.create_task(real.keep(kept("never")))
        await spoken(caplog, "keep p1")
        assert not real.idle
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        assert real.idle
        await spoken(caplog, "drop p1")
        assert real.state().prefixes == 0


async def test_a_prefix_that_is_dropped_while_it_is_computed_is_waited_for_no_longer(caplog):
    caplog.set_level("INFO")
    async with engine() as real:
        keeping = asyncio.create_task(real.keep(kept("never")))
        await spoken(caplog, "keep p1")
        real.drop("p1")
        with pytest.raises(Unavailable, match="deleted"):
            await keeping


async def test_what_is_kept_outlives_the_engine_that_kept_it(caplog):
    caplog.set_level("INFO")
    shelf = PrefixShelf()
    made = ModelEngine(make.card(), LOAD, queue_max=10, worker=FAKE, shelf=shelf)
    await made.keep(kept())
    await made.close()
    made = ModelEngine(make.card(), LOAD, queue_max=10, worker=FAKE, shelf=shelf)
    await made.ready()
    await spoken(caplog, "keep p1 3")
    assert made.state().prefixes == 1
    await made.close()


async def test_a_model_that_cannot_be_loaded_keeps_nothing():
    async with engine("broken") as real:
        with pytest.raises(Unavailable):
            await real.keep(kept())
        with pytest.raises(Unavailable):
            await real.keep(kept())
