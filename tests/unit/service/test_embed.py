"""Vectors with a meter behind them: what they cost, when they are paid, and what is free."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

import make
from geminid.billing.standing import Override
from geminid.catalog.served import Served
from geminid.core.card import EmbeddingCard
from geminid.core.content import Blob, Text, Turn
from geminid.core.embed import EmbedInput, EmbedRequest
from geminid.core.errors import (
    AlreadyExists,
    DeadlineExceeded,
    InvalidArgument,
    OutOfCredits,
    QuotaExceeded,
    Unavailable,
    UnknownModel,
)
from geminid.core.usage import Usage
from geminid.engines.script import Rule
from geminid.engines.scripted_embedder import ScriptedEmbedder
from geminid.service.embed import Embeddings, counted_request, shared_out
from geminid.service.resolve import Resolved
from money import house

CARD = EmbeddingCard(name="tiny", title="Tiny", engine="scripted", dimensions=8, context_tokens_max=5)
SERVED = Served((make.card("talks", engine="scripted"),), embeddings=(CARD,), embedding_aliases=("alias",))
RULES = [Rule(match="^break", fail="UNAVAILABLE"), Rule(match="^slow", first_token_ms=60_000)]
CREDIT = 10**6
NANO_PER_TOKEN = 1_000


class Reads:
    """Media are read as two words of sound each."""

    async def resolve(self, request, card, project):
        def shown(part):
            return Text("two words", "audio") if isinstance(part, Blob) else part

        turns = tuple(Turn(turn.role, tuple(map(shown, turn.parts))) for turn in request.turns)
        return Resolved(request=make.request(turns=turns))


class Watched(ScriptedEmbedder):
    """Remembers what it was asked."""

    def __init__(self, rules=RULES):
        super().__init__(rules)
        self.embedded, self.counted = [], []

    async def embed(self, card, request):
        self.embedded.append(request)
        return await super().embed(card, request)

    async def count(self, card, request):
        self.counted.append(request)
        return await super().count(card, request)


@pytest.fixture
async def home(tmp_path):
    async with house(f"sqlite:///{tmp_path / 'geminid.db'}") as opened:
        opened.caller = await opened.project(credit_nano=CREDIT)
        opened.records = []
        opened.embedder = Watched()
        yield opened


def embeddings(home):
    return Embeddings(
        lambda: SERVED,
        {"scripted": home.embedder},
        home.records.append,
        resolver=Reads(),
        meter=home.meter,
    )


def request(*texts, model="tiny", tier="standard", **said):
    return EmbedRequest(model=model, inputs=tuple(EmbedInput(text=text, **said) for text in texts), tier=tier)


async def paid(home):
    await home.verified()
    return CREDIT - (await home.balance()).posted_nano


async def test_vectors_are_paid_by_the_tokens_that_were_read_and_told_as_what_they_are(home):
    made = await embeddings(home).embed(request("one two", "one two three four five six"), home.caller)
    assert [each.tokens for each in made.embeddings] == [2, 5]
    assert [each.truncated for each in made.embeddings] == [False, True]
    (row,) = await home.rows()
    assert (row.verb, row.usage, row.outcome) == ("embed", Usage(prompt=7), "finished")
    assert made.charge.cost_nano == row.cost_nano == await paid(home) == 7 * NANO_PER_TOKEN
    assert [(each.verb, each.outcome, each.usage) for each in home.records] == [
        ("embed", "finished", Usage(prompt=7))
    ]


async def test_no_vector_leaves_before_it_is_paid(home):
    settle, seen = home.meter.settle, []

    async def watching(charge, usage, outcome, times):
        await settle(charge, usage, outcome, times)
        seen.append(charge.cost_nano)

    home.meter.settle = watching
    made = await embeddings(home).embed(request("word"), home.caller)
    assert seen == [made.charge.cost_nano]


async def test_who_cannot_pay_gets_nothing_and_owes_nothing(home):
    poor = await home.project("poor", credit_nano=2 * NANO_PER_TOKEN)
    with pytest.raises(OutOfCredits):
        await embeddings(home).embed(request("one two three"), poor)
    assert await home.rows("poor") == ()
    assert (await home.balance("poor")).posted_nano == 2 * NANO_PER_TOKEN
    assert home.records[-1].refused_by == ("credits",)


async def test_a_hold_is_what_the_text_costs_not_what_the_longest_would(home):
    poor = await home.project("poor", credit_nano=2 * NANO_PER_TOKEN + 1)  # a bound is rounded up
    await embeddings(home).embed(request("one two"), poor)
    assert (await home.balance("poor")).posted_nano == 1


async def test_tokens_a_minute_hold_for_vectors_too(home):
    limited = await home.project("limited", credit_nano=CREDIT, models={"tiny": Override(tpm=4)})
    embed = embeddings(home).embed
    await embed(request("one two three"), limited)
    with pytest.raises(QuotaExceeded):
        await embed(request("one two three"), limited)
    await embed(request("one"), limited)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (request("break it"), Unavailable),
        (request("word", dimensions=9), InvalidArgument),
        (request("one two three four five six", truncate=False), InvalidArgument),
    ],
)
async def test_what_fails_is_free(home, asked, problem):
    with pytest.raises(problem):
        await embeddings(home).embed(asked, home.caller)
    assert await paid(home) == 0
    assert (await home.verified()).open_holds == 0
    assert [each.outcome for each in home.records] == [problem.code]


async def test_a_wrong_field_is_named_by_its_place(home):
    with pytest.raises(InvalidArgument) as caught:
        await embeddings(home).embed(request("w", dimensions=9, field="requests[3]."), home.caller)
    assert [each.field for each in caught.value.violations] == ["requests[3].output_dimensionality"]
    assert "8" in caught.value.message
    assert "9" in caught.value.message


async def test_a_deadline_ends_it_for_nothing(home):
    with pytest.raises(DeadlineExceeded):
        await embeddings(home).embed(request("slow"), home.caller, deadline_ms=20)
    assert await paid(home) == 0
    assert (await home.verified()).open_holds == 0


async def test_who_leaves_before_there_are_vectors_pays_nothing(home):
    working = asyncio.create_task(embeddings(home).embed(request("slow"), home.caller))
    while not home.embedder.embedded:
        await asyncio.sleep(0.001)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await paid(home) == 0
    assert (await home.verified()).open_holds == 0
    assert [each.outcome for each in home.records] == ["cancelled"]


async def test_the_same_request_id_is_charged_once(home):
    embed = embeddings(home).embed
    await embed(request("word"), home.caller, request_id="~mine")
    with pytest.raises(AlreadyExists):
        await embed(request("word"), home.caller, request_id="~mine")
    assert await paid(home) == NANO_PER_TOKEN


async def test_a_deferred_request_is_paid_when_its_vectors_are_kept(home):
    made = await embeddings(home).embed(request("one two", tier="batch"), home.caller, deferred=True)
    assert await paid(home) == 0
    await home.meter.pay(made.charge)
    assert await paid(home) == made.charge.cost_nano == NANO_PER_TOKEN  # two tokens at half the price


async def test_lines_of_a_batch_are_not_counted_first(home):
    embed = embeddings(home).embed
    await embed(request("one", tier="batch"), home.caller, deferred=True)
    assert home.embedder.counted == []
    await embed(request("one"), home.caller)
    assert len(home.embedder.counted) == 1


async def test_media_are_read_and_told_by_what_they_were_read_from(home):
    heard = EmbedInput(text="", parts=(Text("before"), Blob("audio/wav", b"...")))
    made = await embeddings(home).embed(
        EmbedRequest(model="tiny", inputs=(EmbedInput(text="one"), heard)), home.caller
    )
    assert made.request.inputs[1].text.split() == ["before", "two", "words"]
    assert made.usage.prompt == 4
    assert made.usage.media == {"audio": 1}  # 9 of the 15 characters of three tokens
    assert await paid(home) == 4 * NANO_PER_TOKEN


async def test_only_models_that_embed_do(home):
    embed = embeddings(home).embed
    assert (await embed(request("w", model="alias"), home.caller)).card is CARD
    for name in ("talks", "nobody"):
        with pytest.raises(UnknownModel):
            await embed(request("w", model=name), home.caller)


async def test_counting_tells_tokens_and_what_they_could_cost_and_costs_nothing(home):
    turns = make.request(
        turns=(Turn("user", (Text("a b"), Text("c"))), Turn("model", (Blob("audio/wav", b"..."),)))
    )
    counted = await embeddings(home).count(counted_request(turns), home.caller)
    assert counted.usage == Usage(prompt=5, media={"audio": 2})
    assert counted.bound_nano >= 5 * NANO_PER_TOKEN
    assert await paid(home) == 0


MODALITIES = st.sampled_from(["text", "image", "audio", "video", "document"])
PARTS = st.lists(st.builds(Text, st.text(max_size=30), MODALITIES), max_size=6).map(tuple)


@given(st.integers(0, 10_000), PARTS)
def test_shares_never_exceed_the_whole_and_media_alone_have_all_of_it(tokens, parts):
    shares = shared_out(tokens, parts)
    assert all(share >= 0 for share in shares.values())
    assert sum(shares.values()) <= tokens
    assert "text" not in shares
    said = {part.modality for part in parts if part.text}
    if said and "text" not in said:
        assert sum(shares.values()) == tokens
