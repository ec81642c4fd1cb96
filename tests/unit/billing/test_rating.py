"""Tokens cost what the sheet says, however they came, and never more than the bound that was told."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.billing.faults import Unpriced, Unratable
from geminid.billing.rating import cost_of, counts_of, rate, storage_cost, total, upper_bound
from geminid.core.events import Finished, FinishReason, Started, TextDelta, ThoughtDelta, fold, usage_of
from geminid.core.money import NANO_PER_DOLLAR
from geminid.core.price import PRICE_TIERS
from geminid.core.usage import Usage
from unit.billing.sheets import price, sheet

tokens = st.integers(0, 2_000_000)
prices = st.integers(0, 10**10)


@st.composite
def usages(draw):
    media = draw(
        st.dictionaries(st.sampled_from(["image", "audio", "video", "document"]), tokens, max_size=4)
    )
    prompt = sum(media.values()) + draw(tokens)
    cached = draw(st.integers(0, prompt))
    return Usage(prompt=prompt, cached=cached, candidates=draw(tokens), thoughts=draw(tokens), media=media)


@st.composite
def sheets(draw):
    amounts = draw(st.lists(prices, min_size=5, max_size=5))
    lines = [
        ("input", "text"),
        ("input", "audio"),
        ("output", "text"),
        ("cached", "text"),
        ("cached", "audio"),
    ]
    # Any price may be missing but these two; odd nano-dollars make every line round.
    made = [
        price(kind, f"{amount}e-9", modality=modality)
        for (kind, modality), amount in zip(lines, amounts, strict=True)
        if (kind, modality) in (("input", "text"), ("output", "text")) or draw(st.booleans())
    ]
    return sheet(*made, tier=draw(st.sampled_from(PRICE_TIERS)))


def test_a_bill_by_hand():
    usage = Usage(
        prompt=10_000, cached=4_000, candidates=500, thoughts=300, media={"audio": 2_000, "image": 1_000}
    )
    cost = rate(usage, sheet())
    assert [(line.item, line.modality, line.quantity, line.cost_nano) for line in cost.lines] == [
        ("prompt", "text", 4_000, 1_000_000),
        ("prompt", "audio", 2_000, 1_000_000),
        ("cached", "text", 4_000, 100_000),
        ("candidates", "text", 500, 750_000),
        ("thoughts", "text", 300, 450_000),
    ]
    assert cost.total_nano == 3_300_000
    assert {line.item: line.kind for line in cost.lines} == {
        "prompt": "input",
        "cached": "cached",
        "candidates": "output",
        "thoughts": "output",
    }


def test_the_formula_of_a_million_of_each():
    usage = Usage(prompt=2_000_000, cached=1_000_000, candidates=500_000, thoughts=500_000)
    assert rate(usage, sheet()).total_nano == 1_775_000_000  # 0.25 + 0.025 + 1.50
    assert rate(usage, sheet(tier="batch")).total_nano == 887_500_000


@given(sheets())
def test_nothing_costs_nothing(prices):
    assert rate(Usage(), prices).total_nano == 0
    assert rate(Usage(), prices).lines == ()
    assert upper_bound(Usage(), 0, 8, prices) == 0


@given(usages(), sheets())
def test_a_free_model_has_lines_that_cost_zero(usage, prices):
    free = rate(usage, sheet(price("input", "0"), price("output", "0")))
    assert free.total_nano == 0
    assert [line.quantity for line in free.lines] == [line.quantity for line in rate(usage, prices).lines]


@given(usages(), sheets(), st.integers(1, 8), st.data())
def test_the_bound_covers_whatever_is_used_within_it(asked, prices, candidates, data):
    """The prompt is known; how much of it is cached, and how long the answers get, is not."""
    tokens_max = data.draw(st.integers(0, 65_536))
    bound = upper_bound(asked, tokens_max, candidates, prices)
    written = data.draw(st.integers(0, tokens_max * candidates))
    thoughts = data.draw(st.integers(0, written))
    used = Usage(
        prompt=asked.prompt,
        cached=data.draw(st.integers(0, asked.prompt)),
        candidates=written - thoughts,
        thoughts=thoughts,
        media=asked.media,
    )
    assert rate(used, prices).total_nano <= bound


def test_the_bound_is_not_much_above_the_dearest_use():
    asked = Usage(prompt=10_000, media={"audio": 1_000})
    most = Usage(prompt=10_000, candidates=8_192, media={"audio": 1_000})
    assert 0 <= upper_bound(asked, 8_192, 1, sheet()) - rate(most, sheet()).total_nano <= 3


@given(st.lists(usages(), max_size=5), sheets())
def test_tokens_add_up_and_splitting_costs_a_nano_a_line_at_most(parts, prices):
    parts = [Usage(prompt=each.prompt, candidates=each.candidates, thoughts=each.thoughts) for each in parts]
    whole = sum(parts, Usage())
    apart = [line for part in parts for line in rate(part, prices).lines]
    together = rate(whole, prices)
    for line in together.lines:
        assert line.quantity == sum(each.quantity for each in apart if each.item == line.item)
    assert 0 <= total(apart) - together.total_nano <= len(apart)


@given(usages(), sheets(), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(usage, prices, rng: random.Random):
    counts = list(counts_of(usage).items())
    shuffled = rng.sample(counts, len(counts))
    assert cost_of(dict(shuffled), prices).total_nano == rate(usage, prices).total_nano
    assert sum(quantity for _, quantity in counts) == usage.total


@given(usages(), sheets(), st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=20))
def test_a_streamed_answer_costs_what_the_unary_one_does(prompt, prices, deltas):
    start = Started(Usage(prompt=prompt.prompt, cached=prompt.cached, media=prompt.media))
    events = [start, *((ThoughtDelta if thought else TextDelta)("x", count) for thought, count in deltas)]
    events.append(Finished(FinishReason.STOP))

    async def stream():
        for event in events:
            yield event

    unary = asyncio.run(fold(stream())).usage
    streamed = sum((usage_of(event) for event in events), Usage())
    assert rate(unary, prices) == rate(streamed, prices)


@given(usages(), sheets())
def test_every_line_is_rounded_up_once(usage, prices):
    for line in rate(usage, prices).lines:
        assert 0 <= line.cost_nano * 1_000_000 - line.quantity * line.nano_per_million < 1_000_000


def test_storage_is_paid_by_tokens_and_seconds():
    assert storage_cost(1_000_000, 3600, sheet()).total_nano == NANO_PER_DOLLAR
    assert storage_cost(4_096, 300, sheet()).total_nano == 341_334  # 341333.3…, rounded up
    assert storage_cost(0, 300, sheet()).lines == ()
    (line,) = storage_cost(10, 7, sheet(tier="batch")).lines
    assert (line.item, line.quantity, line.cost_nano) == ("storage", 70, 20)


@pytest.mark.parametrize(
    "act",
    [
        lambda prices: rate(Usage(prompt=1, candidates=1), prices),
        lambda prices: upper_bound(Usage(prompt=1), 1, 1, prices),
        lambda prices: storage_cost(1, 1, prices),
    ],
)
def test_what_has_no_price_is_refused_and_not_free(act):
    with pytest.raises(Unpriced, match=r"m has no price for (output|storage) in tier flex"):
        act(sheet(price("input", "0.15"), tier="flex"))


def test_an_embedding_model_needs_no_price_for_output():
    only_input = sheet(price("input", "0.15"))
    assert rate(Usage(prompt=1_000_000), only_input).total_nano == 150_000_000
    assert upper_bound(Usage(prompt=1_000_000), 0, 1, only_input) >= 150_000_000


@pytest.mark.parametrize(
    "usage",
    [
        Usage(prompt=1, cached=2),
        Usage(prompt=1, cached=-1),
        Usage(prompt=-1),
        Usage(candidates=-1),
        Usage(thoughts=-1),
        Usage(prompt=1, media={"image": 2}),
        Usage(prompt=5, media={"image": -1}),
    ],
)
def test_counts_that_contradict_each_other_stop_the_bill(usage):
    with pytest.raises(Unratable):
        rate(usage, sheet())
