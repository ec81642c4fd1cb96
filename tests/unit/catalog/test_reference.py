"""What a person types where a model is wanted is understood, or refused with a hint."""

from __future__ import annotations

import pytest

from geminid.catalog.catalog import Catalog
from geminid.catalog.faults import BadWeights
from geminid.catalog.names import is_name
from geminid.catalog.reference import reference, repository_name
from geminid.core.card import HubSource
from geminid.core.errors import InvalidArgument, UnknownModel
from unit.catalog.stand_in import write_gguf, write_ir

CATALOG = Catalog.load()


@pytest.mark.parametrize("text", ["qwen3-8b", "models/qwen3-8b", "  qwen3-8b\n"])
def test_name_of_the_catalogue_gives_its_card(text):
    assert reference(text, CATALOG) is CATALOG.card("qwen3-8b")


def test_paths_give_the_card_of_what_lies_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_gguf(tmp_path / "m.gguf")
    write_ir(tmp_path / "folder")
    texts = ("m.gguf", "./m.gguf", "file:m.gguf", f"file:{tmp_path}/m.gguf")
    assert {reference(text, CATALOG).name for text in texts} == {"m"}
    assert reference("./folder", CATALOG).name == "folder"


def test_bare_name_of_a_folder_that_is_here_gets_the_hint_to_write_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_ir(tmp_path / "folder")
    with pytest.raises(BadWeights, match=r"hint: write \./folder"):
        reference("folder", CATALOG)


@pytest.mark.parametrize(
    ("text", "source", "name"),
    [
        ("hf:acme/Tiny-ov", HubSource(repo="acme/Tiny-ov"), "acme-tiny-ov"),
        ("hf:acme/tiny@v1.0", HubSource(repo="acme/tiny", revision="v1.0"), "acme-tiny-v1.0"),
        (
            "hf:acme/tiny:*Q4_K_M.gguf",
            HubSource(repo="acme/tiny", files=("*Q4_K_M.gguf",)),
            "acme-tiny-q4-k-m",
        ),
        (
            "hf:acme/tiny@refs/pr/1:sub/x.gguf",
            HubSource(repo="acme/tiny", revision="refs/pr/1", files=("sub/x.gguf",)),
            "acme-tiny-refs-pr-1-sub-x",
        ),
    ],
)
def test_hub_reference_names_repository_revision_and_file(text, source, name):
    assert reference(text, CATALOG) == source
    assert repository_name(source) == name
    assert is_name(name)


@pytest.mark.parametrize("text", ["hf:", "hf:tiny", "hf:a/b/c", "hf:a/b@", "hf:a/b:", "hf:a/b c"])
def test_hub_reference_written_wrongly_is_refused_with_a_hint(text):
    with pytest.raises(InvalidArgument, match="hint: write hf:org/repo"):
        reference(text, CATALOG)


@pytest.mark.parametrize("text", ["nobody", ""])
def test_unknown_name_is_unknown(text):
    with pytest.raises(UnknownModel):
        reference(text, CATALOG)
