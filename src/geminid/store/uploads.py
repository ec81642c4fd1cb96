"""Uploads ⇄ rows: what was announced, how far it has come, how it ended.

Invariant: ``received_bytes`` is what was acknowledged; the bytes themselves were on the disk before.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from geminid.store.tables import uploads

UploadState = Literal["active", "final", "cancelled"]


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file on its way in. ``id`` is the secret that lets whoever has it go on.

    file_id: the id that the caller wants, empty when any will do; that of the file once it is ``final``.
    reserved_bytes: counted against the project's limit, never less than what was received.
    touched_us: when somebody last went on with it. purpose, ttl_s: as of the file that it becomes.
    """

    id: str
    project: str
    state: UploadState = "active"
    file_id: str = ""
    display_name: str = ""
    mime_type: str = ""
    file_name: str = ""
    declared_bytes: int | None = None
    received_bytes: int = 0
    reserved_bytes: int = 0
    touched_us: int
    blob: str
    purpose: str = ""
    ttl_s: int | None = None


_FIELDS = tuple(uploads.c[name] for name in Upload.__struct_fields__)


def add(connection: Connection, upload: Upload) -> None:
    """Insert an upload."""
    connection.execute(insert(uploads).values(**msgspec.structs.asdict(upload)))


def find(connection: Connection, upload_id: str) -> Upload | None:
    """Return an upload by its secret."""
    row = connection.execute(select(*_FIELDS).where(uploads.c.id == upload_id)).first()
    return Upload(**row._mapping) if row is not None else None


def put(connection: Connection, upload: Upload) -> None:
    """Write how far an upload has come, or how it ended."""
    changed = {
        name: getattr(upload, name)
        for name in ("state", "file_id", "received_bytes", "reserved_bytes", "touched_us")
    }
    connection.execute(update(uploads).where(uploads.c.id == upload.id).values(**changed))


def remove(connection: Connection, upload_id: str) -> None:
    """Forget an upload; the bytes of an unfinished one are for the caller to remove afterwards."""
    connection.execute(delete(uploads).where(uploads.c.id == upload_id))


def untouched(connection: Connection, since_us: int) -> tuple[Upload, ...]:
    """Return the uploads, in any state, that nobody has gone on with since then."""
    rows = connection.execute(select(*_FIELDS).where(uploads.c.touched_us <= since_us))
    return tuple(Upload(**row._mapping) for row in rows)


def bytes_of(connection: Connection, project: str) -> int:
    """Return the bytes that a project's unfinished uploads have reserved."""
    total = select(func.coalesce(func.sum(uploads.c.reserved_bytes), 0)).where(
        uploads.c.project == project, uploads.c.state == "active"
    )
    return int(connection.execute(total).scalar_one())


def blobs(connection: Connection) -> set[str]:
    """Return the keys of all bytes that unfinished uploads have."""
    return set(connection.execute(select(uploads.c.blob).where(uploads.c.state == "active")).scalars())
