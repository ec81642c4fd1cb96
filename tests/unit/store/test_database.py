import asyncio
import sqlite3
import threading

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from geminid.core.errors import FailedPrecondition, Unavailable
from geminid.store import migrate
from geminid.store.database import VERSION, Database, connect, sqlite_url
from geminid.store.tables import metadata

REVISIONS = [script.revision for script in ScriptDirectory.from_config(migrate.settings()).walk_revisions()]

count = sqlalchemy.text("SELECT count(*) FROM uploads")
add = sqlalchemy.text(
    "INSERT INTO uploads VALUES (:id, 'p', 'active', '', '', '', '', NULL, 0, 0, 0, 'blob', '', NULL)"
)


@pytest.fixture
async def database(tmp_path):
    opened = await Database.open(sqlite_url(tmp_path / "geminid.db"))
    yield opened
    await opened.close()


def differences(url):
    engine = connect(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    return found


def test_the_code_is_written_for_the_last_migration():
    assert ScriptDirectory.from_config(migrate.settings()).get_current_head() == VERSION


@pytest.mark.parametrize("earlier", [None, *REVISIONS])
async def test_a_database_of_any_earlier_version_is_brought_up_to_date(tmp_path, earlier):
    url = sqlite_url(tmp_path / "geminid.db")
    if earlier is not None:
        engine = connect(url)
        migrate.upgrade(engine, None, earlier)
        engine.dispose()
    await (await Database.open(url)).close()
    assert differences(url) == []
    assert sqlite3.connect(tmp_path / "geminid.db").execute("SELECT * FROM alembic_version").fetchall() == [
        (VERSION,)
    ]


async def test_what_was_kept_is_there_after_the_next_start(tmp_path):
    url = sqlite_url(tmp_path / "geminid.db")
    first = await Database.open(url)
    await first.write(lambda c: c.execute(add, {"id": "a"}))
    await first.close()
    second = await Database.open(url)
    assert await second.read(lambda c: c.execute(count).scalar()) == 1
    await second.close()


async def test_a_new_database_is_its_owners_alone(database, tmp_path):
    await database.write(lambda connection: None)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == dict.fromkeys(
        ("geminid.db", "geminid.db-wal", "geminid.db-shm"), "0o600"
    )


async def test_a_database_in_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FailedPrecondition, match="No such file or directory"):
        await Database.open(sqlite_url(tmp_path / "nowhere" / "geminid.db"))


async def test_a_database_of_a_later_version_is_left_alone(tmp_path):
    url = sqlite_url(tmp_path / "geminid.db")
    await (await Database.open(url)).close()
    with sqlite3.connect(tmp_path / "geminid.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(FailedPrecondition, match="version 9999, which a later geminid has written"):
        await Database.open(url)


async def test_what_is_no_database_is_refused_at_the_start(tmp_path):
    (tmp_path / "geminid.db").write_bytes(b"these are no tables" * 100)
    with pytest.raises(FailedPrecondition, match="cannot be used"):
        await Database.open(sqlite_url(tmp_path / "geminid.db"))


async def test_commits_are_synced_and_readers_do_not_wait(database):
    def pragmas(connection):
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await database.read(pragmas) == ["wal", 2, 1]


async def test_nothing_of_an_act_that_raises_is_kept(database):
    def act(connection):
        connection.execute(add, {"id": "a"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(act)
    assert await database.read(lambda c: c.execute(count).scalar()) == 0


async def test_acts_run_one_after_the_other_beside_the_event_loop(database):
    def act(connection):
        return threading.current_thread().name, connection.execute(add, {"id": str(connection)}).rowcount

    async def one(n):
        return await database.write(lambda c: c.execute(add, {"id": str(n)}).rowcount)

    assert (await database.write(act))[0].startswith("store")
    assert await asyncio.gather(*(one(n) for n in range(50))) == [1] * 50


async def test_a_database_that_somebody_else_holds_is_unavailable(database, tmp_path):
    await database.write(lambda c: c.exec_driver_sql("PRAGMA busy_timeout=10"))
    other = sqlite3.connect(tmp_path / "geminid.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="cannot be used now: database is locked"):
        await database.write(lambda c: c.execute(add, {"id": "a"}))
    assert await database.read(lambda c: c.execute(count).scalar()) == 0
    other.execute("ROLLBACK")
    other.close()
    assert await database.write(lambda c: c.execute(add, {"id": "a"}).rowcount) == 1


async def test_a_full_database_is_unavailable_and_whole(database):
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=20"))

    def act(connection):
        for n in range(10_000):
            connection.execute(add, {"id": f"{n:060}"})

    with pytest.raises(Unavailable, match="database or disk is full"):
        await database.write(act)
    assert await database.read(lambda c: c.execute(count).scalar()) == 0
