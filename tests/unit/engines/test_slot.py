import asyncio

import pytest

import make
from geminid.core.errors import Unavailable
from geminid.core.events import (
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    TokenLogprob,
    fold,
)
from geminid.core.usage import Usage
from geminid.engines.slot import Slot

STARTED = Started(Usage(prompt=3))


def slot(**fields) -> Slot:
    made = Slot(make.request(**fields))
    made.accept(STARTED)
    return made


async def everything(slot: Slot) -> list:
    return [event async for event in slot.events()]


async def test_text_is_merged_while_the_reader_lags():
    lagging = slot()
    for letter in "abc":
        lagging.put(letter, 1, logprobs=(TokenLogprob(letter, 1, -1.0),))
    lagging.put("", 0, reason=FinishReason.STOP)
    _, delta, finished = await everything(lagging)
    assert (delta.text, delta.tokens, len(delta.logprobs)) == ("abc", 3, 3)
    assert finished == Finished(FinishReason.STOP)


async def test_memory_is_bounded_by_the_answer_and_not_by_the_number_of_steps():
    lagging = slot()
    for _ in range(10_000):
        lagging.put("x", 1)
    assert len(lagging._pending) == 1


async def test_a_reader_that_keeps_up_gets_each_step():
    quick, seen = slot(), []

    async def read():
        async for event in quick.events():
            seen.append(event)

    reading = asyncio.create_task(read())
    for letter in "ab":
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        quick.put(letter, 1)
    await asyncio.sleep(0)
    quick.put("", 0, reason=FinishReason.STOP)
    await reading
    assert seen == [STARTED, TextDelta("a", 1), TextDelta("b", 1), Finished(FinishReason.STOP)]


async def test_what_was_produced_before_a_problem_is_delivered_first():
    failing, seen = slot(), []
    failing.put("half", 1)
    failing.fail(Unavailable("gone"))
    with pytest.raises(Unavailable):
        async for event in failing.events():
            seen.append(event)
    assert seen == [STARTED, TextDelta("half", 1)]


async def test_a_slot_has_one_outcome_whatever_comes_later():
    done = slot()
    done.put("a", 1, reason=FinishReason.STOP)
    done.fail(Unavailable("too late"))
    done.put("b", 1)
    answer = await fold(done.events())
    assert answer.candidates[0].text == "a"


async def test_each_candidate_ends_by_itself():
    two = slot(candidates=2)
    two.put("a", 1, 1, reason=FinishReason.STOP)
    assert not two.ended
    two.put("b", 1, 0, reason=FinishReason.MAX_TOKENS)
    assert two.ended
    assert [c.text for c in (await fold(two.events())).candidates] == ["b", "a"]


async def test_a_problem_before_acceptance_is_raised_to_whoever_waits_for_it():
    refused = Slot(make.request())
    refused.fail(Unavailable("no"))
    with pytest.raises(Unavailable):
        await refused.accepted


async def test_what_was_found_of_the_prompt_is_told_once_and_before_anything_that_was_produced():
    found = slot()
    found.find(PrefixFound(32, {"image": 5}))
    found.put("a", 1)
    found.find(PrefixFound(64))  # by a process that came after the first token: too late
    found.put("", 0, reason=FinishReason.STOP)
    events = await everything(found)
    assert events[:2] == [STARTED, PrefixFound(32, {"image": 5})]
    assert sum(isinstance(event, PrefixFound) for event in events) == 1
    assert found.made == Usage(candidates=1, cached=32, cached_media={"image": 5})


async def test_a_prompt_of_which_nothing_was_found_tells_nothing_of_it():
    nothing = slot()
    nothing.put("a", 1, reason=FinishReason.STOP)
    assert not any(isinstance(event, PrefixFound) for event in await everything(nothing))
