"""One process serves cards and aliases; every name means exactly one card."""

from __future__ import annotations

import pytest

from geminid.catalog.served import Served
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
