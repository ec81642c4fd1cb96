"""One database copied into another: all of it, proved, or nothing."""

import tracemalloc

import pytest
import sqlalchemy
from sqlalchemy import select

from geminid.core.errors import FailedPrecondition
from geminid.core.usage import Usage
from geminid.store import audit, copying, owners
from geminid.store.audit import Entry
from geminid.store.copying import ALIVE_MS, ROWS_AT_ONCE, copy
from geminid.store.database import Database, sqlite_url
from geminid.store.owners import Owner
from geminid.store.tables import metadata
from money import NOW_MS, house


@pytest.fixture
async def pair(tmp_path, postgresql):
    """A SQLite database in use, and an empty PostgreSQL one."""
    async with house(sqlite_url(tmp_path / "geminid.db")) as made:
        target = await Database.open(postgresql.database())
        yield made, target
        await target.close()


async def used(made):
    """Money, requests, and a hold that is still open."""
    team = await made.project("team", credit_nano=10**9)
    for _ in range(5):
        await made.settled(
            await made.admitted(team, labels={"who": 'ann "é" \\n'}), Usage(prompt=9, candidates=3)
        )
    await made.admitted(team)
    await trace(made.database)


async def trace(database):
    said = Entry(time_ms=NOW_MS, actor="test", action="do", project="team", subject="it", details={"a": 1})
    await database.write(lambda connection: audit.add(connection, said))


async def content(database):
    def act(connection):
        return {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in metadata.sorted_tables
        }

    return await database.read(act)


async def only_the_default(database):
    return {name: len(rows) for name, rows in (await content(database)).items() if rows} == {"projects": 1}


async def test_everything_arrives_and_goes_on_there(pair, tmp_path):
    made, target = pair
    await used(made)
    told = []
    found = copy(made.database.engine, target.engine, NOW_MS, told.append)
    assert await content(target) == await content(made.database)
    assert told == list(found.rows) == [table.name for table in metadata.sorted_tables]
    assert (found.rows["usage"], found.ledger.open_holds, found.ledger.sound) == (5, 1, True)
    await trace(target)  # which needs the number after the last one
    rows = await target.read(lambda c: c.execute(sqlalchemy.text("SELECT seq FROM audit")).scalars().all())
    assert sorted(rows) == [1, 2]


async def test_the_way_back_is_the_same(pair, tmp_path):
    made, target = pair
    await used(made)
    copy(made.database.engine, target.engine, NOW_MS)
    back = await Database.open(sqlite_url(tmp_path / "back.db"))
    copy(target.engine, back.engine, NOW_MS)
    assert await content(back) == await content(made.database)
    await back.close()


async def test_a_target_with_anything_in_it_is_refused(pair):
    made, target = pair
    await used(made)
    await trace(target)
    with pytest.raises(FailedPrecondition, match="not empty; there are rows in: audit"):
        copy(made.database.engine, target.engine, NOW_MS)
    assert len((await content(target))["audit"]) == 1


async def test_an_empty_source_is_refused(pair):
    made, target = pair
    with pytest.raises(FailedPrecondition, match="nothing to copy"):
        copy(made.database.engine, target.engine, NOW_MS)


@pytest.mark.parametrize(("age_ms", "refused"), [(ALIVE_MS - 1, True), (ALIVE_MS, False)])
async def test_a_source_that_a_server_runs_on_is_refused(pair, age_ms, refused):
    made, target = pair
    await used(made)
    owner = Owner(id="x", host="here", pid=7, born_ms=1, heartbeat_ms=NOW_MS - age_ms)
    await made.database.write(lambda connection: owners.beat(connection, owner))
    if refused:
        with pytest.raises(FailedPrecondition, match="process 7 of here"):
            copy(made.database.engine, target.engine, NOW_MS)
    else:
        copy(made.database.engine, target.engine, NOW_MS)


async def test_a_ledger_that_does_not_fit_is_not_copied(pair):
    made, target = pair
    await used(made)
    spoil = sqlalchemy.text("UPDATE transfers SET amount_nano = amount_nano + 1 WHERE seq = 3")
    await made.database.write(lambda connection: connection.execute(spoil))
    with pytest.raises(FailedPrecondition, match="project team, entry 3"):
        copy(made.database.engine, target.engine, NOW_MS)
    assert await only_the_default(target)


async def test_a_row_that_the_target_does_not_take_is_told_and_nothing_is_there(pair):
    made, target = pair
    await used(made)
    spoil = sqlalchemy.text("UPDATE usage SET labels = 'a' || char(0) || 'b'")
    await made.database.write(lambda connection: connection.execute(spoil))
    with pytest.raises(FailedPrecondition, match=r"Table usage cannot be copied: .*NUL"):
        copy(made.database.engine, target.engine, NOW_MS)
    assert await only_the_default(target)


async def test_rows_that_get_lost_are_noticed(pair, monkeypatch):
    made, target = pair
    await used(made)
    monkeypatch.setattr(copying, "_go_on_counting", lambda table, new: new.execute(table.delete()))
    with pytest.raises(FailedPrecondition, match=r"has \d rows, and 0 arrived"):
        copy(made.database.engine, target.engine, NOW_MS)
    assert await only_the_default(target)


async def test_memory_does_not_grow_with_a_table(pair):
    made, target = pair
    rows, size = 20 * ROWS_AT_ONCE, 2_000
    fill = sqlalchemy.text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
        "INSERT INTO audit SELECT i, 1, 'a', 'b', '', '', hex(zeroblob(:size / 2)) FROM n"
    )
    await made.database.write(lambda connection: connection.execute(fill, {"rows": rows, "size": size}))
    tracemalloc.start()
    try:
        assert copy(made.database.engine, target.engine, NOW_MS).rows["audit"] == rows
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < rows * size / 4
