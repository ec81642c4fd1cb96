"""Backups of a store: whole, private, never half there."""

import hashlib
import os
import sqlite3
from contextlib import closing

import pytest

from geminid.core.errors import FailedPrecondition
from geminid.store import backup
from geminid.store.backup import back_up
from geminid.store.blobs import Blobs
from geminid.store.database import Database, sqlite_url

add_file = "INSERT INTO files VALUES ('p', {!r}, '', 'text/plain', {}, '', 1, 1, {}, 'active', NULL, '', {!r}, 'uploaded', '')"
add_upload = (
    "INSERT INTO uploads VALUES ({!r}, 'p', 'active', '', '', '', '', NULL, {}, 0, 0, {!r}, '', NULL)"
)


@pytest.fixture
async def store(tmp_path):
    """A database that is open, and its folder of bytes."""
    folder = tmp_path / "data"
    folder.mkdir()
    database = await Database.open(sqlite_url(folder / "geminid.db"))
    Blobs(folder / "blobs")
    yield folder, database
    await database.close()


async def put(store, statement, key, data):
    folder, database = store
    await database.write(lambda connection: connection.exec_driver_sql(statement))
    if data is not None:
        appender = Blobs(folder / "blobs").open(key, 0, hashlib.sha256)
        appender.write(data)
        appender.close()


def made(store, target, others=()):
    folder, _ = store
    return back_up(folder / "geminid.db", folder / "blobs", others, target)


def rows(target, table):
    with closing(sqlite3.connect(target / "geminid.db")) as connection:
        return connection.execute(f"SELECT blob FROM {table} ORDER BY blob").fetchall()


async def test_a_backup_has_what_is_committed_and_the_bytes_of_it(store, tmp_path):
    await put(store, add_file.format("a", 3, 9, "blob-a"), "blob-a", b"abc")
    await put(store, add_file.format("empty", 0, 9, "blob-0"), "blob-0", None)
    await put(store, add_upload.format("u", 2, "blob-u"), "blob-u", b"de and what is not acknowledged")
    await put(store, add_upload.format("new", 0, "blob-n"), "blob-n", None)
    Blobs(store[0] / "blobs").path("orphan").write_bytes(b"nobody's")
    secret = tmp_path / "signing.key"
    secret.write_bytes(b"secret")
    target = tmp_path / "backups" / "first"
    found = made(store, target, [secret])
    assert (found.blobs, found.deleted) == (2, 0)
    assert rows(target, "files") == [("blob-0",), ("blob-a",)]
    assert rows(target, "uploads") == [("blob-n",), ("blob-u",)]
    assert {path.name for path in (target / "blobs").iterdir()} == {"blob-a", "blob-u"}
    assert (target / "blobs" / "blob-a").read_bytes() == b"abc"
    assert (target / "signing.key").read_bytes() == b"secret"


async def test_a_backup_is_its_owners_alone(store, tmp_path):
    await put(store, add_file.format("a", 3, 9, "blob-a"), "blob-a", b"abc")
    target = tmp_path / "backup"
    made(store, target)
    assert all(not path.stat().st_mode & 0o077 for path in (target, *target.rglob("*")))


async def test_what_was_deleted_after_the_moment_of_the_database_is_not_in_it(store, tmp_path):
    await put(store, add_file.format("a", 3, 9, "blob-a"), "blob-a", b"abc")
    await put(store, add_file.format("b", 3, 9, "blob-b"), "blob-b", b"abc")
    Blobs(store[0] / "blobs").remove("blob-b")
    found = made(store, tmp_path / "backup")
    assert (found.blobs, found.deleted) == (1, 1)
    assert rows(tmp_path / "backup", "files") == [("blob-a",)]


async def test_writers_go_on_while_it_is_made(store, tmp_path):
    """Somebody is in the middle of writing: neither waits for the other."""
    with closing(sqlite3.connect(store[0] / "geminid.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(add_upload.format("late", 0, "blob-late"))
        made(store, tmp_path / "backup")
        writer.execute("COMMIT")
    assert rows(tmp_path / "backup", "uploads") == []


async def test_nothing_is_written_over(store, tmp_path):
    target = tmp_path / "backup"
    target.mkdir()
    (target / "something").touch()
    with pytest.raises(FailedPrecondition, match="there already"):
        made(store, target)
    with pytest.raises(FailedPrecondition, match="There is no database"):
        back_up(tmp_path / "none.db", tmp_path, (), tmp_path / "other")


async def test_one_that_fails_leaves_nothing(store, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(28, os.strerror(28))

    await put(store, add_file.format("a", 3, 9, "blob-a"), "blob-a", b"abc")
    monkeypatch.setattr(backup, "_copy", full)
    with pytest.raises(FailedPrecondition, match="No space left"):
        made(store, tmp_path / "backup")
    assert {path.name for path in tmp_path.iterdir()} == {"data"}
