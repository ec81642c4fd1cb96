"""Sound written down with a meter behind it: what it costs, when it is paid, and what is free."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from geminid.billing.standing import Override
from geminid.core.card import SpeechCard
from geminid.core.errors import (
    AlreadyExists,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    OutOfCredits,
    QuotaExceeded,
    UnknownModel,
)
from geminid.core.speech import Listen, Listening, Segment, SpeechRequest, Understood, transcript_of
from geminid.core.usage import Usage
from geminid.media.faults import Unreadable
from geminid.service.transcribe import Transcriptions, seconds_of, tokens_bound, usage_of
from money import house

CARD = SpeechCard(name="tiny", title="Tiny", languages=("en", "de"))
CREDIT = 10**9
IN, OUT = 1_000, 2_000
HELLO = Segment(start_ms=0, end_ms=900, text=" Hello", tokens=(1, 2, 3))
THERE = Segment(start_ms=900, end_ms=1500, text=" there.", tokens=(4, 5))
SOUND = Usage(prompt=64, media={"audio": 64})
PATH = Path("/nowhere")


class Ear:
    """Hears what it is told to, and remembers what it was asked."""

    def __init__(self, *events, fails=None, hangs=False):
        self.events = events or (Listening(1_500), HELLO, THERE, Understood("en", "English"))
        self.fails, self.hangs = fails, hangs
        self.asked, self.left = [], 0

    @asynccontextmanager
    async def hearing(self, source, mime_type, listen):
        self.asked.append((mime_type, listen))
        try:
            yield self._heard()
        finally:
            self.left += 1

    async def _heard(self):
        for number, event in enumerate(self.events):
            if number and self.hangs:
                await asyncio.sleep(60)
            if number == 2 and self.fails:
                raise self.fails
            yield event


@pytest.fixture
async def home(tmp_path):
    async with house(f"sqlite:///{tmp_path / 'geminid.db'}") as opened:
        opened.caller = await opened.project(credit_nano=CREDIT)
        opened.records = []
        yield opened


def hearing(home, ear=None, card=CARD):
    ear = ear or Ear()
    return Transcriptions(lambda: card, ("whisper-1",), ear, home.records.append, meter=home.meter)


def asked(model="tiny", **listen):
    return SpeechRequest(model=model, mime_type="audio/wav", listen=Listen(**listen))


async def written(transcriptions, request, caller, **said):
    async with transcriptions.transcribe(request, PATH, caller, **said) as opened:
        return await transcript_of(opened.events), opened


async def paid(home):
    await home.verified()
    return CREDIT - (await home.balance()).posted_nano


async def test_sound_is_paid_by_the_second_and_words_by_the_token(home):
    transcript, opened = await written(hearing(home), asked(), home.caller)
    assert (transcript.text, transcript.language) == ("Hello there.", "en")
    (row,) = await home.rows()
    assert row.usage == opened.usage() == SOUND + Usage(candidates=5)
    assert (row.verb, row.outcome, row.model, row.asked) == ("transcribe", "finished", "tiny", "tiny")
    assert opened.charge.cost_nano == row.cost_nano == await paid(home) == 64 * IN + 5 * OUT
    (record,) = home.records
    assert (record.verb, record.outcome, record.usage) == ("transcribe", "finished", row.usage)


async def test_another_name_of_the_model_costs_what_the_model_does(home):
    await written(hearing(home), asked("whisper-1"), home.caller)
    (row,) = await home.rows()
    assert (row.model, row.asked, row.cost_nano) == ("tiny", "whisper-1", 64 * IN + 5 * OUT)


async def test_tokens_of_the_prompt_are_text(home):
    ear = Ear(Listening(1_000, 7), Understood("", ""))
    transcript, _ = await written(hearing(home, ear), asked(prompt="words"), home.caller)
    assert transcript.text == ""
    (row,) = await home.rows()
    assert row.usage == Usage(prompt=39, media={"audio": 32})
    assert ear.asked == [("audio/wav", Listen(prompt="words"))]


async def test_who_cannot_pay_hears_nothing_and_owes_nothing(home):
    poor, ear = await home.project("poor", credit_nano=64 * IN), Ear()
    with pytest.raises(OutOfCredits):
        await written(hearing(home, ear), asked(), poor)
    assert await home.rows("poor") == ()
    assert ear.left == 1
    assert home.records[-1].refused_by == ("credits",)


async def test_limits_hold_for_sound_too(home):
    limited = await home.project("limited", credit_nano=CREDIT, models={"tiny": Override(tpm=100)})
    await written(hearing(home), asked(), limited)
    with pytest.raises(QuotaExceeded):
        await written(hearing(home), asked(), limited)


async def test_who_leaves_pays_for_what_was_written(home):
    ear = Ear()
    async with hearing(home, ear).transcribe(asked(), PATH, home.caller) as opened:
        assert await anext(opened.events) == HELLO
    (row,) = await home.rows()
    assert (row.outcome, row.usage) == ("cancelled", SOUND + Usage(candidates=3))
    assert await paid(home) == 64 * IN + 3 * OUT
    assert ear.left == 1


@pytest.mark.parametrize("fails", [Unreadable("It is no good."), RuntimeError("a bug")])
async def test_what_fails_is_free(home, fails):
    with pytest.raises((InvalidArgument, RuntimeError)) as caught:
        await written(hearing(home, Ear(fails=fails)), asked(), home.caller)
    (row,) = await home.rows()
    assert (row.cost_nano, await paid(home)) == (0, 0)
    if isinstance(fails, Unreadable):
        assert [each.field for each in caught.value.violations] == ["file"]


async def test_a_deadline_ends_it(home):
    with pytest.raises(DeadlineExceeded):
        await written(hearing(home, Ear(hangs=True)), asked(), home.caller, deadline_ms=30)
    assert await paid(home) == 0


async def test_one_request_is_charged_once(home):
    await written(hearing(home), asked(), home.caller, request_id="~mine")
    with pytest.raises(AlreadyExists):
        await written(hearing(home), asked(), home.caller, request_id="~mine")
    assert len(await home.rows()) == 1


async def test_without_a_price_it_is_refused_to_who_pays_in_advance(home):
    card = SpeechCard(name="unpriced", title="Unpriced")
    with pytest.raises(OutOfCredits, match="unpriced has no price"):
        await written(hearing(home, card=card), asked("unpriced"), home.caller)


async def test_names_and_languages_that_are_not_known_are_told_before_anything_is_heard(home):
    ear = Ear()
    for request, problem in (
        (asked("nosuch"), UnknownModel),
        (asked(language="xx"), InvalidArgument),
    ):
        with pytest.raises(problem):
            await written(hearing(home, ear), request, home.caller)
    with pytest.raises(NotFound, match="geminid pull whisper-base"):
        await written(hearing(home, ear, card=None), asked(), home.caller)
    assert ear.asked == []
    assert await home.rows() == ()


@pytest.mark.parametrize(("length_ms", "seconds"), [(1, 1), (1000, 1), (1001, 2), (0, 0)])
def test_seconds_that_have_begun_are_counted(length_ms, seconds):
    assert seconds_of(length_ms) == seconds
    assert usage_of(Listening(length_ms)).prompt == 32 * seconds
    assert tokens_bound(length_ms) >= 448 * (1 + length_ms // 30_000)
