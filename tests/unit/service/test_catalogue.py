import asyncio

import pytest

from administering import DAY_MS, START_MS, administering
from geminid.catalog.served import Served
from geminid.core.alias import Alias
from geminid.core.card import ModelCard
from geminid.core.errors import InvalidArgument, UnknownModel
from geminid.core.price import Price
from geminid.service import catalogue
from geminid.service.catalogue import Following


def card(name):
    return ModelCard(name=name, title=name, context_tokens_max=9, input_tokens_max=9, output_tokens_max=9)


SERVED = Served((card("small-model"), card("large-model")), ("gemini-3.1-flash-lite", "gemini-2.5-pro"))


@pytest.fixture
async def room(tmp_path):
    async with administering(tmp_path) as opened:
        yield opened


async def served(room):
    return await room.acts.aliases.over(SERVED)


def meaning(offered, name):
    try:
        return offered.resolve(name).name
    except UnknownModel:
        return None


async def test_without_a_word_every_alias_means_the_default(room):
    offered = await served(room)
    assert meaning(offered, "gemini-2.5-pro") == "small-model"
    assert offered.names() == SERVED.names()


async def test_a_pinned_name_means_its_model_until_it_is_forgotten(room):
    await room.acts.aliases.put("test", Alias(name="gemini-2.5-pro", target="large-model"))
    await room.acts.aliases.put("test", Alias(name="house", target="large-model"))
    offered = await served(room)
    assert meaning(offered, "gemini-2.5-pro") == meaning(offered, "models/house") == "large-model"
    assert meaning(offered, "gemini-3.1-flash-lite") == "small-model"
    assert "house" in dict(offered.names())
    await room.acts.aliases.delete("test", "gemini-2.5-pro")
    assert meaning(await served(room), "gemini-2.5-pro") == "small-model"


async def test_a_retired_name_is_not_found_by_any_spelling_and_not_listed(room):
    await room.acts.aliases.put("test", Alias(name="gemini-2.5-pro", stage="retired"))
    await room.acts.aliases.put("test", Alias(name="large-model", target="large-model", stage="retired"))
    offered = await served(room)
    for name in ("gemini-2.5-pro", "models/gemini-2.5-pro", "gemini-2.5-pro-thinking", "large-model"):
        assert meaning(offered, name) is None
    assert not {"gemini-2.5-pro", "large-model"} & dict(offered.names()).keys()


async def test_a_name_retires_on_its_day(room):
    alias = Alias(name="house", target="large-model", stage="deprecated", retires_ms=START_MS + DAY_MS)
    await room.acts.aliases.put("test", alias)
    room.clock.ms += DAY_MS - 1
    assert meaning(await served(room), "house") == "large-model"
    room.clock.ms += 1
    assert meaning(await served(room), "house") is None


async def test_a_name_without_a_target_means_the_default_whichever_it_is(room):
    await room.acts.aliases.put("test", Alias(name="house"))
    assert meaning(await served(room), "house") == "small-model"


async def test_a_pin_to_what_is_not_served_is_not_found(room):
    await room.acts.aliases.put("test", Alias(name="house", target="large-model"))
    offered = await room.acts.aliases.over(Served((card("small-model"),)))
    assert meaning(offered, "house") is None


@pytest.mark.parametrize(
    "alias",
    [
        Alias(name="No Name"),
        Alias(name="house", target="nobody"),
        Alias(name="small-model", target="large-model"),
        Alias(name="house", retires_ms=-1),
    ],
)
async def test_senseless_names_are_refused(room, alias):
    with pytest.raises(InvalidArgument):
        await room.acts.aliases.put("test", alias)
    assert await room.acts.aliases.every() == ()


async def test_a_server_follows_what_another_process_says(room, monkeypatch):
    monkeypatch.setattr(catalogue, "FOLLOW_S", 0.01)
    taken = []
    following = Following(room.acts.aliases, SERVED, taken.append)
    await following.start()
    assert meaning(taken[-1], "house") is None
    await room.acts.aliases.put("test", Alias(name="house", target="large-model"))
    for _ in range(500):
        if meaning(taken[-1], "house"):
            break
        await asyncio.sleep(0.01)
    await following.close()
    assert meaning(taken[-1], "house") == "large-model"


async def test_a_price_holds_from_its_moment_and_the_past_is_closed(room):
    def price(nano):
        return Price(key="mine", kind="input", nano_per_million=nano)

    entry = await room.acts.prices.set("ada", price(10))
    assert (entry.price.effective_from_ms, entry.author) == (START_MS, "ada")
    await room.acts.prices.set("ada", price(20), START_MS + DAY_MS)
    for past in (START_MS - 1, 0, -1):
        with pytest.raises(InvalidArgument, match="past"):
            await room.acts.prices.set("ada", price(30), past)

    async def now():
        page = await room.acts.prices.sheets(1000)
        (sheet,) = [
            each for sheets in page.items for each in sheets if (each.key, each.tier) == ("mine", "standard")
        ]
        return sheet.unit("input").nano_per_million

    assert await now() == 10
    room.clock.ms += DAY_MS
    assert await now() == 20


async def test_prices_are_listed_in_pages_of_keys(room):
    seen, after = [], ""
    while True:
        page = await room.acts.prices.sheets(2, after)
        assert len(page.items) <= 2
        seen += [sheets[0].key for sheets in page.items if sheets]
        if not (after := page.next):
            break
    assert seen == sorted(set(seen))
    assert "gemini-3.1-flash-lite" in seen
