"""The model resource, lists of it, and the query of a page."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.card import ModelCard
from geminid.core.errors import InvalidArgument
from geminid.core.request import Sampling
from geminid.wire.gemini.models import read_page, write_list, write_model, write_page_token

CARD = ModelCard(
    name="gemma-small",
    title="Gemma Small",
    description="A small one.",
    version="3",
    context_tokens_max=4096,
    input_tokens_max=4000,
    output_tokens_max=1024,
)


def test_a_card_is_told_as_a_model_resource():
    body = write_model(CARD, "gemma-small")
    assert body.endswith(b"\n}\n")
    assert b'"temperature": 1,\n' in body
    assert json.loads(body) == {
        "name": "models/gemma-small",
        "version": "3",
        "displayName": "Gemma Small",
        "description": "A small one.",
        "inputTokenLimit": 4000,
        "outputTokenLimit": 1024,
        "supportedGenerationMethods": [
            "generateContent",
            "countTokens",
            "createCachedContent",
            "batchGenerateContent",
        ],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": True,
    }


def test_an_alias_tells_the_base_model():
    told = json.loads(write_model(CARD, "gemini-flash-lite-latest"))
    assert list(told)[:2] == ["name", "baseModelId"]
    assert (told["name"], told["baseModelId"]) == ("models/gemini-flash-lite-latest", "gemma-small")


def test_what_a_card_does_not_say_is_not_told():
    card = ModelCard(
        name="m", title="M", context_tokens_max=1, input_tokens_max=1, output_tokens_max=1,
        defaults=Sampling(top_k=0),
    )  # fmt: skip
    assert not {"description", "temperature", "topP", "topK"} & set(json.loads(write_model(card, "m")))


def test_a_list_has_its_models_in_order_and_the_next_token():
    told = json.loads(write_list([("a", CARD), ("gemma-small", CARD)], "t"))
    assert [model["name"] for model in told["models"]] == ["models/a", "models/gemma-small"]
    assert told["nextPageToken"] == "t"


def test_an_empty_last_page_is_an_empty_object():
    assert write_list([], None) == b"{}\n"
    assert "nextPageToken" not in json.loads(write_list([("a", CARD)], None))


@pytest.mark.parametrize(
    ("said", "size"), [(None, 50), ("", 50), ("0", 50), ("1", 1), ("1000", 1000), ("5000", 1000)]
)
def test_page_sizes_have_a_default_and_a_top(said, size):
    assert read_page(said, None) == (size, 0)


@pytest.mark.parametrize("said", ["abc", "1.5", "9999999999", "٣", " 1"])
def test_a_page_size_that_is_no_number_is_refused(said):
    with pytest.raises(InvalidArgument) as caught:
        read_page(said, None)
    assert caught.value.message == f"Invalid value at 'page_size' (TYPE_INT32), \"{said}\""
    assert caught.value.violations[0].field == "page_size"


def test_a_negative_page_size_is_refused():
    with pytest.raises(InvalidArgument, match="must not be negative"):
        read_page("-1", None)


@given(st.integers(0, 10**12))
def test_a_page_token_leads_back_to_its_offset(offset):
    assert read_page(None, write_page_token(offset)) == (50, offset)


@given(st.text(min_size=1))
def test_a_token_that_was_not_given_is_refused(token):
    with pytest.raises(InvalidArgument, match="page_token is invalid"):
        read_page(None, token)
