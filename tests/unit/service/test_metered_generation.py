"""Answers with a meter behind them: when they are paid, and for how much, wherever they end."""

import asyncio
from contextlib import asynccontextmanager

import pytest

import make
from geminid.catalog.served import Served
from geminid.core.errors import DeadlineExceeded, OutOfCredits, Problem, Unavailable
from geminid.core.events import Finished, FinishReason, PrefixFound, Started, TextDelta, fold
from geminid.core.usage import Usage
from geminid.engines.protocol import Events
from geminid.engines.scripted import Rule, ScriptedEngine
from geminid.service.generate import Generator
from geminid.service.resolve import Resolved
from geminid.store import usage
from money import house

CARD = make.card("tiny", engine="scripted")
RULES = [
    Rule(match="^sixty", text=" w", repeat=60),
    Rule(match="^slow", text="w ", repeat=60, token_ms=50),
    Rule(match="^break", text="a b c", fail="UNAVAILABLE", fail_after_tokens=2),
    Rule(match="^empty", text=""),
]
CREDIT = 10**9


class NoMedia:
    """Requests as they are."""

    async def resolve(self, request, card, project):
        return Resolved(request=request)


@pytest.fixture
async def home(tmp_path):
    async with house(f"sqlite:///{tmp_path / 'geminid.db'}") as opened:
        opened.caller = await opened.project(credit_nano=CREDIT)
        yield opened


def generator(home, engine=None):
    return Generator(
        Served((CARD,), {}),
        {"scripted": engine or ScriptedEngine(RULES)},
        lambda record: None,
        resolver=NoMedia(),
        meter=home.meter,
    )


async def row(home):
    (found,) = await home.rows()
    return found


async def test_an_answer_is_paid_before_its_end_is_told(home):
    async with generator(home).generate(make.request("sixty"), home.caller) as generation:
        async for event in generation.events:
            paid = (await home.balance()).posted_nano != CREDIT
            assert paid == isinstance(event, Finished)
    found = await row(home)
    assert (found.usage, found.outcome) == (Usage(prompt=1, candidates=60), "finished")
    assert generation.charge.cost_nano == found.cost_nano == 1_000 + 60 * 2_000
    assert found.accepted_ms is not None is not found.first_token_ms


async def test_who_leaves_after_so_many_words_pays_for_so_many(home):
    answers, left = generator(home), CREDIT
    for words in range(61):
        with pytest.raises(asyncio.CancelledError):
            async with answers.generate(make.request("sixty"), home.caller) as generation:
                read = 0
                async for event in generation.events:
                    read += isinstance(event, TextDelta)
                    if read == words:
                        raise asyncio.CancelledError
        found = await home.database.read(lambda c: usage.find(c, "p", generation.id))
        assert (found.usage, found.outcome) == (Usage(prompt=1, candidates=words), "cancelled")
        assert found.cost_nano == 1_000 + words * 2_000
        left -= found.cost_nano
        assert (await home.balance()).posted_nano == left
    assert (await home.verified()).open_holds == 0


async def test_what_was_produced_and_not_read_is_paid_as_well(home):
    class Ahead:
        @asynccontextmanager
        async def generate(self, card, request):
            async def events():
                yield Started(Usage(prompt=1))
                yield TextDelta("a", 1)
                yield TextDelta("b", 1)

            yield Events(events(), lambda: Usage(candidates=9, thoughts=4))

    with pytest.raises(asyncio.CancelledError):
        async with generator(home, Ahead()).generate(make.request(), home.caller) as generation:
            async for _ in generation.events:
                raise asyncio.CancelledError
    found = await row(home)
    assert found.usage == Usage(prompt=1, candidates=9, thoughts=4)
    assert found.cost_nano == 1_000 + 13 * 2_000


@pytest.mark.parametrize("read", [0, 1, 2])
async def test_what_was_found_of_the_prompt_is_a_discount_also_when_nobody_reads_of_it(home, read):
    class Found:
        @asynccontextmanager
        async def generate(self, card, request):
            async def events():
                yield Started(Usage(prompt=10))
                yield PrefixFound(4)
                yield TextDelta("a", 1)
                yield TextDelta("b", 1)

            yield Events(events(), lambda: Usage(candidates=2, cached=4))

    with pytest.raises(asyncio.CancelledError):
        async with generator(home, Found()).generate(make.request(), home.caller) as generation:
            for _ in range(read):
                await anext(generation.events)
            raise asyncio.CancelledError
    found = await row(home)
    assert found.usage == Usage(prompt=10 if read else 0, cached=4 if read else 0, candidates=2)


@pytest.mark.parametrize(("text", "outcome"), [("break", "UNAVAILABLE"), ("empty", "empty")])
async def test_what_fails_or_is_empty_costs_nothing(home, text, outcome):
    try:
        async with generator(home).generate(make.request(text), home.caller) as generation:
            await fold(generation.events)
    except Unavailable:
        pass
    found = await row(home)
    assert (found.outcome, found.cost_nano) == (outcome, 0)
    assert (await home.balance()).posted_nano == CREDIT


@pytest.mark.parametrize(("own", "outcome"), [(True, "cancelled"), (False, "DEADLINE_EXCEEDED")])
async def test_a_deadline_of_the_callers_is_paid_up_to_it_and_one_of_ours_is_not(home, own, outcome):
    with pytest.raises(DeadlineExceeded):
        async with generator(home).generate(
            make.request("slow"), home.caller, deadline_ms=130, own_deadline=own
        ) as generation:
            await fold(generation.events)
    found = await row(home)
    assert found.outcome == outcome
    assert (found.cost_nano > 0) == own
    assert found.usage.candidates >= 1


async def test_an_engine_is_left_when_the_meter_refuses(home):
    poor = await home.project("poor", credit_nano=1)
    engine = ScriptedEngine(RULES)
    with pytest.raises(OutOfCredits):
        async with generator(home, engine).generate(make.request("sixty"), poor):
            pass
    assert engine.states()[0].producing == 0
    assert await home.rows("poor") == ()


async def test_an_answer_that_cannot_be_settled_is_not_given(home):
    real = home.hot.do

    def do(act):
        if type(act).__name__ == "Admit":
            return real(act)
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(Unavailable("no disk"))
        return failed

    home.hot.do = do
    seen = []
    with pytest.raises(Problem, match="no disk"):
        async with generator(home).generate(make.request("sixty"), home.caller) as generation:
            seen.extend([event async for event in generation.events])
    assert not any(isinstance(event, Finished) for event in seen)
    home.hot.do = real
    for _ in range(200):
        if not (await home.balance()).holds:
            break
        await asyncio.sleep(0.01)
    assert (await row(home)).outcome == "UNAVAILABLE"
    assert (await home.balance()).posted_nano == CREDIT


async def test_counting_tells_a_bound_and_is_free(home):
    counted = await generator(home).count(make.request("a b c", tokens_max=10), home.caller)
    assert counted == (Usage(prompt=3), 3 * 1_000 + 1 + 10 * 2_000 + 1)
    assert await home.rows() == ()


async def test_the_bound_holds_the_reason_for_every_end(home):
    request = make.request("sixty", tokens_max=7)
    async with generator(home).generate(request, home.caller) as generation:
        answer = await fold(generation.events)
    assert answer.candidates[0].reason is FinishReason.MAX_TOKENS
    found = await row(home)
    assert found.bound_nano - 1 == found.cost_nano == 1_000 + 7 * 2_000


async def test_a_whole_answer_is_made_while_the_meter_decides_and_takes_one_commit(home):
    commits = home.hot.commits
    async with generator(home).generate(make.request("sixty"), home.caller, whole=True) as generation:
        await fold(generation.events)
    assert home.hot.commits - commits <= 2
    found = await row(home)
    assert generation.charge.cost_nano == found.cost_nano == 1_000 + 60 * 2_000
    assert (await home.balance()).seq == 3
    assert (await home.verified()).open_holds == 0


@pytest.mark.parametrize("text", ["sixty", "slow", "empty", "break"])
async def test_a_whole_answer_that_the_meter_refuses_is_not_given(home, text):
    poor = await home.project("poor", credit_nano=1)
    engine = ScriptedEngine(RULES)
    seen = []
    with pytest.raises((OutOfCredits, Unavailable)) as raised:
        async with generator(home, engine).generate(make.request(text), poor, whole=True) as generation:
            seen.extend([event async for event in generation.events])
    assert text == "break" or raised.type is OutOfCredits
    assert not any(isinstance(event, Finished) for event in seen)
    assert engine.states()[0].producing == 0
    assert await home.rows("poor") == ()
    assert (await home.balance("poor")).seq == 1
    assert (await home.verified()).open_holds == 0


async def test_who_leaves_before_the_meter_has_decided_is_settled_nevertheless(home):
    with pytest.raises(asyncio.CancelledError):
        async with generator(home).generate(make.request("sixty"), home.caller, whole=True) as generation:
            async for _ in generation.events:
                raise asyncio.CancelledError
    found = await row(home)
    assert (found.outcome, found.cost_nano) == ("cancelled", 1_000)
    assert (await home.verified()).open_holds == 0
