"""Rows of stores of vectors, in both kinds of database: pages, counts, claims, ends."""

import pytest

from geminid.core.vector import Counts, Cutting, IndexedFile, VectorStore
from geminid.store import owners
from geminid.store import vectors as rows
from geminid.store.database import Database
from geminid.store.owners import Owner
from geminid.store.tables import vector_contents
from geminid.store.vectors import Contents, Place, Task

CONTENTS = Contents(dimensions=2, texts=b"texts", vectors=b"vectors")


def store(name, **said):
    fields = {"project": "p", "name": name.upper(), "model": "m", "created_ms": 1, "used_ms": 1}
    return VectorStore(id=name, **fields | said)


def file(name, of="s", **said):
    fields = {"project": "p", "name": name.upper(), "created_ms": 1, "attributes": {"a": "b", "n": 1.5}}
    return IndexedFile(store=of, file=name, **fields | said)


@pytest.fixture
async def database(database_url):
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


async def add(database, *added, owner="me"):
    for each in added:
        if isinstance(each, VectorStore):
            await database.write(lambda c, each=each: rows.add(c, each))
        else:
            task = Task(file=each, caller="{}")
            await database.write(lambda c, task=task: rows.add_file(c, task, owner))


async def indexed(database, one, **said):
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    ended = IndexedFile(**fields | {"status": "completed", "pieces": 3, "size_bytes": 9} | said)
    kept = CONTENTS if ended.status == "completed" else None
    return ended, await database.write(lambda c: rows.settle(c, ended, kept))


async def test_stores_come_out_as_they_went_in_with_what_is_in_them(database):
    one = store("s", idle_ms_max=5, expires_ms=900, kept=b"kept")
    await add(database, one, store("empty"), file("f"), file("g"), file("h"))
    await indexed(database, file("f"))
    await indexed(database, file("g"), status="failed", fault_code="X", fault="y", size_bytes=0)
    found = await database.read(lambda c: rows.find(c, "p", "s", 100))
    assert (found.counts, found.size_bytes) == (Counts(in_progress=1, completed=1, failed=1), 9)
    assert (found.kept, found.idle_ms_max, found.expires_ms) == (b"kept", 5, 900)
    assert await database.read(lambda c: rows.find(c, "p", "empty", 100)) == store("empty")
    assert await database.read(lambda c: rows.find(c, "p", "s", 900)) is None
    assert await database.read(lambda c: rows.find(c, "q", "s", 100)) is None
    assert await database.read(lambda c: rows.size_bytes(c, "p")) == 9
    await database.write(lambda c: rows.touch(c, "p", "s", 2_000))
    assert (await database.read(lambda c: rows.find(c, "p", "s", 900))).expires_ms == 2_005
    await database.write(lambda c: rows.touch(c, "p", "empty", 2_000))
    assert (await database.read(lambda c: rows.find(c, "p", "empty", 900))).expires_ms is None


@pytest.mark.parametrize(("order", "expected"), [("desc", "ecdab"), ("asc", "abcde")])
async def test_pages_go_on_where_the_last_one_ended(database, order, expected):
    ages = {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3}
    await add(database, *(store(name, created_ms=age) for name, age in ages.items()))
    await add(database, *(file(name, created_ms=age) for name, age in ages.items()))

    async def walked(page, name_of):
        seen, after = "", None
        while found := await database.read(lambda c, after=after: page(c, after)):
            seen += "".join(map(name_of, found))
            last = found[-1]
            after = Place(last.created_ms, name_of(last))
        return seen

    assert (
        await walked(lambda c, after: rows.page(c, "p", 0, order, after, 2), lambda one: one.id) == expected
    )
    files = await walked(lambda c, after: rows.page_files(c, "p", "s", order, after, 2), lambda one: one.file)
    assert files == expected


async def test_files_come_out_as_they_went_in(database):
    one = file("f", cutting=Cutting(piece_tokens=100, overlap_tokens=50), batch="b")
    await add(database, store("s"), one, file("g"))
    assert await database.read(lambda c: rows.find_file(c, "p", "s", "f")) == one
    ended, settled = await indexed(database, one)
    assert settled
    assert await database.read(lambda c: rows.find_file(c, "p", "s", "f")) == ended
    assert await database.read(lambda c: rows.completed(c, "p", "s")) == (ended,)
    assert await database.read(lambda c: rows.read_texts(c, "p", "s", "f")) == b"texts"
    assert await database.read(lambda c: rows.read_vectors(c, "p", "s", "f")) == b"vectors"
    assert await database.read(lambda c: rows.read_vectors(c, "p", "s", "g")) is None
    assert await database.read(lambda c: rows.counts(c, "p", "s", "b")) == Counts(completed=1)
    assert not (await indexed(database, one))[1]  # it has ended before


async def test_of_a_file_that_was_begun_anew_the_old_vectors_are_not_kept(database):
    old, new = file("f", created_ms=1), file("f", created_ms=2)
    await add(database, store("s"), old)
    await indexed(database, old)
    await add(database, new)
    assert await database.read(lambda c: rows.read_vectors(c, "p", "s", "f")) is None
    assert not (await indexed(database, old))[1]
    assert (await indexed(database, new))[1]


async def test_what_was_cancelled_or_removed_stays_so(database):
    one, two = file("f", batch="b"), file("g", batch="b")
    await add(database, store("s"), one, two)
    await indexed(database, two)
    assert await database.write(lambda c: rows.cancel(c, "p", "s", "b")) == 1
    assert not (await indexed(database, one))[1]
    assert await database.write(lambda c: rows.remove_file(c, "p", "s", "g"))
    assert not await database.write(lambda c: rows.remove_file(c, "p", "s", "g"))
    assert not (await indexed(database, two))[1]
    assert await database.read(lambda c: c.execute(vector_contents.select()).all()) == []


async def test_what_is_removed_goes_with_what_is_in_it(database):
    await add(database, store("s"), store("t", expires_ms=5), file("f"), file("f", "t"), file("g", "t"))
    for one in (file("f"), file("f", "t"), file("g", "t")):
        await indexed(database, one)
    await database.write(lambda c: rows.remove_everywhere(c, "p", "f"))
    left = await database.read(lambda c: c.execute(vector_contents.select()).all())
    assert [(row.store, row.file) for row in left] == [("t", "g")]
    assert await database.read(lambda c: rows.expired(c, 5)) == (("p", "t"),)
    assert await database.write(lambda c: rows.remove(c, "p", "t"))
    assert await database.read(lambda c: c.execute(vector_contents.select()).all()) == []
    assert not await database.write(lambda c: rows.remove(c, "p", "t"))


async def test_of_those_who_claim_a_file_that_was_left_one_has_it(database):
    alive = Owner(id="alive", host="h", pid=1, born_ms=0, heartbeat_ms=0)
    await database.write(lambda c: owners.beat(c, alive))
    await add(database, store("s"), file("f"), owner="dead")
    await add(database, file("g"), owner="alive")
    (task,) = await database.read(lambda c: rows.left(c, "me"))
    assert (task.file, task.caller) == (file("f"), "{}")
    assert await database.write(lambda c: rows.claim(c, task.file, "alive"))
    assert not await database.write(lambda c: rows.claim(c, task.file, "me"))
