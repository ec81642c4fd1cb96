"""Cached contents as operators see them over HTTP."""

import time

import pytest

from administering import asking
from geminid.core.usage import Usage
from geminid.store import caches
from geminid.store import usage as usage_rows
from geminid.store.caches import CacheRow
from geminid.store.tables import cache_contents, usage
from geminid.store.tables import caches as table
from geminid.store.usage import UsageRow

HOUR_NS = 3600 * 10**9


@pytest.fixture
async def client(tmp_path):
    async with asking(tmp_path) as opened:
        yield opened


def row(name, project="default", **fields):
    now = time.time_ns()
    said = {"created_ns": now - HOUR_NS, "updated_ns": now, "expires_ns": now + HOUR_NS, **fields}
    tokens = Usage(prompt=2_000, media={"image": 500})
    return CacheRow(
        project=project, id=name, model="m", asked="m-latest", usage=tokens, nano_per_million=10**9, **said
    )


async def kept(client, *rows):
    def act(connection):
        for each in rows:
            values = dict(zip(caches.COLUMNS, caches.columns(each), strict=True))
            connection.execute(table.insert().values(**values))
            connection.execute(cache_contents.insert().values(project=each.project, id=each.id, value=b"x"))

    await client.room.database.write(act)


async def used(client, cache, hits):
    names = [column.name for column in usage.columns]
    rows = [
        UsageRow(
            id=f"{cache}-{number}",
            request=f"{cache}-{number}",
            project="default",
            model="m",
            asked="m-latest",
            tier="standard",
            usage=Usage(prompt=2_010, cached=2_000),
            cost_nano=60_000,
            outcome="finished",
            created_ms=1,
            cache=cache,
            saved_nano=450_000,
        )
        for number in range(hits)
    ]
    values = [dict(zip(names, usage_rows.columns(each), strict=True)) for each in rows]
    await client.room.database.write(lambda c: c.execute(usage.insert(), values))


async def test_cached_contents_are_told_with_their_use_and_cost(client):
    await kept(client, row("a" * 40, display_name="The lease"))
    await used(client, "a" * 40, 3)
    told = await client.done("GET", f"/caches/{'a' * 40}")
    assert (told["tokens"], told["tokensByModality"]) == (2_000, {"text": 1_500, "image": 500})
    assert (told["hits"], told["cachedTokens"], told["saved"]) == (3, 6_000, "0.00135")
    assert (told["perMillionHours"], told["displayName"], told["asked"]) == ("1", "The lease", "m-latest")
    assert 0.002 <= float(told["storage"]) < 0.0021  # an hour, and the seconds of this test


async def test_the_list_has_pages_and_may_be_of_one_project(client):
    names = [letter * 40 for letter in "abc"]
    await kept(
        client, *(row(name, created_ns=number) for number, name in enumerate(names)), row("d" * 40, "other")
    )
    page = await client.done("GET", "/caches?project=default&pageSize=2")
    assert [each["id"] for each in page["caches"]] == [names[2], names[1]]
    rest = await client.done("GET", f"/caches?project=default&pageSize=2&pageToken={page['nextPageToken']}")
    assert ([each["id"] for each in rest["caches"]], rest["nextPageToken"]) == ([names[0]], "")
    assert len((await client.done("GET", "/caches"))["caches"]) == 4
    assert (await client.ask("GET", "/caches?pageToken=nonsense")).status_code == 400


async def test_what_is_ended_is_billed_traced_and_gone(client):
    await kept(client, row("a" * 40))
    await client.done("DELETE", f"/caches/{'a' * 40}")
    for method in ("GET", "DELETE"):
        answer = await client.ask(method, f"/caches/{'a' * 40}")
        assert answer.status_code == 404
    receipt = await client.done("GET", f"/projects/default/usage/storage-{'a' * 40}")
    assert (receipt["verb"], receipt["cache"], receipt["lines"][0]["item"]) == (
        "storage",
        "a" * 40,
        "storage",
    )
    assert (await client.done("GET", "/audit"))["changes"][0]["action"] == "caches.delete"
