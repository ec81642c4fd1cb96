"""Presets are the prices that were read, an operator's mistakes are all told, and no float is made."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.billing.prices import PriceBook
from geminid.catalog.catalog import Catalog
from geminid.catalog.pricebook import load_prices
from geminid.catalog.pricefile import COLUMNS, read_price_file
from geminid.core.errors import InvalidArgument
from geminid.core.money import decimal_dollars
from geminid.service.prices import Book

NOW = int(datetime(2026, 11, 30, tzinfo=UTC).timestamp()) * 1000


def book(tmp_path, text=""):
    extra = tmp_path / "prices.toml"
    extra.write_text(text)
    loaded = load_prices(extra)
    return PriceBook.of(loaded.own, loaded.preset, loaded.listed)


def dollars(book, key, *, tier="standard", time_ms=NOW):
    sheet = book.sheet(key, tier, time_ms)
    return {
        column: decimal_dollars(unit.nano_per_million)
        for column, line in COLUMNS.items()
        if sheet and (unit := sheet.unit(*line))
    }


def mistakes_of(text):
    with pytest.raises(InvalidArgument) as caught:
        read_price_file(text, "my.toml", ("official",))
    assert all(violation.field in caught.value.message for violation in caught.value.violations)
    return {violation.field: violation.description for violation in caught.value.violations}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("gemini-3.1-flash-lite", "0.25 0.5 1.5 0.025 0.05 1"),
        ("gemini-2.5-flash-lite", "0.1 0.3 0.4 0.01 0.01 1"),
        ("gemini-3-flash-preview", "0.5 1 3 0.05 0.05 1"),
        ("gemini-3.1-pro-preview", "2 2 12 0.2 0.2 4.5"),
    ],
)
def test_official_prices_are_those_that_were_read(tmp_path, key, expected):
    assert dollars(book(tmp_path), key) == dict(zip(COLUMNS, expected.split(), strict=True))


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        ("batch", "0.125 0.25 0.75 0.0125 0.025 1"),
        ("flex", "0.125 0.25 0.75 0.0125 0.025 1"),
        ("priority", "0.45 0.9 2.7 0.045 0.09 1"),
    ],
)
def test_other_tiers_are_googles_too(tmp_path, tier, expected):
    assert dollars(book(tmp_path), "gemini-3.1-flash-lite", tier=tier) == dict(
        zip(COLUMNS, expected.split(), strict=True)
    )


def test_embedding_models_have_no_price_of_output_and_promotions_end(tmp_path):
    made = book(tmp_path)
    assert dollars(made, "gemini-embedding-001") == dict.fromkeys(
        ("input", "input_audio", "cached", "cached_audio"), "0.15"
    )
    end = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()) * 1000
    assert dollars(made, "gemini-3.8-flash", time_ms=end - 1)["output"] == "3.75"
    assert made.sheet("gemini-3.8-flash", "standard", end) is None
    assert made.sheet("smollm2-135m-instruct", "standard", NOW) is None


@pytest.mark.parametrize(
    ("preset", "expected", "permille"),
    [
        ("platform", {"input": "0.33", "output": "1.95", "cached": "0.033"}, -320),
        ("discount", {"input": "0.2", "output": "1.2", "cached": "0.02"}, 200),
        ("official", {"input": "0.25", "output": "1.5", "cached": "0.025"}, 0),
    ],
)
def test_a_preset_is_chosen_and_shown_beside_the_list(tmp_path, preset, expected, permille):
    made = book(tmp_path, f'use = "{preset}"')
    assert dollars(made, "gemini-3.1-flash-lite").items() >= expected.items()
    unit = made.sheet("gemini-3.1-flash-lite", "standard", NOW).unit("input")
    assert unit.discount_permille == permille


def test_every_line_of_the_discount_is_a_fifth_below_the_list(tmp_path):
    sheet = book(tmp_path, 'use = "discount"').sheet("gemini-3.1-flash-lite", "priority", NOW)
    assert {unit.discount_permille for unit in sheet.units.values()} == {200}


def test_operators_prices_go_over_the_preset_from_their_date_on(tmp_path):
    made = book(
        tmp_path,
        """
        [[price]]
        key = "gemini-3.1-flash-lite"
        from = 2026-12-01
        input = 0.3
        batch = { input = "0.2" }
        [[price]]
        key = "mine"
        from = 2026-11-30T08:00:00+08:00
        until = 2027-06-01
        input = 1
        """,
    )
    december = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * 1000
    assert dollars(made, "gemini-3.1-flash-lite", time_ms=december - 1)["input"] == "0.25"
    assert dollars(made, "gemini-3.1-flash-lite", time_ms=december)["input"] == "0.3"
    assert dollars(made, "gemini-3.1-flash-lite", time_ms=december)["output"] == "1.5"
    assert dollars(made, "gemini-3.1-flash-lite", tier="batch", time_ms=december)["input"] == "0.2"
    assert dollars(made, "gemini-3.1-flash-lite", tier="flex", time_ms=december)["input"] == "0.15"
    assert (dollars(made, "mine", time_ms=NOW - 1), dollars(made, "mine")["input"]) == ({}, "1")


def test_an_operator_may_do_without_presets_or_bring_his_own(tmp_path):
    assert book(tmp_path, 'use = ""').keys == ()
    own = '[[preset]]\nname = "team"\n[[preset.price]]\nkey = "mine"\ninput = "3"\n'
    assert book(tmp_path, 'use = "team"\n' + own).keys == ("mine",)
    over = own.replace("team", "official")
    assert dollars(book(tmp_path, over), "mine")["input"] == "3"


def test_without_a_file_the_official_prices_are_used_and_listed():
    loaded = load_prices()
    assert loaded.own == ()
    assert loaded.preset == loaded.listed != ()
    assert [preset.name for preset in loaded.presets] == ["official", "platform", "discount"]
    assert all(preset.title and "November 2026" in preset.source for preset in loaded.presets)


def test_all_mistakes_of_a_file_are_told_at_once_with_their_paths():
    found = mistakes_of(
        """
        use = "nowhere"
        list = 3
        colour = "blue"
        [[price]]
        key = "A"
        input = "1,25"
        output = -1
        storage_hour = nan
        batch = { input = "x", storage_hour = "1" }
        flex = 3
        from = 2026-01-01T00:00:00
        [[price]]
        key = "a"
        [[preset]]
        name = "x y"
        title = 3
        [[preset.price]]
        input = 0.0000000001
        until = 1969-01-01
        size = 1
        """
    )
    assert found.keys() == {
        *(
            "use",
            "list",
            "colour",
            "price[0].key",
            "price[0].input",
            "price[0].output",
            "price[0].storage_hour",
        ),
        *(
            "price[0].batch.input",
            "price[0].batch.storage_hour",
            "price[0].flex",
            "price[0].from",
            "price[1]",
        ),
        *("preset[0].name", "preset[0].title", "preset[0].price[0].key", "preset[0].price[0].input"),
        *("preset[0].price[0].until", "preset[0].price[0].size"),
    }
    assert "more than nine decimals" in found["preset[0].price[0].input"]


PRICE = '[[price]]\nkey = "a"\ninput = 1\n'


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (PRICE + PRICE, "price[1].from"),
        (PRICE + "until = 2026-06-01\n" + PRICE + "from = 2026-05-31", "price[0].until"),
        (PRICE + "from = 2026-06-01\nuntil = 2026-06-01", "price[0].until"),
        (PRICE + "from = 06:00:00", "price[0].from"),
        (PRICE + 'from = "2026-06-01"', "price[0].from"),
        (PRICE + "[price.priority]\nstorage_hour = 1", "price[0].priority.storage_hour"),
        (PRICE.replace("1", "true"), "price[0].input"),
        (PRICE.replace("1", "inf"), "price[0].input"),
        ('[[preset]]\nname = "a"\n[[preset]]\nname = "a"', "preset[1].name"),
        ('[[preset]]\nname = "a"\nprice = 3', "preset[0].price"),
        ("price = 3", "price"),
        ("price = [3]", "price[0]"),
        ("preset = 3", "preset"),
        ("preset = [3]", "preset[0]"),
        ("use = [1]", "use"),
    ],
)
def test_contradictions_are_told_with_their_path(text, field):
    assert field in mistakes_of(text)


def test_one_price_may_begin_where_another_ends(tmp_path):
    made = book(tmp_path, PRICE.replace("1", "2") + "from = 2026-06-01\n" + PRICE + "until = 2026-06-01")
    june = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()) * 1000
    assert [dollars(made, "a", time_ms=time)["input"] for time in (june - 1, june)] == ["1", "2"]


@pytest.mark.parametrize("text", ["= 3", "a = 1" + "0" * 5000])
def test_text_that_is_no_toml_is_told(text):
    with pytest.raises(InvalidArgument, match=r"my.toml: is not TOML"):
        read_price_file(text, "my.toml")


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(InvalidArgument, match="cannot be read"):
        load_prices(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe4"')
    with pytest.raises(InvalidArgument, match="is not UTF-8"):
        load_prices(tmp_path / "latin.toml")


values = st.one_of(
    st.integers(), st.booleans(), st.text(max_size=5), st.floats().map(lambda each: f"{each}"), st.just("[]")
)


@given(
    st.lists(
        st.tuples(st.sampled_from([*COLUMNS, "key", "from", "until", "batch", "zone"]), values), max_size=5
    )
)
def test_any_file_is_read_or_refused_in_words(cells):
    lines = {
        key: value if isinstance(value, int) and not isinstance(value, bool) else repr(str(value))
        for key, value in cells
    }
    text = "[[price]]\n" + "\n".join(f"{key} = {value}" for key, value in lines.items())
    try:
        prices = read_price_file(text, "my.toml").prices
    except InvalidArgument as error:
        prices, words = (), error.message
    else:
        words = "my.toml: "
    assert words.startswith("my.toml: ")
    assert all(isinstance(each.nano_per_million, int) for each in prices)


def test_a_preset_can_be_chosen_over_what_a_file_says(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text('use = "platform"')
    assert load_prices(file).preset == load_prices(use="platform").preset
    assert load_prices(file, "discount").preset == load_prices(use="discount").preset
    assert load_prices(file, "").preset == ()
    assert load_prices(file, "discount").listed == load_prices().listed
    with pytest.raises(InvalidArgument, match="no price preset nobody"):
        load_prices(file, "nobody")


def test_names_that_share_prices_are_found_by_their_own_or_the_keys():
    found = Book(load_prices())
    paid = found.sheet(("gemini-3.1-flash-lite", "m"), "standard", NOW)
    assert found.sheet(("gemini-3.1-flash-lite-preview", "m"), "standard", NOW) == paid
    assert found.sheet(("nobody", "gemini-3-1-flash-lite"), "standard", NOW) == paid
    assert found.sheet(("nobody", "m"), "standard", NOW) is None


def test_every_name_of_the_lite_models_of_3_1_has_a_price():
    found = Book(load_prices())
    names = [name for name in Catalog.load().aliases if "lite" in name and "3" in name]
    assert len(names) > 5
    assert [name for name in names if found.sheet((name,), "standard", NOW) is None] == []


@pytest.mark.parametrize("same", ['same = "x"', "[same]\nx = 1", '[same]\nx = ["Y!"]'])
def test_wrong_lists_of_names_that_share_prices_are_refused(same):
    with pytest.raises(InvalidArgument, match="same"):
        read_price_file(same, "mine.toml")
