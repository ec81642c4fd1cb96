"""``geminid store`` as a person meets it."""

import json
import os

import pytest
from typer.testing import CliRunner

from geminid.cli.main import app


@pytest.fixture
def geminid(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GEMINID_")]:
        monkeypatch.delenv(name)

    def run(*arguments, code=0, **environ):
        environ |= {"XDG_DATA_HOME": str(tmp_path), "COLUMNS": "200", "NO_COLOR": "1"}
        done = CliRunner().invoke(app, arguments, env=environ)
        assert done.exit_code == code, done.output
        return done.stdout

    return run


def test_a_backup_is_a_data_directory(geminid, tmp_path):
    geminid("projects", "create", "shop")
    made = json.loads(geminid("store", "backup", str(tmp_path / "copy"), "--json"))
    assert (made["blobs"], made["deleted"]) == (0, 0)
    listed = json.loads(geminid("projects", "list", "--json", "--data", str(tmp_path / "copy")))
    assert {each["id"] for each in listed} == {"default", "shop"}
    geminid("store", "backup", str(tmp_path / "copy"), code=1)


def test_what_is_copied_is_told_by_table(geminid, tmp_path):
    geminid("projects", "create", "shop")
    to = f"sqlite:///{tmp_path / 'other.db'}"
    made = json.loads(geminid("store", "copy", "--to", to, "--json"))
    assert (made["rows"]["projects"], made["ledgerEntries"]) == (2, 0)
    geminid("store", "copy", "--to", to, code=1)


def test_a_database_that_is_not_there_is_neither_copied_nor_made(geminid, tmp_path):
    geminid("store", "backup", str(tmp_path / "copy"), code=1)
    geminid("store", "copy", "--to", f"sqlite:///{tmp_path / 'other.db'}", code=1)
    assert not list(tmp_path.rglob("*.db"))


def test_a_postgresql_is_left_to_its_own_tools(geminid, tmp_path):
    url = "postgresql://nobody@127.0.0.1:1/none"
    geminid("store", "backup", str(tmp_path / "copy"), code=1, GEMINID_STORE_URL=url)
    assert not (tmp_path / "copy").exists()
