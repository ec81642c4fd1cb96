import pytest

from geminid.catalog.catalog import Catalog
from geminid.catalog.families import families, names_of
from geminid.catalog.names import is_name
from geminid.catalog.served import Served
from geminid.core.errors import InvalidArgument, UnknownModel
from make import card


def test_every_name_can_be_served_and_is_no_other_models():
    catalog = Catalog.load()
    for names, _ in families().values():
        assert len(set(names)) == len(names)
        assert all(is_name(name) for name in names)
        assert not set(names) & {*catalog.by_name, *catalog.aliases, *catalog.embedding_aliases}


def test_no_family_is_on_unless_it_is_named():
    assert names_of(()) == ()
    with pytest.raises(UnknownModel):
        Served((card(),), names_of(())).resolve("gpt-5.3-chat-latest")
    assert Served((card(),), names_of(("gpt",))).resolve("gpt-5.3-chat-latest").name == "tiny"


def test_an_unknown_family_is_refused_with_those_there_are():
    with pytest.raises(InvalidArgument, match=r"no family nosuch; known are gpt"):
        names_of(("gpt", "nosuch"))


def test_names_of_models_that_embed_mean_one_that_does():
    wanted = ("gpt", "text-embedding")
    names = names_of(wanted, embeds=True)
    assert "text-embedding-3-small" in names
    assert not set(names) & set(names_of(wanted))
    embedder = Catalog.load().embedding("scripted-embedding")
    served = Served((card(),), names_of(wanted), embeddings=(embedder,), embedding_aliases=names)
    assert served.resolve_embedding("text-embedding-3-large").name == "scripted-embedding"
    with pytest.raises(UnknownModel):
        served.resolve("text-embedding-3-large")
    with pytest.raises(UnknownModel):
        served.resolve_embedding("gpt-5.3-chat-latest")
