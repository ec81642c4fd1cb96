"""One process serves cards and aliases; every name means exactly one card."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from geminid.catalog.served import Served
from geminid.core.card import EmbeddingCard
from geminid.core.errors import UnknownModel
from unit.catalog.stand_in import card

FIRST, SECOND = card(name="first"), card(name="second")
SERVED = Served((FIRST, SECOND), ("gemini-2.5-flash", "second"))


@pytest.mark.parametrize("name", ["first", "models/first", "gemini-2.5-flash", "models/gemini-2.5-flash"])
def test_default_answers_to_its_name_and_to_every_alias(name):
    assert SERVED.resolve(name) is FIRST


def test_card_of_the_same_name_wins_over_an_alias():
    assert SERVED.resolve("second") is SECOND


@pytest.mark.parametrize("name", ["First", "models/models/first", "tunedModels/first", "", "models/"])
def test_other_names_are_unknown_and_told_without_prefix(name):
    with pytest.raises(UnknownModel) as caught:
        SERVED.resolve(name)
    assert caught.value.name == name.removeprefix("models/")


def test_listing_has_each_name_once_cards_first():
    assert SERVED.names() == (("first", FIRST), ("second", SECOND), ("gemini-2.5-flash", FIRST))


def test_serving_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Served(())


EMBEDS, ALSO = (
    EmbeddingCard(name=name, title=name, dimensions=2, context_tokens_max=2) for name in ("embeds", "also")
)
BOTH = Served((FIRST,), ("talks",), embeddings=(EMBEDS, ALSO), embedding_aliases=("gemini-embedding-001",))


@pytest.mark.parametrize("name", ["embeds", "models/embeds", "gemini-embedding-001"])
def test_models_that_embed_are_another_list_with_aliases_of_its_own(name):
    assert BOTH.resolve_embedding(name) is BOTH.find(name) is EMBEDS
    with pytest.raises(UnknownModel):
        BOTH.resolve(name)


@pytest.mark.parametrize("name", ["first", "talks", "nobody"])
def test_what_answers_does_not_embed(name):
    assert not BOTH.embeds(name)
    with pytest.raises(UnknownModel):
        BOTH.resolve_embedding(name)


def test_a_name_is_pinned_to_either_kind_and_retired_from_either():
    pins = {"house": "also", "gemini-embedding-001": "also", "empty": ""}
    pinned = replace(BOTH, pins=pins, retired=frozenset({"embeds"}))
    assert pinned.resolve_embedding("house") is pinned.resolve_embedding("gemini-embedding-001") is ALSO
    assert pinned.resolve("empty") is FIRST
    assert not pinned.embeds("embeds")
    assert "embeds" not in dict(pinned.names())


def test_where_nothing_embeds_no_alias_does():
    assert not Served((FIRST,), embedding_aliases=("gemini-embedding-001",)).embeds("gemini-embedding-001")


def test_both_kinds_are_listed_once():
    assert [name for name, _ in BOTH.names()] == ["first", "embeds", "also", "talks", "gemini-embedding-001"]
