"""The commands of the guides about administration, run in their order on a fresh database."""

import asyncio
import os
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geminid.billing import ledger as books
from geminid.billing.orders import Hold, Post
from geminid.cli.main import app
from geminid.store import ledger
from geminid.store.database import Database, sqlite_url

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
BLOCK = re.compile(r"```sh\n(.*?)```", re.S)
REQUEST = "a-receipt"


def commands(guide):
    text = "\n".join(BLOCK.findall((GUIDES / f"{guide}.md").read_text()))
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("geminid ")]


async def charge(path, project):
    """Something that can be refunded: what a request of the project's would leave."""
    database = await Database.open(sqlite_url(path))

    def act(connection):
        orders = [
            Hold(request=REQUEST, amount_nano=10**7, owner="x", expires_ms=2**40),
            Post(request=REQUEST, amount_nano=10**7),
        ]
        decided = books.decide(ledger.lock(connection, project), orders, {}, 1_790_000_000_000)
        ledger.enter(connection, decided.balance, decided.rows)

    await database.write(act)
    await database.close()


@pytest.mark.parametrize("guide", ["team", "keys", "credits", "prices"])
def test_every_command_of_a_guide_does_what_it_says(tmp_path, monkeypatch, guide):
    for name in [name for name in os.environ if name.startswith("GEMINID_")]:
        monkeypatch.delenv(name)
    environ = {"XDG_DATA_HOME": str(tmp_path), "NO_COLOR": "1"}
    run = CliRunner()
    found = commands(guide)
    assert found
    for command in found:
        if command[0] == "serve":
            continue
        if "KEY" in command:
            listed = run.invoke(app, ["keys", "list", "--json"], env=environ).stdout
            command = [re.findall(r'"(key-\w+)"', listed)[0] if word == "KEY" else word for word in command]
        if REQUEST.upper() in command or "REQUEST" in command:
            asyncio.run(charge(tmp_path / "geminid" / "geminid.db", command[2]))
            command = [REQUEST if word == "REQUEST" else word for word in command]
        done = run.invoke(app, command, env=environ)
        assert done.exit_code == 0, (command, done.stdout, done.stderr)
