import os
import subprocess
import time

import pytest

from geminid.core.errors import FailedPrecondition
from geminid.engines.openvino import weights as module
from geminid.engines.openvino.weights import best_precision, converted, located


def test_a_folder_needs_no_conversion(tmp_path):
    assert converted(tmp_path, tmp_path / "cache") == tmp_path


def test_a_file_that_changed_is_converted_anew(tmp_path):
    path = tmp_path / "w.gguf"
    path.write_bytes(b"1")
    first = located(path, tmp_path)
    path.write_bytes(b"22")
    assert located(path, tmp_path) != first
    assert located(path, tmp_path, "f32") != located(path, tmp_path, "packed")


def test_a_conversion_that_fails_leaves_nothing_and_tells_the_last_words(tmp_path):
    path = tmp_path / "w.gguf"
    path.write_bytes(b"GGUF garbage")
    with pytest.raises(FailedPrecondition, match="cannot be read by the engine"):
        converted(path, tmp_path / "cache")
    assert list((tmp_path / "cache" / "converted").iterdir()) == []


def test_a_conversion_is_done_once_and_is_visible_only_when_complete(tmp_path, monkeypatch):
    path, runs = tmp_path / "w.gguf", []
    path.write_bytes(b"x")

    def convert(command, **_):
        runs.append(command)
        scratch = command[-2]
        assert not located(path, tmp_path).exists()
        with open(f"{scratch}/openvino_model.xml", "w") as model:
            model.write("<net/>")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", convert)
    folder = converted(path, tmp_path)
    assert converted(path, tmp_path) == folder
    assert (folder / "openvino_model.xml").read_text() == "<net/>"
    assert len(runs) == 1
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]


def test_what_a_killed_conversion_left_is_swept_an_hour_later(tmp_path, monkeypatch):
    path, parent = tmp_path / "w.gguf", tmp_path / "converted"
    path.write_bytes(b"GGUF garbage")
    for name, age_s in (("old", 4000), ("new", 10)):
        (parent / f".convert-{name}").mkdir(parents=True)
        os.utime(parent / f".convert-{name}", times=(time.time() - age_s,) * 2)
    with pytest.raises(FailedPrecondition):
        converted(path, tmp_path)
    assert [each.name for each in parent.iterdir()] == [".convert-new"]


def test_only_small_files_on_machines_without_avx512_are_unpacked(tmp_path, monkeypatch):
    small, large = tmp_path / "s.gguf", tmp_path / "l.gguf"
    small.write_bytes(b"x")
    with large.open("wb") as file:
        file.truncate(1 << 30)
    monkeypatch.setattr(module, "_has_avx512", lambda: False)
    assert (best_precision(small), best_precision(large), best_precision(tmp_path)) == (
        "f32",
        "packed",
        "packed",
    )
    monkeypatch.setattr(module, "_has_avx512", lambda: True)
    assert best_precision(small) == "packed"
