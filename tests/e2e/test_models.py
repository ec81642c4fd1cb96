"""Weights of one's own, and more than one model in one server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving import serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CARD = """
[[card]]
name = "second"
title = "Second"
context_tokens_max = 2048
input_tokens_max = 2048
output_tokens_max = 16
defaults = {{ temperature = 0.0 }}

[[card.sources]]
type = "file"
path = "{path}"
"""


@pytest.fixture(scope="module")
def gguf():
    """The default model's file, pulled if need be."""
    command = [sys.executable, "-m", "geminid.cli.main"]
    subprocess.run([*command, "pull", "smollm2-135m-instruct"], check=True, capture_output=True, timeout=200)
    listed = json.loads(
        subprocess.run([*command, "models", "--json"], check=True, capture_output=True).stdout
    )
    return next(Path(row["path"]) for row in listed["models"] if row["name"] == "smollm2-135m-instruct")


def test_a_file_and_a_card_of_ones_own_are_served_side_by_side(gguf, tmp_path):
    mine = tmp_path / "My Model.gguf"
    os.link(gguf, mine)
    (tmp_path / "cards.toml").write_text(CARD.format(path=gguf))
    environ = {
        "GEMINID_CATALOG_CARDS": str(tmp_path / "cards.toml"),
        "GEMINID_SERVER_DATA": str(tmp_path / "data"),
        "GEMINID_CATALOG_CACHE": str(tmp_path / "data" / "cache"),  # nothing is here but what is named
        "GEMINID_ENGINE_PRECISION": "packed",  # converts in half the time
        "GEMINID_ENGINE_KV_CACHE_GIB": "1",
    }
    body = {
        "contents": [{"parts": [{"text": "What is the capital of France?"}]}],
        "generationConfig": {"maxOutputTokens": 12, "temperature": 0},
    }
    with serving(tmp_path, "--model", str(mine), environ=environ) as server:
        server.wait_ready()
        names = [model["name"] for model in server.get("/v1beta/models?pageSize=1000").json()["models"]]
        assert names[:2] == ["models/my-model", "models/second"]
        alias = server.get("/v1beta/models/gemini-3.1-flash-lite").json()
        assert (alias["baseModelId"], alias["inputTokenLimit"]) == ("my-model", 8192)
        answers = {
            name: server.post(f"/v1beta/models/{name}:generateContent", json=body).json()
            for name in ("gemini-3.1-flash-lite", "second")
        }
        assert [answer["modelVersion"] for answer in answers.values()] == ["my-model", "second"]
        texts = [answer["candidates"][0]["content"]["parts"][0]["text"] for answer in answers.values()]
        assert texts[0] == texts[1]  # the same weights, both greedy
        states = {state["model"]: state["phase"] for state in server.get("/readyz").json()["models"]}
        assert states == {"my-model": "ready", "second": "ready"}
