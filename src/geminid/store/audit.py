"""Who changed what, and when: rows that are only ever added, in the transaction of the change itself."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from geminid.store.tables import audit


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. actor: who, such as ``token:NAME`` or ``cli:USER``. subject: what was changed, by its id.

    details: what was said, without secrets. seq: given by the database.
    """

    time_ms: int
    actor: str
    action: str
    subject: str = ""
    project: str = ""
    details: dict[str, Any] = {}
    seq: int = 0


_FIELDS = tuple(audit.c[name] for name in Entry.__struct_fields__)


def add(connection: Connection, entry: Entry) -> None:
    """Append an entry."""
    columns = {**msgspec.structs.asdict(entry), "details": msgspec.json.encode(entry.details).decode()}
    del columns["seq"]
    connection.execute(insert(audit).values(**columns))


def page(connection: Connection, project: str | None, before: int | None, count: int) -> tuple[Entry, ...]:
    """Return ``count`` entries at most, the newest first, before a number; of one project or of all."""
    wanted = select(*_FIELDS)
    if project is not None:
        wanted = wanted.where(audit.c.project == project)
    if before is not None:
        wanted = wanted.where(audit.c.seq < before)
    rows = connection.execute(wanted.order_by(audit.c.seq.desc()).limit(count))
    return tuple(Entry(**{**row._mapping, "details": msgspec.json.decode(row.details)}) for row in rows)
