"""Rows of jobs: who may take one, what ends it, which bytes are whose."""

import pytest

from geminid.core.batch import Job, Place, Webhook
from geminid.store import batches, owners
from geminid.store.batches import KeptJob
from geminid.store.database import Database
from geminid.store.owners import Owner


@pytest.fixture
async def database(database_url):
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


def job_of(number: int, **said) -> KeptJob:
    fields = {"created_ms": 100 + number, "updated_ms": 1, "deadline_ms": 9, "lines": 3, "tokens": 5, **said}
    job = Job(id=f"job{number}", project="p", model="m", kind="generate", **fields)
    return KeptJob(job=job, blob=f"blob{number}")


async def added(database, *kept):
    for each in kept:
        await database.write(lambda c, each=each: batches.add(c, each))


async def test_what_was_added_is_found_as_it_was(database):
    hook = Webhook(uris=("https://x.example",))
    one = job_of(1, display_name="é", priority=-(2**63), webhook=hook, key_id="k")
    await added(database, one)
    assert await database.read(lambda c: batches.find(c, "p", "job1")) == one
    assert await database.read(lambda c: batches.find(c, "other", "job1")) is None


async def test_pages_go_from_the_newest_to_the_oldest(database):
    await added(database, *map(job_of, range(5)))
    first = await database.read(lambda c: batches.page(c, "p", None, 3))
    place = Place(first[-1].created_ms, first[-1].id)
    rest = await database.read(lambda c: batches.page(c, "p", place, 3))
    assert [job.id for job in (*first, *rest)] == ["job4", "job3", "job2", "job1", "job0"]


async def test_a_job_is_taken_by_one_living_process(database):
    one = job_of(1)
    await added(database, one)
    alive = Owner(id="alive", host="h", pid=1, born_ms=1, heartbeat_ms=1)
    await database.write(lambda c: owners.beat(c, alive))
    assert await database.write(lambda c: batches.claim(c, one, "dead"))
    assert await database.write(lambda c: batches.claim(c, one, "alive"))  # the other is not among the owners
    assert not await database.write(lambda c: batches.claim(c, one, "third"))
    await database.write(lambda c: batches.release(c, "alive"))
    assert await database.write(lambda c: batches.claim(c, one, "third"))


async def test_a_job_ends_once_and_is_then_counted_no_more(database):
    one = job_of(1)
    await added(database, one, job_of(2))
    assert (await database.read(lambda c: batches.load(c, "p"))) == batches.Load(2, 10)
    assert await database.write(lambda c: batches.end(c, one, "cancelled", ended_ms=5))
    assert not await database.write(lambda c: batches.end(c, one, "succeeded", ended_ms=6))
    await database.write(lambda c: batches.put_count(c, one, state="running", succeeded=9))
    found = (await database.read(lambda c: batches.find(c, "p", "job1"))).job
    assert (found.state, found.ended_ms, found.succeeded) == ("cancelled", 5, 0)
    assert (await database.read(lambda c: batches.load(c, "p"))) == batches.Load(1, 5)


async def test_bytes_belong_to_a_job_until_it_is_closed_and_then_its_results_alone(database):
    one, two = job_of(1), job_of(2)
    await added(database, one, two)
    await database.write(lambda c: batches.put(c, one, closed=1, ended_ms=7))
    keys = await database.read(batches.blobs)
    assert {key for key in keys if key.startswith("blob1")} == {"blob1.output", "blob1.errors"}
    assert {"blob2.input", "blob2.journal", "blob2.index", "blob2.seen", "blob2.output"} <= keys
    assert [kept.job.id for kept in await database.read(batches.unclosed)] == ["job2"]
    assert [kept.job.id for kept in await database.read(lambda c: batches.outdated(c, 8))] == ["job1"]
    assert not await database.read(lambda c: batches.outdated(c, 7))
