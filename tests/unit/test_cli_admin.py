"""Administration from the command line, as a person meets it."""

import json
import os
import sqlite3
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from geminid.cli.desk import dollars, moment, seconds
from geminid.cli.main import app

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def geminid(tmp_path, monkeypatch):
    """The command line in this process: to start one for each command would take a minute."""
    for name in [name for name in os.environ if name.startswith("GEMINID_")]:
        monkeypatch.delenv(name)
    environ = {"XDG_DATA_HOME": str(tmp_path), "COLUMNS": "200", "NO_COLOR": "1"}

    def run(*arguments, code=0, **more):
        done = CliRunner().invoke(app, arguments, env={**environ, **more})
        assert done.exit_code == code, done.stderr
        if "--json" in arguments and not code:
            return json.loads(done.stdout)
        return Done(done.stdout, done.stderr)

    return run


class Done(NamedTuple):
    stdout: str
    stderr: str


def test_a_team_is_set_up_from_nothing(geminid, tmp_path):
    geminid("projects", "create", "team", "--mode", "prepaid", "--tier", "1")
    made = geminid("keys", "create", "ada", "--project", "team", "--model", "gemini-*", "--expires", "90d")
    secret = made.stdout.strip()
    assert secret.startswith("sk-")
    assert secret not in made.stderr
    (key,) = geminid("keys", "list", "--project", "team", "--json")
    assert (key["name"], key["scopes"]["models"], key["state"]) == ("ada", ["gemini-*"], "active")
    balance = geminid("credits", "topup", "team", "$25", "--key", "invoice-1", "--json")["balance"]
    assert (balance["available"], balance["project"]) == ("25", "team")
    assert geminid("credits", "topup", "team", "25", "--key", "invoice-1", "--json")["repeated"]
    assert geminid("credits", "adjust", "team", "-0.5", "--json")["balance"]["available"] == "24.5"
    limits = geminid("limits", "set", "team", "--model", "m", "--rpm", "5", "--spend-day", "2", "--json")
    assert limits["effective"]["models"]["m"]["rpm"] == 5
    assert limits["effective"]["spending"]["day"] == "2"
    assert "2 entries of 1 projects fit" in geminid("ledger", "verify").stdout
    kinds = [entry["kind"] for entry in geminid("ledger", "list", "team", "--json")]
    assert kinds == ["top_up", "adjust"]
    rows = sqlite3.connect(tmp_path / "geminid" / "geminid.db").execute("SELECT actor FROM audit").fetchall()
    assert all(actor.startswith("cli") for (actor,) in rows)


def test_a_ledger_that_was_tampered_with_is_told_with_the_first_entry_that_does_not_fit(geminid, tmp_path):
    geminid("projects", "create", "team")
    for n in range(3):
        geminid("credits", "topup", "team", "1", "--key", f"k{n}")
    with sqlite3.connect(tmp_path / "geminid" / "geminid.db") as connection:
        connection.execute("UPDATE transfers SET amount_nano = 5 WHERE seq = 2")
    connection.close()
    done = geminid("ledger", "verify", code=1)
    assert "project team, entry 2 (top_up:k1): was changed after it was sealed" in done.stderr
    geminid("ledger", "verify", "--json", code=1)


def test_a_key_is_rotated_and_revoked(geminid):
    geminid("keys", "create", "robot")
    (key,) = geminid("keys", "list", "--json")
    new = geminid("keys", "rotate", key["id"], "--overlap", "12h", "--json")
    assert new["secret"].startswith("sk-")
    assert geminid("keys", "revoke", key["id"], "--json")["state"] == "revoked"


def test_ids_and_seals_are_whole_however_narrow_the_terminal_is(geminid):
    geminid("keys", "create", "[bold]robot", "--model", "a-model-with-a-long-name-*", "--expires", "90d")
    (key,) = geminid("keys", "list", "--json")
    shown = geminid("keys", "list", COLUMNS="40").stdout
    assert key["id"] in shown
    assert "[bold]robot" in shown
    assert len(shown.splitlines()) == 2
    head = geminid("credits", "topup", "default", "1", "--json")["balance"]["head"]
    assert head in geminid("credits", "show", "default", COLUMNS="40").stdout


def test_a_secret_in_the_place_of_an_id_is_not_repeated(geminid):
    secret = geminid("keys", "create", "robot").stdout.strip()
    told = geminid("keys", "revoke", secret, code=1).stderr
    assert "begins with key-" in told
    assert secret not in told
    token = geminid("tokens", "create", "ops").stdout.strip()
    told = geminid("tokens", "revoke", token, code=1).stderr
    assert "begins with tok-" in told
    assert token not in told


def test_prices_names_and_tokens(geminid):
    geminid("prices", "set", "mine", "input", "0.25")
    geminid("prices", "end", "mine", "input", "--from", "7d")
    assert [entry["perMillion"] for entry in geminid("prices", "history", "mine", "--json")] == ["0.25", None]
    assert "mine" in geminid("prices", "list").stdout
    pinned = geminid("aliases", "pin", "house", "smollm2-135m-instruct", "--json")
    assert pinned["target"] == "smollm2-135m-instruct"
    assert geminid("aliases", "retire", "house", "--json")["retired"]
    geminid("aliases", "forget", "house")
    assert geminid("tokens", "create", "ops", "--role", "viewer").stdout.startswith("adm-")
    assert [token["role"] for token in geminid("tokens", "list", "--json")] == ["viewer"]
    assert "token.create" in geminid("audit").stdout


def test_problems_are_told_in_words(geminid):
    assert "There is no project nobody." in geminid("projects", "show", "nobody", code=1).stderr
    assert (
        "id: Expected 3 to 63 lower case letters" in geminid("projects", "create", "Not an id", code=1).stderr
    )
    assert "mode" in geminid("projects", "create", "team", "--mode", "free", code=1).stderr
    geminid("credits", "topup", "default", "1.0000000001", code=2)
    geminid("limits", "set", "default", "--rpm", "many", code=2)
    geminid("keys", "create", "x", "--expires", "soon", code=2)


def test_a_server_beyond_this_machine_needs_a_key_in_the_settings_or_in_the_database(geminid):
    arguments = ("serve", "--model", "nope", "--host", "0.0.0.0", "--port", "0")
    assert "geminid keys create" in geminid(*arguments, code=1).stderr
    geminid("keys", "create", "first")
    assert "Without keys" not in geminid(*arguments, code=1).stderr


def test_the_password_of_a_database_is_not_shown(geminid):
    environ = {"GEMINID_STORE_URL": "postgresql://user:s3cret@host/name"}
    assert "s3cret" not in geminid("config", **environ).stdout
    rows = geminid("config", "--json", **environ)
    assert (
        next(row for row in rows if row["setting"] == "store.url")["value"]
        == "postgresql://user:***@host/name"
    )


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-12-31", "2026-12-31T00:00:00+00:00"),
        ("2026-12-31T12:00:00+01:00", "2026-12-31T12:00:00+01:00"),
        ("90d", "2027-02-23T12:00:00+00:00"),
        ("12h", "2026-11-26T00:00:00+00:00"),
        (None, None),
    ],
)
def test_moments_are_dates_times_or_spans(text, time):
    assert moment(text, lambda: NOW) == time


@pytest.mark.parametrize("read", [moment, seconds, dollars])
def test_what_is_none_of_them_is_a_wrong_command(read):
    with pytest.raises(typer.BadParameter):
        read("soon")
