"""The model that embeds on the command line: listed, fetched, missed with a warning, looked for by doctor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from made.encoders import HIDDEN, PLACES, save_encoder

CARDS = """
[[embedding]]
name = "tiny-encoder"
title = "Tiny encoder"
dimensions = {dimensions}
context_tokens_max = {tokens}

[[embedding.sources]]
type = "file"
path = "{path}"
"""


@pytest.fixture
def environ(tmp_path):
    """Settings under which the model that embeds is ``tiny-encoder``, which is not there yet."""
    cards = CARDS.format(dimensions=HIDDEN, tokens=PLACES, path=tmp_path / "encoder")
    (tmp_path / "cards.toml").write_text(cards)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GEMINID_")}
    return {
        **clean,
        "XDG_DATA_HOME": str(tmp_path),
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "GEMINID_CATALOG_CARDS": str(tmp_path / "cards.toml"),
        "GEMINID_CATALOG_EMBEDDING": "tiny-encoder",
        "GEMINID_MEDIA_SPEECH": "",
    }


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


def finding(done):
    return next(each for each in json.loads(done.stdout) if each["check"] == "embedding")


def listed(done, name):
    return next(each for each in json.loads(done.stdout)["embeddings"] if each["name"] == name)


def test_models_and_doctor_say_whether_it_is_here_and_pull_brings_it(geminid, tmp_path):
    assert not listed(geminid("models", "--json"), "tiny-encoder")["here"]
    missing = finding(geminid("doctor", "--json"))
    assert (missing["verdict"], missing["hint"]) == ("note", "run: geminid pull tiny-encoder")
    assert geminid("pull", "tiny-encoder").returncode == 1

    folder = save_encoder(tmp_path / "encoder")
    done = geminid("pull", "tiny-encoder")
    assert (done.returncode, done.stdout) == (0, f"tiny-encoder: {folder}\n")
    told = listed(geminid("models", "--json"), "tiny-encoder")
    assert (told["here"], told["path"], told["dimensions"], told["contextTokens"]) == (
        *(True, str(folder)),
        *(HIDDEN, PLACES),
    )
    assert finding(geminid("doctor", "--json"))["verdict"] == "ok"


def test_models_lists_the_shipped_ones_for_people(geminid):
    line = next(line for line in geminid("models").stdout.splitlines() if "all-minilm-l6-v2" in line)
    assert line.split() == ["all-minilm-l6-v2", "no", "384", "256", "23", "M", "Apache-2.0", "yes"]


def test_a_folder_may_be_named(geminid, tmp_path):
    folder = save_encoder(tmp_path / "encoder")
    told = finding(geminid("doctor", "--json", GEMINID_CATALOG_EMBEDDING=str(folder)))
    assert (told["verdict"], told["seen"]) == (
        "ok",
        f"encoder, vectors of {HIDDEN} numbers",
    )


def test_a_model_that_is_unknown_is_a_wrong_setting(geminid):
    unknown = {"GEMINID_CATALOG_EMBEDDING": "no-such-model"}
    assert finding(geminid("doctor", "--json", **unknown))["verdict"] == "wrong"
    done = geminid("serve", "--model", "scripted", "--port", "0", **unknown)
    assert done.returncode == 1
    assert "embedding model no-such-model is not known here" in done.stderr


def test_embedding_that_is_turned_off_is_no_fault(geminid):
    assert finding(geminid("doctor", "--json", GEMINID_CATALOG_EMBEDDING=""))["verdict"] == "ok"


@pytest.mark.parametrize(
    ("here", "more", "said"),
    [
        (True, {}, "embeddings: tiny-encoder (and "),
        (
            False,
            {},
            "embeddings: none, for tiny-encoder is not here; fetch it with: geminid pull tiny-encoder",
        ),
        (False, {"GEMINID_CATALOG_EMBEDDING": "auto"}, "embeddings: scripted-embedding (and "),
    ],
)
def test_serve_says_which_and_serves_all_the_same_when_it_cannot_be_had(environ, here, more, said, tmp_path):
    if here:
        save_encoder(tmp_path / "encoder")
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
        assert said in log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
