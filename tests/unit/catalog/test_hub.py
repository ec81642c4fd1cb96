"""Weights from a hub: the official client, unmodified, against a stand-in server."""

from __future__ import annotations

import json

import pytest

from geminid.catalog import hub as hub_room
from geminid.catalog.catalog import Catalog
from geminid.catalog.faults import BadWeights, ChecksumMismatch
from geminid.catalog.hub import RemoteFile, choose
from geminid.catalog.pull import located, obtain, pull
from geminid.core.card import HubSource
from geminid.core.errors import Unavailable
from unit.catalog.stand_in import card, left_over, serving_hub, sha256, use_hub, write_gguf

SOURCE = HubSource(repo="acme/tiny")
CONFIG = json.dumps({"model_type": "qwen3", "max_position_embeddings": 2048}).encode()


def ignore(progress):
    pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with serving_hub() as hub:
        use_hub(monkeypatch, hub.url)
        hub.files = {
            "README.md": b"# read me",
            "config.json": CONFIG,
            "model.safetensors": b"not wanted",
            "openvino_model.bin": b"\1" * 300_000,
            "openvino_model.xml": b"<net/>",
        }
        yield hub


def test_ir_repository_becomes_a_folder_without_what_is_not_needed(hub, tmp_path):
    seen = []
    path = pull(card(SOURCE), tmp_path / "cache", progress=seen.append)
    assert path == tmp_path / "cache" / "weights" / "tiny" == located(card(SOURCE), tmp_path / "cache")
    assert {file.name for file in path.iterdir()} == {
        "config.json",
        "openvino_model.bin",
        "openvino_model.xml",
        "geminid-manifest.json",
    }
    assert (path / "openvino_model.bin").read_bytes() == hub.files["openvino_model.bin"]
    assert [step.stage for step in seen][-1] == "verify"
    assert seen[-1].done_bytes == seen[-1].total_bytes > 300_000


def test_second_pull_asks_the_hub_nothing(hub, tmp_path):
    pull(card(SOURCE), tmp_path / "cache", progress=ignore)
    hub.requests.clear()
    pull(card(SOURCE), tmp_path / "cache", progress=ignore)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["openvino_model.bin", "config.json"])
def test_file_with_another_digest_than_the_hub_tells_is_refused(hub, tmp_path, name):
    hub.told[name] = "0" * (64 if name.endswith(".bin") else 40)
    with pytest.raises(ChecksumMismatch, match=name):
        pull(card(SOURCE), tmp_path / "cache", progress=ignore)
    assert left_over(tmp_path / "cache") == []


def test_digest_that_the_card_pins_is_held_against_the_file(hub, tmp_path):
    right = sha256(hub.files["openvino_model.bin"])
    pinned = HubSource(repo="acme/tiny", sha256={"openvino_model.bin": right})
    assert pull(card(pinned), tmp_path / "cache", progress=ignore)
    other = HubSource(repo="acme/tiny", sha256={"openvino_model.bin": "0" * 64})
    assert located(card(other), tmp_path / "cache") is None
    with pytest.raises(ChecksumMismatch, match="0" * 64):
        pull(card(other), tmp_path / "cache", progress=ignore)


def test_pinned_file_that_is_not_there_is_told(hub, tmp_path):
    with pytest.raises(BadWeights, match=r"no gone\.bin"):
        pull(
            card(HubSource(repo="acme/tiny", sha256={"gone.bin": "0" * 64})),
            tmp_path / "cache",
            progress=ignore,
        )


def test_unknown_repository_is_refused_with_a_hint(hub, tmp_path):
    with pytest.raises(BadWeights, match=r"(?s)acme/other at main.*hint: .*HF_TOKEN"):
        pull(card(HubSource(repo="acme/other")), tmp_path / "cache", progress=ignore)


def test_hub_that_is_not_there_is_unavailable(monkeypatch, tmp_path):
    use_hub(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="the hub did not give acme/tiny"):
        pull(card(SOURCE), tmp_path / "cache", progress=ignore)


def test_file_that_fails_in_the_middle_leaves_nothing(hub, tmp_path, monkeypatch):
    def vanish(progress):
        hub.files.pop("openvino_model.xml", None)

    choosing = hub_room.choose
    monkeypatch.setattr(hub_room, "choose", lambda *both: (choosing(*both), vanish(None))[0])
    with pytest.raises(BadWeights):
        pull(card(SOURCE), tmp_path / "cache", progress=ignore)
    assert left_over(tmp_path / "cache") == []


def test_interrupt_leaves_nothing(hub, tmp_path):
    def interrupt(progress):
        if progress.stage == "verify":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(card(SOURCE), tmp_path / "cache", progress=interrupt)
    assert left_over(tmp_path / "cache") == []


def test_offline_asks_the_hub_nothing(hub, tmp_path):
    with pytest.raises(Unavailable):
        pull(card(SOURCE), tmp_path / "cache", progress=ignore, offline=True)
    assert hub.requests == []


def test_clients_own_offline_switch_is_honoured(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Unavailable, match="HF_HUB_OFFLINE is set"):
        pull(card(SOURCE), tmp_path / "cache", progress=ignore)
    assert hub.requests == []


def test_hub_that_tells_no_digest_is_not_trusted(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "sibling", lambda name: {"rfilename": name})
    with pytest.raises(BadWeights, match="tells no digest"):
        pull(card(SOURCE), tmp_path / "cache", progress=ignore)


def test_hub_reference_gives_a_card_read_from_the_weights(hub, tmp_path):
    got = obtain("hf:acme/tiny", Catalog.load(), tmp_path / "cache", progress=ignore)
    assert (got.card.name, got.card.context_tokens_max) == ("acme-tiny", 2048)
    assert got.path == located(got.card, tmp_path / "cache")


def test_one_gguf_of_a_repository_is_taken_alone(hub, tmp_path):
    content = write_gguf(tmp_path / "m.gguf").read_bytes()
    hub.files = {"README.md": b"", "sub/m-Q4.gguf": content, "sub/m-Q8.gguf": content}
    got = obtain("hf:acme/tiny:*Q4.gguf", Catalog.load(), tmp_path / "cache", progress=ignore)
    assert got.card.name == "acme-tiny-q4"
    assert got.path == tmp_path / "cache" / "weights" / "acme-tiny-q4" / "sub" / "m-Q4.gguf"


def remote(*names):
    return tuple(RemoteFile(name, 1, "git", "") for name in names)


def test_several_gguf_files_are_refused_with_a_choice():
    with pytest.raises(BadWeights, match=r"hint: choose one: hf:acme/tiny:a\.gguf"):
        choose(SOURCE, remote("a.gguf", "b.gguf"))


def test_repository_without_usable_weights_is_refused():
    with pytest.raises(BadWeights, match="neither"):
        choose(SOURCE, remote("model.safetensors", "config.json"))


def test_file_names_that_would_leave_the_folder_are_never_chosen():
    files, entry = choose(SOURCE, remote("../evil.json", "/etc/x.json", "openvino_model.xml"))
    assert ([file.name for file in files], entry) == (["openvino_model.xml"], "")
