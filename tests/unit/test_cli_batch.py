"""Batches from the command line, as a person meets them, over a real server."""

import json
import os

import pytest
from typer.testing import CliRunner

from geminid.cli import batch as command
from geminid.cli.main import app


def line(key, text):
    return json.dumps({"key": key, "request": {"contents": [{"parts": [{"text": text}]}]}})


@pytest.fixture
def geminid(scripted, monkeypatch):
    """Run ``geminid batch …`` against the server."""
    for name in [name for name in os.environ if name.startswith(("GEMINID_", "GOOGLE_", "GEMINI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", scripted.url)
    monkeypatch.setattr(command, "LOOK_S", (0.02, 0.1))

    def run(*arguments, status=0):
        done = CliRunner().invoke(
            app, ["batch", *map(str, arguments)], env={"NO_COLOR": "1", "COLUMNS": "200"}
        )
        assert done.exit_code == status, (arguments, done.output, done.exception)
        return done

    return run


@pytest.fixture
def requests(tmp_path):
    """A file of three requests, one of them wrong."""
    path = tmp_path / "some mails · ä.jsonl"
    path.write_text("\n".join([line("a", "first"), "no JSON", line("c", "third")]), "utf-8")
    return path


def submitted(geminid, *arguments):
    return geminid("submit", *arguments).stdout.strip()


def test_a_file_is_submitted_watched_and_its_results_are_written(geminid, requests, tmp_path):
    name = submitted(geminid, requests)
    assert name.startswith("batches/")
    assert geminid("watch", name).stdout == f"{name} succeeded: 2 succeeded, 1 failed\n"
    written = geminid("results", name).stdout.splitlines()
    assert [json.loads(each).get("key") for each in written] == ["a", None, "c"]
    geminid("results", name, "-o", tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text().splitlines() == written


def test_a_job_is_named_with_or_without_its_prefix_and_shown(geminid, requests):
    name = submitted(geminid, requests, "--name", "nightly", "--priority", "-3")
    geminid("watch", name.removeprefix("batches/"))
    shown = geminid("show", name.removeprefix("batches/")).stdout
    for word in (name, "nightly", "succeeded", "-3", f"files/batch-{name.removeprefix('batches/')}"):
        assert word in shown
    told = json.loads(geminid("show", name, "--json").stdout)
    assert told["metadata"]["batchStats"]["failedRequestCount"] == "1"
    assert told["outlook"]["deadline"].endswith("Z")


def test_the_list_has_the_newest_first(geminid, requests):
    first, second = submitted(geminid, requests), submitted(geminid, requests)
    rows = geminid("list").stdout.splitlines()
    assert rows[0].split()[:3] == ["name", "state", "model"]
    assert [row.split()[0] for row in rows[1:3]] == [second, first]
    assert json.loads(geminid("list", "--json").stdout)[0]["name"] == second


def test_submitting_may_wait_for_the_end(geminid, requests):
    told = json.loads(geminid("submit", requests, "--watch", "--json").stdout)
    assert told["done"] is True
    assert "response" not in told


def test_a_job_that_did_not_succeed_is_an_exit_status(geminid, tmp_path):
    path = tmp_path / "slow.jsonl"
    path.write_text("\n".join(line(str(n), f"slowly {n}") for n in range(300)))
    name = submitted(geminid, path)
    refused = geminid("results", name, status=1)
    assert "has no results yet." in refused.stderr
    assert f"geminid batch watch {name}" in refused.stderr
    geminid("cancel", name)
    watched = geminid("watch", name, status=1)
    assert "cancelled" in watched.stdout
    assert watched.stderr == "error: The operation was cancelled.\n"


def test_results_of_a_body_are_lines_too(geminid, scripted):
    requests = [{"request": {"contents": [{"parts": [{"text": "hello"}]}]}, "metadata": {"key": "k"}}]
    made = scripted.post(
        "/v1beta/models/gemini-3.1-flash-lite:batchGenerateContent",
        json={"batch": {"inputConfig": {"requests": {"requests": requests}}}},
    ).json()
    geminid("watch", made["name"])
    (written,) = geminid("results", made["name"]).stdout.splitlines()
    assert json.loads(written)["metadata"] == {"key": "k"}
    assert "inline" in geminid("show", made["name"]).stdout


def test_what_was_deleted_is_not_found(geminid, requests):
    name = submitted(geminid, requests, "--watch").split()[0]
    geminid("delete", name)
    assert geminid("show", name, status=1).stderr == "error: Requested entity was not found.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("submit", "/never/was.jsonl"), "cannot be read: No such file or directory."),
        (("list", "--url", "http://127.0.0.1:9"), "No server answers at http://127.0.0.1:9."),
        (("list", "--url", "nonsense"), "nonsense is no address of a server"),
    ],
)
def test_problems_are_two_lines(geminid, arguments, words):
    assert words in geminid(*arguments, status=1).stderr


def test_a_model_that_is_not_there_is_said_in_the_servers_words(geminid, requests):
    refused = geminid("submit", requests, "--model", "models/never-was", status=1)
    assert "models/never-was is not found" in refused.stderr


@pytest.mark.parametrize(
    ("outlook", "words"),
    [
        ({"eta_s": "3725"}, "about 1:02:05 to go"),
        ({"position": "2"}, "2 before it"),
        ({"position": "0"}, ""),
        ({"note": "waits for credits", "eta_s": "5"}, "waits for credits"),
    ],
)
def test_what_lies_before_a_job_is_said_in_words(outlook, words):
    seen = command.Seen("batches/x", "running", 3, 1, 0, outlook, {})
    assert command._rest(seen) == words
