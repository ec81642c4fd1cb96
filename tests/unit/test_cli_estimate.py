"""``geminid estimate`` as a person meets it."""

import json
import os

import pytest
from typer.testing import CliRunner

from geminid.cli.main import app


@pytest.fixture
def geminid(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GEMINID_")]:
        monkeypatch.delenv(name)
    environ = {
        "XDG_DATA_HOME": str(tmp_path),
        "GEMINID_CATALOG_MODEL": "scripted",
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }

    def run(*arguments, code=0, **options):
        done = CliRunner().invoke(app, arguments, env=environ, **options)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if "--json" in arguments and not code else done.stdout

    return run


def test_every_line_is_told_with_its_price_beside_the_lists(geminid):
    geminid("prices", "set", "gemini-3.1-flash-lite", "input", "0.20")
    said = ("three more words", "--model", "gemini-3.1-flash-lite", "--max-output-tokens", "100")
    found = geminid("estimate", *said, "--json")
    assert (found["asked"], found["model"]) == ("gemini-3.1-flash-lite", "scripted")
    assert (found["promptTokens"], found["promptByModality"]) == (3, {"text": 3})
    assert found["lines"] == [
        {
            "kind": "input",
            "modality": "text",
            "tokens": 3,
            "perMillion": "0.2",
            "listPerMillion": "0.25",
            "discountPercent": "20.0",
            "most": "0.000000601",
        },
        {
            "kind": "output",
            "modality": "text",
            "tokens": 100,
            "perMillion": "1.5",
            "listPerMillion": "1.5",
            "discountPercent": "0.0",
            "most": "0.000150001",
        },
    ]
    assert (found["boundNano"], found["bound"]) == (150_602, "0.000150602")
    assert "at most $0.000150602" in geminid("estimate", *said)


@pytest.mark.parametrize(
    ("tier", "nano"), [("standard", 1_500), ("batch", 750), ("flex", 750), ("priority", 2_700)]
)
def test_each_tier_has_its_price(geminid, tier, nano):
    said = ("--model", "gemini-3.1-flash-lite", "--max-output-tokens", "1", "--tier", tier, "--json")
    (line,) = [each for each in geminid("estimate", "x", *said)["lines"] if each["kind"] == "output"]
    assert round(float(line["most"]) * 10**9) == nano


def test_what_has_no_price_is_told_to_have_none(geminid):
    found = geminid("estimate", "x", "--json")
    assert (found["bound"], found["boundNano"], found["unpriced"]) == (None, None, "scripted has no price.")
    assert "unknown. scripted has no price." in geminid("estimate", "x")
    geminid("prices", "set", "scripted", "input", "1")
    assert (
        geminid("estimate", "x", "--json")["unpriced"] == "scripted has no price for output in tier standard."
    )


def test_names_are_those_of_the_server(geminid):
    geminid("aliases", "pin", "house-model", "scripted")
    assert geminid("estimate", "x", "--model", "house-model", "--json")["model"] == "scripted"
    geminid("aliases", "retire", "gemini-3.1-flash-lite")
    geminid("estimate", "x", "--model", "gemini-3.1-flash-lite", code=1)
    geminid("estimate", "x", "--model", "nobodys-model", code=1)
    geminid("estimate", "x", "--tier", "slow", code=2)


def test_files_and_what_comes_from_stdin_are_counted(geminid, tmp_path):
    (tmp_path / "notes.txt").write_text("one two three four five six seven")
    bare = geminid("estimate", "-", "--json", input="one two three four")
    more = geminid("estimate", "x", "--file", str(tmp_path / "notes.txt"), "--json")
    assert bare["promptTokens"] == 4
    assert more["promptTokens"] >= 8
    assert sum(more["promptByModality"].values()) == more["promptTokens"]


def test_the_bound_is_the_one_that_counting_over_http_tells(geminid, scripted):
    body = {
        "generateContentRequest": {
            "model": "models/gemini-3.1-flash-lite",
            "contents": [{"parts": [{"text": "a b"}]}],
        }
    }
    reply = scripted.post("/v1beta/models/gemini-3.1-flash-lite:countTokens", json=body)
    found = geminid("estimate", "a b", "--model", "gemini-3.1-flash-lite", "--json")
    assert reply.headers["x-geminid-cost-bound-nano"] == str(found["boundNano"])
