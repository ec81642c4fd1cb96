"""Usage, statements and budgets from the command line, as a person meets them."""

import asyncio
import csv
import json
import os
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import sqlalchemy
from arro3.io import read_parquet
from typer.testing import CliRunner

from geminid.cli.main import app
from geminid.core.caller import Caller
from geminid.core.usage import Usage
from geminid.service.retention import Retention
from geminid.service.spans import month_of, zone_of
from geminid.store.database import sqlite_url
from money import Clock, house

DAY_MS = 86_400_000
NOVEMBER = month_of("2026-11", zone_of("UTC"))


def database(tmp_path):
    folder = tmp_path / "geminid"
    folder.mkdir(exist_ok=True)
    return sqlite_url(folder / "geminid.db")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A prepaid project with six requests in two days of November, and one with a request after payment."""
    tmp_path = tmp_path_factory.mktemp("kept")

    async def fill():
        clock = Clock()
        clock.ms = NOVEMBER.from_ms + DAY_MS
        async with house(database(tmp_path), clock=clock) as made:
            team, other = (
                await made.project("team", credit_nano=10**9),
                await made.project("other", mode="postpaid"),
            )
            for number in range(6):
                caller = Caller(project="team", key_id="", key_name=f"key{number % 2}")
                labels = {"who": '=cmd|"x"' if number else "ann"}
                charge = await made.admitted(caller, 1_000, 200, labels=labels)
                usage = Usage(prompt=1_000, cached=100, candidates=50, thoughts=7, media={"audio": 20})
                await made.settled(charge, usage, "finished" if number != 3 else "UNAVAILABLE")
                clock.ms += DAY_MS // 3
            await made.settled(await made.admitted(other, 10, 10), Usage(prompt=10, candidates=1))
            rows = await made.rows("team")
            assert team.project == "team"
            return [row.id for row in rows]

    receipts = asyncio.run(fill())
    return tmp_path, receipts


@pytest.fixture
def geminid(kept, monkeypatch):
    """The command line in this process: to start one for each command would take a minute."""
    for name in [name for name in os.environ if name.startswith("GEMINID_")]:
        monkeypatch.delenv(name)
    environ = {"XDG_DATA_HOME": str(kept[0]), "COLUMNS": "200", "NO_COLOR": "1"}

    def run(*arguments, code=0):
        done = CliRunner().invoke(app, arguments, env=environ)
        assert done.exit_code == code, done.stderr
        run.stderr = done.stderr
        return done.stdout_bytes

    return run


def test_usage_is_summed_by_what_is_asked_for(geminid):
    table = geminid("usage", "--zone", "UTC").decode().split()
    assert "2026-11-02" in table
    found = json.loads(geminid("usage", "--by", "project,key", "--json"))
    assert [(each["by"], each["total"]["requests"], each["total"]["cost"]) for each in found["sums"]] == [
        ({"project": "other", "keyId": "", "keyName": ""}, 1, "0.000012"),
        ({"project": "team", "keyId": "", "keyName": "key0"}, 3, "0.003342"),
        ({"project": "team", "keyId": "", "keyName": "key1"}, 3, "0.002228"),
    ]
    assert (found["total"]["cost"], found["total"]["credits"]) == ("0.005582", "0.00557")
    tokens = found["sums"][1]["total"]["tokens"]
    assert tokens == {
        "prompt": 3000,
        "cached": 300,
        "candidates": 150,
        "thoughts": 21,
        "promptByModality": {"text": 2940, "audio": 60},
        "cachedByModality": {"text": 300},
    }


def test_usage_of_a_time_a_project_and_a_label(geminid):
    ask = ("usage", "--project", "team", "--json", "--by")
    one = json.loads(geminid(*ask, "label:who", "--from", "2026-11-02", "--until", "2026-11-03"))
    assert {each["by"]["label:who"]: each["total"]["requests"] for each in one["sums"]} == {
        "ann": 1,
        '=cmd|"x"': 2,
    }
    none = json.loads(geminid(*ask, "model", "--from", "2026-11-09"))
    assert none["sums"] == []
    geminid("usage", "--by", "colour", code=1)
    geminid("usage", "--project", "nobody", code=1)
    geminid("usage", "--zone", "Mars/North", code=1)
    geminid("usage", "--from", "soon", code=2)


def test_days_of_another_zone_are_other_days(geminid):
    def days(zone):
        found = json.loads(geminid("usage", "--project", "team", "--by", "day", "--zone", zone, "--json"))
        return {each["by"]["day"]: each["total"]["requests"] for each in found["sums"]}

    assert days("UTC") == {"2026-11-02": 3, "2026-11-03": 3}
    assert days("America/Los_Angeles") == {"2026-11-01": 1, "2026-11-02": 3, "2026-11-03": 2}


def test_one_request_with_its_bill_and_its_phases(geminid, kept):
    found = json.loads(geminid("usage", "show", kept[1][0], "--json"))
    assert (found["project"], found["cost"], found["entry"], found["labels"]) == (
        "team",
        "0.001114",
        3,
        {"who": "ann"},
    )
    assert [line["item"] for line in found["lines"]] == [
        "prompt",
        "prompt",
        "cached",
        "candidates",
        "thoughts",
    ]
    assert sum(Decimal(line["cost"]) for line in found["lines"]) == Decimal(found["cost"])
    assert b"candidates" in geminid("usage", "show", kept[1][0])
    geminid("usage", "show", "nothing", code=1)


@pytest.mark.parametrize("receipt", ["-jAbc", "--abc", "-h_Qx"])
def test_a_receipt_may_begin_with_a_dash(geminid, receipt, capsys):
    told = geminid("usage", "show", receipt, code=1)
    assert b"Usage:" not in told


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_export_has_every_request_with_exact_amounts(geminid, kept, tmp_path, form):
    file = tmp_path / f"usage.{form}"
    geminid("usage", "export", "--format", form, "--output", str(file), "--project", "team")
    assert "6 requests" in geminid.stderr
    rows = {"csv": from_csv, "jsonl": from_jsonl, "parquet": from_parquet}[form](file)
    assert [row["receipt"] for row in rows] == kept[1]
    assert [Decimal(row["cost"]) for row in rows] == [Decimal("0.001114")] * 3 + [0] + [
        Decimal("0.001114")
    ] * 2
    assert {int(row["audio_tokens"]) for row in rows} == {20}
    assert [int(row["entry"]) if row["entry"] else None for row in rows] == [3, 5, 7, None, 11, 13]
    geminid("usage", "export", "--format", form, "--output", str(file), code=1)  # which is there


def from_csv(file):
    return list(csv.DictReader(file.read_text().splitlines()))


def from_jsonl(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def from_parquet(file):
    table = read_parquet(file).read_all()
    assert str(table.schema.field("cost").type).startswith("arro3.core.DataType<Decimal128(19, 9)>")
    names = table.schema.names
    columns = [[cell.as_py() for cell in table[name]] for name in names]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def test_an_export_to_stdout_of_everything(geminid):
    lines = geminid("usage", "export", "--format", "jsonl").splitlines()
    assert [json.loads(line)["project"] for line in lines] == ["other"] + ["team"] * 6
    assert geminid("usage", "export", "--from", "2026-11-09").decode().count("\n") == 1


def test_what_a_spreadsheet_would_run_is_text(geminid):
    assert b"\n=" not in geminid("usage", "export")


def test_a_statement_for_people_for_programs_and_for_tables(geminid):
    text = geminid("statement", "team", "2026-11").decode()
    assert "| Charged for usage | 5 | -0.00557 |" in text
    assert "| At the end |  | 0.99443 |" in text
    found = json.loads(geminid("statement", "team", "2026-11", "--format", "json"))
    assert (found["sound"], found["used"], found["due"]) == (True, "0.00557", "0")
    rows = list(csv.reader(geminid("statement", "team", "2026-11", "--format", "csv").decode().splitlines()))
    amounts = {(row[2], row[3]): row[8] for row in rows if row[2] in ("credits", "total")}
    assert (amounts["credits", "closing"], amounts["total", "used"]) == ("0.99443", "0.00557")
    assert sum(Decimal(row[8]) for row in rows if row[2] == "usage") == Decimal("0.00557")
    geminid("statement", "team", "2026-13", code=1)
    geminid("statement", "nobody", code=1)


def test_an_invoice_that_agrees_and_one_that_does_not(geminid, tmp_path):
    columns = (
        "--column",
        "day=date",
        "--column",
        "model=name",
        "--column",
        "input=in",
        "--column",
        "amount=usd",
    )
    good = tmp_path / "good.csv"
    good.write_text("date,name,in,usd\n2026-11-02,theirs,3000,0.003342\n2026-11-03,theirs,3000,0.002228\n")
    ask = ("reconcile", "--month", "2026-11", *columns, "--model", "theirs=tiny", "--project", "team")
    assert b"2 days of models agree" in geminid(*ask, str(good))
    bad = tmp_path / "bad.csv"
    bad.write_text("date,name,in,usd\n2026-11-02,theirs,3000,0.0034\n2026-11-03,theirs,3000,0.002228\n")
    found = json.loads(geminid(*ask, str(bad), "--json", code=1))
    assert found["differences"] == [
        {"day": "2026-11-02", "model": "tiny", "figure": "amount", "ours": "0.003342", "theirs": "0.0034"}
    ]
    assert b"0.000058" in geminid(*ask, str(bad), code=1)
    assert json.loads(geminid(*ask, str(bad), "--json", "--tolerance", "2.5%"))["sound"]
    geminid(*ask, str(tmp_path / "none.csv"), code=1)
    (tmp_path / "latin.csv").write_bytes(b"date,name,in,usd\n2026-11-02,\xe9,1,1\n")
    geminid(*ask, str(tmp_path / "latin.csv"), code=1)
    for wrong in (("--tolerance", "much"), ("--model", "a", "--model", "b"), ("--column", "day")):
        geminid(*ask, str(good), *wrong, code=2)


def test_budgets_from_their_making_to_their_end(geminid):
    geminid(
        "budgets", "set", "team", "all", "100", "--at", "50", "--at", "120", "--webhook", "http://x.example/h"
    )
    (found,) = json.loads(geminid("budgets", "list", "team", "--json"))
    assert (found["amount"], found["period"], found["thresholdsPermille"]) == ("100", "month", [500, 1200])
    assert b"http://x.example/h" in geminid("budgets", "list", "team")
    secret = geminid("budgets", "secret", "team")
    assert secret.startswith(b"whsec_")
    assert secret != geminid("budgets", "secret", "other")
    geminid("budgets", "delete", "team", "all")
    geminid("budgets", "delete", "team", "all", code=1)
    geminid("budgets", "set", "team", "all", "100", "--period", "week", code=1)
    geminid("budgets", "set", "nobody", "all", "100", code=1)


def test_a_statement_that_does_not_fit_ends_with_status_1(geminid, tmp_path, kept, monkeypatch):
    async def spoil(text):
        async with house(database(kept[0])) as made:
            await made.database.write(lambda c: c.execute(sqlalchemy.text(text)))

    asyncio.run(spoil("UPDATE usage SET cost_nano = cost_nano + 1 WHERE entry = 3"))
    text = geminid("statement", "team", "2026-11", code=1).decode()
    assert "- charges: **WRONG** " in text
    assert "receipts: entry 3" in geminid.stderr
    asyncio.run(spoil("UPDATE usage SET cost_nano = cost_nano - 1 WHERE entry = 3"))
    geminid("statement", "team", "2026-11")


def test_old_requests_are_summed_up_and_the_command_says_so(geminid, kept):
    before = json.loads(geminid("usage", "--by", "project,day", "--json"))

    async def sweep():
        clock = Clock()
        clock.ms = int(datetime(2026, 11, 4, tzinfo=UTC).timestamp() * 1000)
        async with house(database(kept[0]), clock=clock) as made:
            return await Retention(made.database, 1, clock).sweep()

    assert asyncio.run(sweep()) == 3
    after = json.loads(geminid("usage", "--by", "project,day", "--json"))
    assert after["sums"] == before["sums"]
    assert after["keptFromTime"] is not None
    geminid("usage")
    assert "kept by the hour" in geminid.stderr
    labels = json.loads(geminid("usage", "--project", "team", "--by", "label:who", "--json"))
    assert {each["by"]["label:who"]: each["total"]["requests"] for each in labels["sums"]} == {
        "?": 3,
        '=cmd|"x"': 3,
    }
    geminid("statement", "team", "2026-11")
