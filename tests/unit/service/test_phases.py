"""The times that a request tells of itself: measured where they happen, in the row, and observed."""

import pytest

import make
from geminid.billing.standing import Override
from geminid.catalog.served import Served
from geminid.core.errors import OutOfCredits, QuotaExceeded
from geminid.core.events import Finished, FinishReason, Started, TextDelta, fold
from geminid.core.usage import Usage
from geminid.engines.protocol import Events
from geminid.service.generate import Generator
from geminid.service.recorder import timeline_of
from geminid.service.resolve import Resolved
from money import house

CARD = make.card("tiny", engine="scripted")


class Clock:
    """Stands still until something takes its time."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


class Slow:
    """Resolver and engine: reading takes a second, accepting two, the queue four of eight until a token."""

    def __init__(self, clock):
        self.clock = clock

    async def resolve(self, request, card, project):
        self.clock.now_s += 1
        return Resolved(request=request)

    def generate(self, card, request):
        return _Entered(self)

    async def events(self):
        yield Started(Usage(prompt=1))
        self.clock.now_s += 8
        yield TextDelta("a", 1)
        self.clock.now_s += 16
        yield Finished(FinishReason.MAX_TOKENS, 0)


class _Entered:
    def __init__(self, slow):
        self.slow = slow

    async def __aenter__(self):
        self.slow.clock.now_s += 2
        return Events(self.slow.events(), lambda: Usage(candidates=1), lambda: 4_000)

    async def __aexit__(self, *raised):
        pass


@pytest.fixture
async def home(tmp_path):
    async with house(f"sqlite:///{tmp_path / 'geminid.db'}") as opened:
        opened.observed = []
        yield opened


def generator(home, **fields):
    clock = Clock()
    slow = Slow(clock)
    return Generator(
        Served((CARD,), {}),
        {"scripted": slow},
        home.observed.append,
        resolver=slow,
        meter=home.meter,
        clock=clock,
        **fields,
    )


async def answer(made, caller, text="hello", **fields):
    async with made.generate(make.request(text), caller, **fields) as generation:
        return await fold(generation.events)


async def test_each_phase_is_measured_where_it_happens(home):
    caller = await home.project(credit_nano=10**9)
    await answer(generator(home), caller)
    (record,) = home.observed
    phases = {phase.name: phase.took_ms for phase in timeline_of(record, 0).phases}
    assert phases == {
        "read": 1_000,
        "accept": 2_000,
        "admit": 0,
        "queue": 4_000,
        "prefill": 4_000,
        "decode": 16_000,
        "settle": 0,
    }
    (row,) = await home.rows()
    assert (row.read_ms, row.accepted_ms, row.admitted_ms, row.begun_ms, row.first_token_ms, row.took_ms) == (
        1_000, 3_000, 3_000, 7_000, 11_000, 27_000,
    )  # fmt: skip
    assert (record.cost_nano, record.project, record.reasons) == (
        row.cost_nano,
        "p",
        (FinishReason.MAX_TOKENS,),
    )
    assert record.usage == row.usage
    assert row.entry == (await home.balance()).seq
    assert row.settled_ms == home.clock.ms


async def test_a_refusal_names_its_limits_also_where_the_meter_need_not_be_asked(home):
    caller = await home.project(credit_nano=10**9, every_model=Override(rpm=1))
    made = generator(home)
    await answer(made, caller)
    for _ in range(2):  # the second is refused by what is remembered
        with pytest.raises(QuotaExceeded):
            await answer(made, caller)
    assert [record.outcome for record in home.observed] == ["finished", *["RESOURCE_EXHAUSTED"] * 2]
    names = {record.refused_by for record in home.observed[1:]}
    assert names == {("GenerateRequestsPerMinutePerProjectPerModel",)}
    assert len(await home.rows()) == 1


async def test_who_has_no_credits_is_refused_by_them(home):
    caller = await home.project(credit_nano=1)
    with pytest.raises(OutOfCredits):
        await answer(generator(home), caller)
    (record,) = home.observed
    assert (record.refused_by, record.cost_nano) == (("credits",), None)


@pytest.mark.parametrize("keep", [False, True])
async def test_words_are_kept_only_where_they_are_wanted(home, keep):
    caller = await home.project(credit_nano=10**9)
    await answer(generator(home, keep_words=keep), caller, "a secret", traceparent="00-1")
    (record,) = home.observed
    assert (record.request is not None, record.answered) == (keep, ["a"] if keep else [])
    assert record.traceparent == "00-1"
