"""The routes of usage, statements, timelines, the ledger and budgets."""

import pytest

from administering import asking
from geminid.billing.rating import CostLine
from geminid.core.usage import Usage
from geminid.service.generate import RequestRecord
from geminid.service.recorder import Recorder
from geminid.store import usage as usage_rows
from geminid.store.tables import usage
from geminid.store.usage import UsageRow


@pytest.fixture
async def client(tmp_path):
    async with asking(tmp_path) as opened:
        await opened.done("POST", "/projects", {"id": "team"})
        yield opened


def row(number, project="team", **fields):
    line = CostLine(item="prompt", modality="text", quantity=10, nano_per_million=10**9, cost_nano=10_000)
    said = {
        "usage": Usage(prompt=10, candidates=3, media={"image": 4}),
        "lines": (line,),
        "cost_nano": 10_000,
        "bound_nano": 20_000,
        "outcome": "finished",
        "created_ms": 1_000 * number,
        "accepted_ms": 5,
        "first_token_ms": 9,
        "took_ms": 20,
        "settled_ms": 1_000 * number + 21,
    }
    made = {
        "id": f"r{number}",
        "request": f"r{number}",
        "project": project,
        "model": "m",
        "asked": "m-latest",
    }
    return UsageRow(**made, tier="standard", **said | fields)


async def used(client, *rows):
    names = [column.name for column in usage.columns]
    values = [dict(zip(names, usage_rows.columns(each), strict=True)) for each in rows]
    await client.room.database.write(lambda c: c.execute(usage.insert(), values))


async def test_a_receipt_says_what_a_request_was(client):
    await used(client, row(1, labels={"a": "b"}, key_id="key-1", key_name="ann"))
    told = await client.done("GET", "/projects/team/usage/r1")
    assert told == {
        "receipt": "r1",
        "project": "team",
        "request": "r1",
        "keyId": "key-1",
        "keyName": "ann",
        "labels": {"a": "b"},
        "model": "m",
        "asked": "m-latest",
        "tier": "standard",
        "outcome": "finished",
        "tokens": {
            "prompt": 10,
            "cached": 0,
            "candidates": 3,
            "thoughts": 0,
            "promptByModality": {"text": 6, "image": 4},
            "cachedByModality": {},
        },
        "verb": "generate",
        "cache": "",
        "saved": "0",
        "lines": [
            {"item": "prompt", "modality": "text", "quantity": 10, "perMillion": "1", "cost": "0.00001"}
        ],
        "cost": "0.00001",
        "bound": "0.00002",
        "unpaid": "0",
        "entry": None,
        "createTime": "1970-01-01T00:00:01Z",
        "settleTime": "1970-01-01T00:00:01.021000Z",
        "tookMs": 20,
        "phases": [
            {"name": "accept", "startMs": 0, "tookMs": 5},
            {"name": "prefill", "startMs": 5, "tookMs": 4},
            {"name": "decode", "startMs": 9, "tookMs": 11},
        ],
    }


async def test_anothers_receipt_is_as_one_that_never_was(client):
    await used(client, row(1, "default"))
    for receipt in ("r1", "r2"):
        answer = await client.ask("GET", f"/projects/team/usage/{receipt}")
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == f"There is no receipt {receipt} here."


async def test_whoever_reads_on_misses_nothing(client):
    await used(client, *(row(number) for number in range(5)))
    first = await client.done("GET", "/projects/team/usage?pageSize=3")
    await used(client, row(9, created_ms=0, settled_ms=9_000))  # came long ago, ended now
    rest = await client.done("GET", f"/projects/team/usage?pageSize=3&pageToken={first['nextPageToken']}")
    assert [each["receipt"] for each in first["receipts"] + rest["receipts"]] == [
        "r0",
        "r1",
        "r2",
        "r3",
        "r4",
        "r9",
    ]
    some = await client.done(
        "GET", "/projects/team/usage?from=1970-01-01T00:00:02Z&until=1970-01-01T00:00:04Z"
    )
    assert [each["receipt"] for each in some["receipts"]] == ["r2", "r3"]


@pytest.mark.parametrize(
    "path",
    [
        "/projects/team/usage?pageToken=x",
        "/projects/team/usage?pageToken=1.",
        "/projects/team/usage?from=soon",
        "/usage?by=colour",
        "/usage?by=label:",
        "/usage?by=label:a%22b",
        "/usage?zone=Nowhere",
        "/usage?zone=/etc/passwd",
        "/usage?until=9999-99-99",
    ],
)
async def test_what_cannot_be_asked_is_refused(client, path):
    answer = await client.ask("GET", path)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


async def test_sums_over_all_projects_and_of_one(client):
    await used(client, row(1), row(2, labels={"who": "ann"}), row(3, "default", cost_nano=None, lines=()))
    found = await client.done("GET", "/usage?by=project,label:who")
    assert [(each["by"], each["total"]["requests"], each["total"]["unpriced"]) for each in found["sums"]] == [
        ({"project": "default", "label:who": ""}, 1, 1),
        ({"project": "team", "label:who": ""}, 1, 0),
        ({"project": "team", "label:who": "ann"}, 1, 0),
    ]
    assert (found["total"]["cost"], found["keptFromTime"]) == ("0.00002", None)
    one = await client.done("GET", "/usage?project=team")
    assert (one["total"]["requests"], len(one["sums"])) == (2, 1)
    assert (await client.ask("GET", "/usage?project=nobody")).status_code == 404


async def test_timelines_of_the_last_requests(client):
    client.room.acts.recorder.observe(
        RequestRecord(model="m", asked="m", id="none", project="team")
    )  # this one keeps nothing
    assert (await client.done("GET", "/timelines"))["timelines"] == []
    recorder = Recorder(10, client.room.clock)
    client.room.acts.recorder._size = 10
    for number, project in enumerate(("team", "default", "team")):
        made = RequestRecord(
            model="m",
            asked="a",
            id=str(number),
            project=project,
            outcome="finished",
            read_s=0.1,
            took_s=0.2,
            cost_nano=5,
        )
        client.room.acts.recorder.observe(made)
        recorder.observe(made)
    page = await client.done("GET", "/timelines?project=team&pageSize=1")
    assert [each["receipt"] for each in page["timelines"]] == ["2"]
    rest = await client.done("GET", f"/timelines?project=team&pageSize=1&pageToken={page['nextPageToken']}")
    assert [each["receipt"] for each in rest["timelines"]] == ["0"]
    told = await client.done("GET", "/timelines/1")
    assert (told["project"], told["cost"], told["phases"][0]) == (
        "default",
        "0.000000005",
        {"name": "read", "startMs": 0, "tookMs": 100},
    )
    assert (await client.ask("GET", "/timelines/7")).status_code == 404


async def test_the_ledger_is_listed_and_proved(client):
    await client.done("POST", "/projects/team/credits", {"kind": "top_up", "key": "k", "amount": "5"})
    page = await client.done("GET", "/projects/team/ledger")
    assert [(each["kind"], each["amount"]) for each in page["entries"]] == [("top_up", "5")]
    proof = await client.done("GET", "/ledger/proof?project=team")
    assert (proof["sound"], proof["transfers"], proof["posted"], proof["house"]) == (True, 1, "5", "-5")
    statement = await client.done("GET", "/projects/team/statements/2026-09")
    assert statement["sound"]
    assert statement["head"] == page["entries"][0]["seal"]
    for month in ("2026-9", "2026-13", "0000-01", "x" * 300):
        assert (await client.ask("GET", f"/projects/team/statements/{month}")).status_code == 404


async def test_a_budget_and_the_secret_of_its_messages(client):
    said = {"period": "day", "amount": "1.5", "thresholdsPermille": [100], "webhook": "https://x.example"}
    made = await client.done("PUT", "/projects/team/budgets/all", said)
    assert made == {"project": "team", "name": "all", **said, "toldPermille": 0}
    assert await client.done("GET", "/projects/team/budgets") == {"budgets": [made]}
    secret = (await client.done("POST", "/projects/team/hook-secret"))["secret"]
    viewer = await client.done("POST", "/tokens", {"name": "eyes", "role": "viewer"})
    refused = await client.ask("POST", "/projects/team/hook-secret", token=viewer["secret"])
    assert refused.status_code == 403
    assert secret not in (await client.ask("GET", "/audit")).text
    await client.done("DELETE", "/projects/team/budgets/all")
    assert (await client.ask("DELETE", "/projects/team/budgets/all")).status_code == 404
    wrong = await client.ask("PUT", "/projects/team/budgets/all", {**said, "thresholdsPermille": [5, 5]})
    assert wrong.status_code == 400
