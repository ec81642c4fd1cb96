import asyncio
from contextlib import asynccontextmanager

import pytest

import make
from geminid.catalog.served import Served
from geminid.core.errors import DeadlineExceeded, InputTooLong, Unavailable, UnknownModel
from geminid.core.events import Finished, FinishReason, Started, TextDelta, fold
from geminid.core.usage import Usage
from geminid.engines.scripted import Rule, ScriptedEngine
from geminid.service.generate import Generator
from unit_fakes import NoMedia

CARD = make.card("tiny", engine="scripted")


class Ticking:
    """A clock that advances by one second at each look."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def generator(engine=None, **fields):
    records = []
    made = Generator(
        Served((CARD,), ("alias",)),
        {"scripted": engine or ScriptedEngine()},
        records.append,
        resolver=NoMedia(),
        clock=Ticking(),
        **fields,
    )
    return made, records


async def test_an_alias_answers_with_the_card_behind_it_and_a_given_id():
    made, records = generator(new_id=lambda: "id-1")
    async with made.generate(make.request("a b", model="alias")) as generation:
        answer = await fold(generation.events)
    assert (generation.card.name, generation.id, answer.candidates[0].text) == ("tiny", "id-1", "a b")
    (record,) = records
    assert (record.asked, record.outcome, record.usage) == (
        "alias",
        "finished",
        Usage(prompt=2, candidates=2),
    )
    assert (record.first_token_s, record.gap_sum_s, record.gap_tokens, record.took_s) == (3, 1, 1, 6)


async def test_unknown_models_are_not_observed():
    made, records = generator()
    with pytest.raises(UnknownModel):
        async with made.generate(make.request(model="nope")):
            pass
    with pytest.raises(UnknownModel):
        await made.count(make.request(model="nope"))
    assert records == []


async def test_every_admitted_request_is_observed_once_with_its_outcome():
    made, records = generator(ScriptedEngine([Rule(match="^fail", fail="UNAVAILABLE")]))
    with pytest.raises(Unavailable):
        async with made.generate(make.request("fail")):
            pass
    async with made.generate(make.request("left early")) as generation:
        async for _ in generation.events:
            break
    with pytest.raises(RuntimeError):
        async with made.generate(make.request("bug")):
            raise RuntimeError
    assert [record.outcome for record in records] == ["UNAVAILABLE", "cancelled", "INTERNAL"]


async def test_a_deadline_ends_the_request_as_a_problem_also_in_the_middle():
    made, records = generator(ScriptedEngine([Rule(text="a b", token_ms=10_000)]))
    seen = []
    with pytest.raises(DeadlineExceeded):
        async with made.generate(make.request(), deadline_ms=50) as generation:
            async for event in generation.events:
                seen.append(event)
    assert len(seen) == 2
    assert records[0].outcome == "DEADLINE_EXCEEDED"


class Endless(ScriptedEngine):
    """Accepts nothing, counts for ever."""

    @asynccontextmanager
    async def generate(self, card, request):
        await asyncio.sleep(1000)
        yield

    async def count(self, card, request):
        await asyncio.sleep(1000)


async def test_a_deadline_holds_while_waiting_for_acceptance_and_for_counts():
    made, _ = generator(Endless())
    with pytest.raises(DeadlineExceeded):
        async with made.generate(make.request(), deadline_ms=20):
            pass
    with pytest.raises(DeadlineExceeded):
        await made.count(make.request(), deadline_ms=20)


async def test_events_pass_through_unchanged():
    made, _ = generator()
    async with made.generate(make.request("a", candidates=2)) as generation:
        events = [event async for event in generation.events]
    assert events == [
        Started(Usage(prompt=1)),
        TextDelta("a", 1, 0),
        TextDelta("a", 1, 1),
        Finished(FinishReason.STOP, 0),
        Finished(FinishReason.STOP, 1),
    ]


BOOK = " ".join(f"Page {number} tells of nothing." for number in range(500)) + " The code is 4711. "


async def test_a_long_input_is_refused_unless_folding_is_wanted():
    made, records = generator()
    with pytest.raises(InputTooLong):
        async with made.generate(make.request(BOOK + "What is the code?")):
            pass
    assert records[-1].outcome == "INVALID_ARGUMENT"


async def test_a_long_input_is_folded_to_fit_beside_its_answer():
    made, _ = generator(long_input="fold")
    made.served = Served((make.card("tiny", engine="scripted", context_tokens_max=2000),))
    request = make.request(BOOK * 3 + "What is the code?", tokens_max=10)
    async with made.generate(request) as generation:
        answer = await fold(generation.events)
    assert answer.usage.prompt <= 500
    assert generation.folded.characters_kept < generation.folded.characters_before == len(BOOK) * 3 + 17


async def test_what_fits_is_not_folded():
    made, _ = generator(long_input="fold")
    async with made.generate(make.request("short")) as generation:
        assert generation.folded is None
