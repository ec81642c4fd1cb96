"""The command line as a person meets it: words, exit statuses, JSON."""

import json
import os
import socket
import subprocess
import sys

import pytest

from geminid.cli.serve import is_loopback


@pytest.fixture
def geminid(tmp_path):
    def run(*arguments, environ=None, stdin=None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GEMINID_")}
        return subprocess.run(
            [sys.executable, "-m", "geminid.cli.main", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            input=stdin,
            env={
                **clean,
                "XDG_DATA_HOME": str(tmp_path),
                "COLUMNS": "200",
                "NO_COLOR": "1",
                **(environ or {}),
            },
        )

    return run


def test_generate_streams_the_answer_to_stdout_and_nothing_else(geminid):
    done = geminid("generate", "hello big world", "--model", "scripted")
    assert (done.returncode, done.stdout) == (0, "hello big world\n")


def test_generate_reads_stdin_and_writes_json_in_the_shape_of_the_wire(geminid):
    done = geminid(
        "generate", "-", "--model", "scripted", "--json", "--max-output-tokens", "1", stdin="two words"
    )
    answer = json.loads(done.stdout)
    assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert answer["usageMetadata"]["totalTokenCount"] == 3


def test_a_problem_is_two_lines_with_a_hint(geminid):
    done = geminid("generate", "hello")
    assert done.returncode == 1
    what, hint = done.stderr.strip().splitlines()
    assert what.startswith("error: ")
    assert hint.startswith("hint: ")
    assert "geminid pull smollm2-135m-instruct" in hint


@pytest.mark.parametrize(
    "arguments", [("serve", "--model", "nope"), ("pull", "nope"), ("generate", "x", "--model", "./no.gguf")]
)
def test_unknown_models_are_told_without_a_traceback(geminid, arguments):
    done = geminid(*arguments)
    assert done.returncode == 1
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_wrong_setting_is_told_at_once(geminid):
    done = geminid("config", environ={"GEMINID_SERVER_PORT": "x", "GEMINID_LOG_LEVEL": "loud"})
    assert done.returncode == 2
    assert "server.port" in done.stderr
    assert "log.level" in done.stderr


def test_config_shows_values_and_where_they_came_from_but_no_keys(geminid):
    environ = {"GEMINID_SERVER_KEYS": "sk-secret", "GEMINID_SERVER_PORT": "81"}
    rows = {row["setting"]: row for row in json.loads(geminid("config", "--json", environ=environ).stdout)}
    assert rows["server.port"]["value"] == 81
    assert rows["server.port"]["source"] == "GEMINID_SERVER_PORT"
    assert rows["server.host"]["source"] == "default"
    assert rows["server.keys"]["value"] == "1 set"
    assert "sk-secret" not in geminid("config", environ=environ).stdout


def test_models_lists_the_catalogue_for_people_and_machines(geminid):
    listed = json.loads(geminid("models", "--json").stdout)
    default = next(row for row in listed["models"] if row["name"] == "smollm2-135m-instruct")
    assert (default["here"], default["tested"], default["contextTokens"]) == (False, True, 8192)
    assert "gemini-3.1-flash-lite" in listed["aliases"]
    assert "smollm2-135m-instruct" in geminid("models").stdout


def test_doctor_says_what_is_wrong_and_how_to_mend_it(geminid):
    done = geminid("doctor", "--json")
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 1
    assert findings["model"]["verdict"] == "wrong"
    assert findings["model"]["hint"] == "run: geminid pull smollm2-135m-instruct"
    assert findings["engine"]["verdict"] == "ok"
    assert "hint: run: geminid pull" in geminid("doctor").stdout


def test_a_taken_port_is_told_before_a_model_is_loaded(geminid):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = geminid("serve", "--model", "scripted", "--port", port)
        examined = geminid("doctor", "--model", "scripted", environ={"GEMINID_SERVER_PORT": port})
    assert done.returncode == 1
    assert "hint: choose another with --port" in done.stderr
    assert examined.returncode == 1


def test_a_server_without_keys_does_not_listen_beyond_this_machine(geminid):
    done = geminid("serve", "--model", "scripted", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 1
    assert "GEMINID_SERVER_KEYS" in done.stderr


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("example.test", False),
    ],
)
def test_loopback_is_judged_by_address(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("name", "reason"), [("nope.png", "No such file or directory."), (".", "It is not a file;")]
)
@pytest.mark.parametrize("command", [["read"], ["generate", "hi", "--model", "scripted", "--file"]])
def test_a_file_that_cannot_be_read_is_named(geminid, tmp_path, command, name, reason):
    done = geminid(*command, str(tmp_path / name))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[0].startswith("error: ")
    assert f"{tmp_path / name}: It" in done.stderr
    assert reason in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"), [(("--fps", "0"), "--fps"), (("--start", "3", "--end", "3"), "after --start")]
)
def test_a_stretch_or_rate_that_there_cannot_be_is_a_wrong_command(geminid, flags, said):
    done = geminid("read", "film.mp4", *flags)
    assert done.returncode == 2
    assert said in done.stderr


def test_several_files_are_read_under_their_names(geminid, tmp_path):
    (tmp_path / "a.txt").write_text("words of a\n")
    (tmp_path / "b.txt").write_text("words of b")
    a, b = (str(tmp_path / name) for name in ("a.txt", "b.txt"))
    assert geminid("read", a, b).stdout == f"[{a}]\nwords of a\n[{b}]\nwords of b\n"
    assert geminid("read", a).stdout == "words of a\n"


def test_help_and_version_need_no_engine(geminid):
    assert "serve" in geminid("--help").stdout
    assert geminid("version").stdout.strip() == "0.1.0"
