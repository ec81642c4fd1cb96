"""A whole copy of what a server on SQLite keeps, made while servers run on it.

First the database at one moment, then the bytes that this copy names: bytes only grow until they are
removed, so what was there at that moment is there later, or was deleted since. Invariant: a backup appears
under its name when it is complete and on the disk, or not at all.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from geminid.core.disk import private_folder
from geminid.core.errors import FailedPrecondition
from geminid.store.database import BUSY_MS

DATABASE_FILE = "geminid.db"
BLOBS_FOLDER = "blobs"


class Named(NamedTuple):
    """Where bytes are named: how their keys are found, and how that which names one is forgotten."""

    wanted: str
    forget: str


WITH_BYTES = (
    Named("SELECT blob FROM files WHERE size_bytes > 0", "DELETE FROM files WHERE blob = ?"),
    Named(
        "SELECT blob FROM uploads WHERE state = 'active' AND received_bytes > 0",
        "DELETE FROM uploads WHERE blob = ?",
    ),
    Named(
        "SELECT blob || '.input' FROM batches WHERE closed = 0",
        "DELETE FROM batches WHERE blob || '.input' = ?",
    ),
    Named(
        "SELECT blob || '.output' FROM batches WHERE closed = 1 AND output = 1 AND output_id = ''",
        "DELETE FROM batches WHERE blob || '.output' = ?",
    ),
)
"""What has no bytes yet has no file on the disk either."""
JOURNALS = "SELECT blob || '.journal' FROM batches WHERE closed = 0"
"""Of batches that were not begun there are none. A journal is copied after its database, so it may tell of
more, which is paid when the batch is gone on with."""


class Backup(NamedTuple):
    """What was copied. deleted: files, uploads and batches that were deleted or ended meanwhile, so they are
    not in it."""

    database_bytes: int
    blobs: int
    blob_bytes: int
    deleted: int


def back_up(database: Path, blobs: Path, others: Iterable[Path], folder: Path) -> Backup:
    """Make ``folder``, in the form of a data directory. others: files that are copied as they are.

    Raises FailedPrecondition when there is no database, something is at ``folder``, or anything cannot be
    copied.
    """
    if not database.is_file():
        raise FailedPrecondition(f"There is no database {database}.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FailedPrecondition(f"{folder} is there already; a backup is never written over.")
    draft = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))  # its owner's alone
        made = _filled(draft, database, blobs, others)
        draft.rename(folder)
        _sync(folder.parent)
    except (OSError, sqlite3.Error) as error:
        raise FailedPrecondition(f"The backup cannot be made: {error}") from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
    return made


def _filled(draft: Path, database: Path, blobs: Path, others: Iterable[Path]) -> Backup:
    copy = draft / DATABASE_FILE
    for path in others:
        _copy(path, draft / path.name)
    _copy_database(database, copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        counts = _copy_blobs(connection, blobs, private_folder(draft / BLOBS_FOLDER))
        if (found := connection.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(f"the copy of the database is damaged: {found}")
    _sync(copy)
    _sync(draft)
    return Backup(copy.stat().st_size, *counts)


def _copy_database(database: Path, copy: Path) -> None:
    """In one step: in more, every commit of a server would start it afresh. Nobody waits for it meanwhile."""
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        closing(sqlite3.connect(database, timeout=BUSY_MS / 1000)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def _copy_blobs(connection: sqlite3.Connection, source: Path, target: Path) -> tuple[int, int, int]:
    """Copy what the copied database names, and forget there what was deleted meanwhile."""
    copied = size = deleted = 0
    for wanted, forget in WITH_BYTES:
        for (key,) in connection.execute(wanted).fetchall():
            try:
                _copy(source / key, target / key)
            except FileNotFoundError:
                connection.execute(forget, (key,))
                deleted += 1
            else:
                copied, size = copied + 1, size + (target / key).stat().st_size
    for (key,) in connection.execute(JOURNALS).fetchall():
        with suppress(FileNotFoundError):
            _copy(source / key, target / key)
    _sync(target)
    return copied, size, deleted


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as to:
        shutil.copyfileobj(read, to, 1024 * 1024)
        to.flush()
        os.fsync(to.fileno())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
