"""Files ⇄ rows. Every function is an act on a connection; what time it is the caller says.

Invariant: what has expired by the time that is said is not found, whether or not it was swept.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from geminid.core.errors import AlreadyExists
from geminid.core.file import File, Place, Wanted
from geminid.store.tables import files

_FIELDS = tuple(files.c[name] for name in File.__struct_fields__)


class Kept(msgspec.Struct, frozen=True):
    """A file, and the key under which its bytes lie."""

    file: File
    blob: str


def add(connection: Connection, kept: Kept) -> None:
    """Insert a file; raises ``AlreadyExists`` when its name is taken."""
    try:
        connection.execute(insert(files).values(**msgspec.structs.asdict(kept.file), blob=kept.blob))
    except IntegrityError as error:
        raise AlreadyExists(f"The File {kept.file.id} already exists.") from error


def find(connection: Connection, project: str, file_id: str, now_us: int) -> Kept | None:
    """Return a file of a project that has not expired by then."""
    wanted = select(*_FIELDS, files.c.blob).where(
        files.c.project == project, files.c.id == file_id, files.c.expires_us > now_us
    )
    row = connection.execute(wanted).first()
    return _kept(row) if row is not None else None


def page(
    connection: Connection, project: str, now_us: int, after: Place | None, count: int
) -> tuple[File, ...]:
    """Return ``count`` files at most, the newest first, beginning after a place in that order."""
    wanted = select(*_FIELDS).where(files.c.project == project, files.c.expires_us > now_us)
    if after is not None:
        same = and_(files.c.created_us == after.created_us, files.c.id > after.id)
        wanted = wanted.where(or_(files.c.created_us < after.created_us, same))
    rows = connection.execute(wanted.order_by(files.c.created_us.desc(), files.c.id).limit(count))
    return tuple(File(**row._mapping) for row in rows)


def listing(
    connection: Connection, project: str, now_us: int, wanted: Wanted, after: Place | None, count: int
) -> tuple[File, ...]:
    """Return ``count`` of the wanted files at most, beginning after a place in their order."""
    c = files.c
    chosen = select(*_FIELDS).where(c.project == project, c.expires_us > now_us)
    if wanted.source is not None:
        chosen = chosen.where(c.source == wanted.source)
    if wanted.purposes is not None:
        chosen = chosen.where(c.purpose.in_(wanted.purposes))
    if after is not None:
        same = and_(c.created_us == after.created_us, c.id > after.id)
        older, newer = c.created_us < after.created_us, c.created_us > after.created_us
        chosen = chosen.where(or_(newer if wanted.oldest_first else older, same))
    by_time = c.created_us if wanted.oldest_first else c.created_us.desc()
    rows = connection.execute(chosen.order_by(by_time, c.id).limit(count))
    return tuple(File(**row._mapping) for row in rows)


def settle(connection: Connection, file: File) -> None:
    """Write state, duration, fault and time of change of a file that is still there."""
    changed = {name: getattr(file, name) for name in ("state", "duration_ms", "fault", "updated_us")}
    same = and_(files.c.project == file.project, files.c.id == file.id)
    connection.execute(update(files).where(same, files.c.created_us == file.created_us).values(**changed))


def remove(connection: Connection, kept: Kept) -> None:
    """Delete the row of a file; its bytes are for the caller to remove afterwards."""
    connection.execute(
        delete(files).where(
            files.c.project == kept.file.project, files.c.id == kept.file.id, files.c.blob == kept.blob
        )
    )


def expired(connection: Connection, now_us: int) -> tuple[Kept, ...]:
    """Return what has expired, of all projects."""
    rows = connection.execute(select(*_FIELDS, files.c.blob).where(files.c.expires_us <= now_us))
    return tuple(map(_kept, rows))


def processing(connection: Connection) -> tuple[Kept, ...]:
    """Return the files that nobody has looked into yet, of all projects."""
    rows = connection.execute(select(*_FIELDS, files.c.blob).where(files.c.state == "processing"))
    return tuple(map(_kept, rows))


def bytes_of(connection: Connection, project: str) -> int:
    """Return the bytes that a project's files take."""
    total = select(func.coalesce(func.sum(files.c.size_bytes), 0)).where(files.c.project == project)
    return int(connection.execute(total).scalar_one())


def blobs(connection: Connection) -> set[str]:
    """Return the keys of all bytes that files have."""
    return set(connection.execute(select(files.c.blob)).scalars())


def _kept(row: Row[*tuple[Any, ...]]) -> Kept:
    said = dict(row._mapping)
    blob = said.pop("blob")
    return Kept(File(**said), blob)
