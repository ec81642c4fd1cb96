"""The commands of the guide about bills, run in their order over some usage."""

import asyncio
import os
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geminid.cli.main import app
from geminid.core.usage import Usage
from geminid.store.database import sqlite_url
from money import Clock, house

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "bill.md"
BLOCK = re.compile(r"```sh\n(.*?)```", re.S)
INVOICE = "date,sku,input_tokens,cost\n2026-11-10,gemini-flash-lite,1000,0.0011\n"


def commands():
    text = "\n".join(BLOCK.findall(GUIDE.read_text()))
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("geminid ")]


async def used(folder):
    """One request in November; return its receipt."""
    clock = Clock()
    clock.ms = int(datetime(2026, 11, 10, 12, tzinfo=UTC).timestamp() * 1000)
    async with house(sqlite_url(folder / "geminid.db"), clock=clock) as made:
        caller = await made.project("shop", credit_nano=10**9)
        charge = await made.admitted(caller, 1_000, 200, labels={"team": "a"})
        await made.settled(charge, Usage(prompt=1_000, candidates=50))
        return charge.asked.receipt


def test_every_command_does_what_the_guide_says(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GEMINID_")]:
        monkeypatch.delenv(name)
    (tmp_path / "geminid").mkdir()
    receipt = asyncio.run(used(tmp_path / "geminid"))
    monkeypatch.chdir(tmp_path)
    Path("invoice.csv").write_text(INVOICE)
    found = commands()
    assert {command[0] for command in found} == {"usage", "statement", "reconcile", "budgets"}
    for command in found:
        words = [
            receipt if word == "RECEIPT" else word.replace("gemini-3.1-flash-lite", "tiny")
            for word in command
        ]
        done = CliRunner().invoke(app, words, env={"XDG_DATA_HOME": str(tmp_path), "NO_COLOR": "1"})
        assert done.exit_code == 0, (command, done.output)
    assert {path.name for path in tmp_path.glob("*.*")} == {
        "invoice.csv",
        "usage.csv",
        "november.jsonl",
        "usage.parquet",
    }


@pytest.mark.parametrize("check", ["ledger", "charges", "receipts", "lines"])
def test_the_guide_explains_every_check(check):
    assert f"| {check} |" in GUIDE.read_text()
