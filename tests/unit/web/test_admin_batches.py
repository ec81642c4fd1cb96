"""Batches as administrators see them."""

import pytest

from administering import START_MS, asking
from geminid.core.batch import Job
from geminid.store import batches as rows
from geminid.store.batches import KeptJob


@pytest.fixture
async def client(tmp_path):
    async with asking(tmp_path) as opened:
        await opened.done("POST", "/projects", {"id": "shop"})
        yield opened


async def put(client, job_id, project="shop", **fields):
    made = {"created_ms": START_MS, "updated_ms": START_MS, "deadline_ms": START_MS + 1000, "model": "m"}
    job = Job(**{"id": job_id, "project": project, "kind": "generate", **made, **fields})
    await client.room.database.write(lambda c: rows.add(c, KeptJob(job=job, blob=f"blob-{job_id}")))


async def test_a_job_is_shown_with_all_that_is_known_of_it(client):
    await put(
        client,
        *("j1",),
        display_name="nightly",
        state="failed",
        lines=5,
        succeeded=1,
        failed=2,
        tokens=70,
        file_id="abc",
        output_id="batch-j1",
        ended_ms=START_MS + 500,
        key_name="laptop",
        fault="no line",
        priority=-3,
    )
    assert await client.done("GET", "/projects/shop/batches/j1") == {
        "project": "shop",
        "name": "j1",
        "displayName": "nightly",
        "model": "m",
        "kind": "generate",
        "state": "failed",
        "priority": -3,
        "requests": 5,
        "succeeded": 1,
        "failed": 2,
        "tokens": 70,
        "inputFile": "files/abc",
        "outputFile": "files/batch-j1",
        "key": "laptop",
        "createTime": "2026-09-21T14:13:20Z",
        "endTime": "2026-09-21T14:13:20.500000Z",
        "deadline": "2026-09-21T14:13:21Z",
        "note": "",
        "fault": "no line",
    }


async def test_the_newest_come_first_page_by_page(client):
    for n in range(5):
        await put(client, f"j{n}", created_ms=START_MS + n)
    await put(client, "other", project="default")
    names, token = [], ""
    while True:
        page = await client.done("GET", f"/projects/shop/batches?pageSize=2&pageToken={token}")
        names += [job["name"] for job in page["batches"]]
        if not (token := page["nextPageToken"]):
            break
    assert names == ["j4", "j3", "j2", "j1", "j0"]
    assert (await client.ask("GET", "/projects/shop/batches?pageToken=x")).status_code == 400


async def test_cancelling_ends_a_job_once_and_leaves_one_trace(client):
    await put(client, "j1", state="running")
    first = await client.done("POST", "/projects/shop/batches/j1/cancel")
    assert first["state"] == "cancelled"
    assert first["endTime"] is not None
    assert await client.done("POST", "/projects/shop/batches/j1/cancel") == first
    changes = await client.done("GET", "/audit?project=shop")
    assert [change["action"] for change in changes["changes"]].count("batch.cancel") == 1


async def test_what_has_ended_stays_as_it_is(client):
    await put(client, "j1", state="succeeded")
    assert (await client.done("POST", "/projects/shop/batches/j1/cancel"))["state"] == "succeeded"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects/shop/batches/foreign"),
        ("GET", "/projects/shop/batches/deleted"),
        ("POST", "/projects/shop/batches/foreign/cancel"),
        ("GET", "/projects/never-was/batches"),
        ("GET", "/projects/never-was/batches/foreign"),
    ],
)
async def test_what_is_not_there_is_not_found(client, method, path):
    await put(client, "foreign", project="default")
    await put(client, "deleted")
    database = client.room.database
    kept = await database.read(lambda c: rows.find(c, "shop", "deleted"))
    await database.write(lambda c: rows.put(c, kept, deleted_ms=START_MS))
    assert (await client.ask(method, path)).status_code == 404
