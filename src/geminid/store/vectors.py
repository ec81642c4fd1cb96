"""Stores of vectors ⇄ rows: stores, their files, and, apart from these, the texts and vectors of each file.

Every function is an act on a connection. Invariant: what has expired by the time that is said is not found;
what belongs to a store or a file that was removed is removed with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from geminid.core.vector import Counts, Cutting, IndexedFile, VectorStore
from geminid.store.tables import owners, projects, vector_files, vector_stores
from geminid.store.tables import vector_contents as contents

_ATTRIBUTES = msgspec.json.Decoder(dict[str, str | float | bool])
_STORE = ("project", "id", "name", "model", "created_ms", "used_ms", "idle_ms_max", "expires_ms", "kept")
_FILE = ("project", "store", "file", "name", "status", "pieces", "size_bytes", "created_ms")
_FAULT = ("fault_code", "fault", "batch")

Order = Literal["asc", "desc"]


class Place(msgspec.Struct, frozen=True):
    """Where a page of a list ended: the last on it, by creation and id."""

    created_ms: int
    id: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is searched by: ``vectors`` are float16, little-endian, one row for each window."""

    dimensions: int
    texts: bytes
    vectors: bytes


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is to be indexed, and on whose behalf, encoded."""

    file: IndexedFile
    caller: str


# -- stores ------------------------------------------------------------------------------------------


def add(connection: Connection, store: VectorStore) -> None:
    """Insert a store."""
    connection.execute(insert(vector_stores).values(**{name: getattr(store, name) for name in _STORE}))


def put(connection: Connection, store: VectorStore) -> None:
    """Write a store as it is now."""
    changed = {name: getattr(store, name) for name in _STORE}
    connection.execute(update(vector_stores).where(_is_store(store.project, store.id)).values(**changed))


def touch(connection: Connection, project: str, store_id: str, now_ms: int) -> None:
    """Write that a store was used."""
    c = vector_stores.c
    used = update(vector_stores).where(_is_store(project, store_id))
    connection.execute(used.values(used_ms=now_ms, expires_ms=now_ms + c.idle_ms_max))


def find(connection: Connection, project: str, store_id: str, now_ms: int) -> VectorStore | None:
    """Return a store of a project, with its counts."""
    wanted = select(*_store_columns()).where(_is_store(project, store_id), _living(now_ms))
    row = connection.execute(wanted).first()
    return None if row is None else _counted(connection, [row])[0]


def page(
    connection: Connection, project: str, now_ms: int, order: Order, after: Place | None, count: int
) -> tuple[VectorStore, ...]:
    """Return ``count`` stores at most, by creation, beginning after a place in that order."""
    c = vector_stores.c
    wanted = select(*_store_columns()).where(c.project == project, _living(now_ms))
    rows = connection.execute(_paged(wanted, c.created_ms, c.id, order, after).limit(count))
    return _counted(connection, rows.all())


def remove(connection: Connection, project: str, store_id: str) -> bool:
    """Remove a store with everything in it; return whether there was one."""
    for table in (contents, vector_files):
        connection.execute(delete(table).where(table.c.project == project, table.c.store == store_id))
    return bool(connection.execute(delete(vector_stores).where(_is_store(project, store_id))).rowcount)


def expired(connection: Connection, now_ms: int) -> tuple[tuple[str, str], ...]:
    """Return the stores that have expired or belong to deleted projects, by project and id."""
    gone = select(projects.c.id).where(projects.c.deleted_ms.is_not(None))
    old = or_(vector_stores.c.expires_ms <= now_ms, vector_stores.c.project.in_(gone))
    wanted = select(vector_stores.c.project, vector_stores.c.id).where(old)
    return tuple((project, each) for project, each in connection.execute(wanted))


def size_bytes(connection: Connection, project: str) -> int:
    """Return what the stores of a project take."""
    total = select(func.coalesce(func.sum(vector_files.c.size_bytes), 0))
    return int(connection.execute(total.where(vector_files.c.project == project)).scalar_one())


# -- files -------------------------------------------------------------------------------------------


def add_file(connection: Connection, task: Task, owner: str) -> None:
    """Insert a file; one that is there already is begun anew."""
    file = task.file
    remove_file(connection, file.project, file.store, file.file)
    connection.execute(
        insert(vector_files).values(
            **{name: getattr(file, name) for name in (*_FILE, *_FAULT)},
            attributes=msgspec.json.encode(file.attributes).decode(),
            piece_tokens=file.cutting.piece_tokens,
            overlap_tokens=file.cutting.overlap_tokens,
            caller=task.caller,
            owner=owner,
        )
    )


def find_file(connection: Connection, project: str, store_id: str, file_id: str) -> IndexedFile | None:
    """Return a file of a store."""
    wanted = select(vector_files).where(_is_file(project, store_id, file_id))
    row = connection.execute(wanted).first()
    return None if row is None else _file(row)


def page_files(
    connection: Connection,
    project: str,
    store_id: str,
    order: Order,
    after: Place | None,
    count: int,
    *,
    status: str = "",
    batch: str = "",
) -> tuple[IndexedFile, ...]:
    """Return ``count`` files of a store at most, by creation, beginning after a place in that order."""
    c = vector_files.c
    wanted = select(vector_files).where(c.project == project, c.store == store_id)
    if status:
        wanted = wanted.where(c.status == status)
    if batch:
        wanted = wanted.where(c.batch == batch)
    rows = connection.execute(_paged(wanted, c.created_ms, c.file, order, after).limit(count))
    return tuple(map(_file, rows))


def completed(connection: Connection, project: str, store_id: str) -> tuple[IndexedFile, ...]:
    """Return the files of a store that can be searched."""
    c = vector_files.c
    wanted = select(vector_files).where(c.project == project, c.store == store_id, c.status == "completed")
    return tuple(map(_file, connection.execute(wanted)))


def counts(connection: Connection, project: str, store_id: str, batch: str = "") -> Counts:
    """Return how the files of a store stand, or those of them that were added together."""
    c = vector_files.c
    wanted = select(c.status, func.count()).where(c.project == project, c.store == store_id)
    if batch:
        wanted = wanted.where(c.batch == batch)
    numbers = {row[0]: int(row[1]) for row in connection.execute(wanted.group_by(c.status))}
    return Counts(**numbers)


def settle(connection: Connection, file: IndexedFile, said: Contents | None) -> bool:
    """Write how indexing has ended, unless the file was removed, begun anew or cancelled; return whether."""
    same = and_(
        _is_file(file.project, file.store, file.file),
        vector_files.c.created_ms == file.created_ms,
        vector_files.c.status == "in_progress",
    )
    changed = {
        name: getattr(file, name) for name in ("status", "pieces", "size_bytes", "fault_code", "fault")
    }
    ended = update(vector_files).where(same).values(**changed, owner="", caller="")
    if not connection.execute(ended).rowcount:
        return False
    if said is not None:
        values = msgspec.structs.asdict(said)
        key = {"project": file.project, "store": file.store, "file": file.file}
        connection.execute(insert(contents).values(**key, **values))
    return True


def put_attributes(connection: Connection, file: IndexedFile) -> None:
    """Write the attributes of a file."""
    said = msgspec.json.encode(file.attributes).decode()
    same = _is_file(file.project, file.store, file.file)
    connection.execute(update(vector_files).where(same).values(attributes=said))


def cancel(connection: Connection, project: str, store_id: str, batch: str) -> int:
    """Have the files that were added together and are not indexed yet stay so; return how many."""
    c = vector_files.c
    going = and_(c.project == project, c.store == store_id, c.batch == batch, c.status == "in_progress")
    ended = update(vector_files).where(going).values(status="cancelled", owner="", caller="")
    return connection.execute(ended).rowcount


def remove_file(connection: Connection, project: str, store_id: str, file_id: str) -> bool:
    """Remove a file from a store; return whether it was there."""
    gone = and_(contents.c.project == project, contents.c.store == store_id, contents.c.file == file_id)
    connection.execute(delete(contents).where(gone))
    same = _is_file(project, store_id, file_id)
    return bool(connection.execute(delete(vector_files).where(same)).rowcount)


def remove_everywhere(connection: Connection, project: str, file_id: str) -> None:
    """Remove a file from all stores of its project."""
    for table in (contents, vector_files):
        connection.execute(delete(table).where(table.c.project == project, table.c.file == file_id))


def left(connection: Connection, owner: str) -> tuple[Task, ...]:
    """Return the files that are to be indexed and that no living process is at work on, nor ``owner``."""
    rows = connection.execute(select(vector_files).where(_free(owner)).order_by(vector_files.c.created_ms))
    return tuple(Task(file=_file(row), caller=row._mapping["caller"]) for row in rows)


def claim(connection: Connection, file: IndexedFile, owner: str) -> bool:
    """Take a file that was left; return whether nobody was quicker."""
    same = and_(_is_file(file.project, file.store, file.file), _free(owner))
    return bool(connection.execute(update(vector_files).where(same).values(owner=owner)).rowcount)


def read_texts(connection: Connection, project: str, store_id: str, file_id: str) -> bytes | None:
    """Return the texts of a file, encoded."""
    return _content(connection, contents.c.texts, project, store_id, file_id)


def read_vectors(connection: Connection, project: str, store_id: str, file_id: str) -> bytes | None:
    """Return the vectors of a file."""
    return _content(connection, contents.c.vectors, project, store_id, file_id)


def _content(connection: Connection, column: Any, project: str, store_id: str, file_id: str) -> bytes | None:
    same = and_(contents.c.project == project, contents.c.store == store_id, contents.c.file == file_id)
    found = connection.execute(select(column).where(same)).scalar()
    return None if found is None else bytes(found)


# -- rows --------------------------------------------------------------------------------------------


def _paged(wanted: Any, created: Any, name: Any, order: Order, after: Place | None) -> Any:
    up = order == "asc"
    if after is not None:
        beyond = created > after.created_ms if up else created < after.created_ms
        wanted = wanted.where(or_(beyond, and_(created == after.created_ms, name > after.id)))
    return wanted.order_by(created if up else created.desc(), name)


def _counted(connection: Connection, found: Sequence[Any]) -> tuple[VectorStore, ...]:
    c, ids = vector_files.c, [row.id for row in found]
    if not ids:
        return ()
    wanted = (
        select(c.store, c.status, func.count(), func.sum(c.size_bytes))
        .where(c.project == found[0].project, c.store.in_(ids))
        .group_by(c.store, c.status)
    )
    numbers: dict[str, dict[str, int]] = {}
    sizes: dict[str, int] = {}
    for store, status, number, size in connection.execute(wanted):
        numbers.setdefault(store, {})[status] = number
        sizes[store] = sizes.get(store, 0) + int(size)
    return tuple(
        VectorStore(
            **dict(row._mapping) | {"kept": bytes(row.kept)},
            counts=Counts(**numbers.get(row.id, {})),
            size_bytes=sizes.get(row.id, 0),
        )
        for row in found
    )


def _file(row: Any) -> IndexedFile:
    said = row._mapping
    return IndexedFile(
        **{name: said[name] for name in (*_FILE, *_FAULT)},
        attributes=_ATTRIBUTES.decode(said["attributes"]),
        cutting=Cutting(piece_tokens=said["piece_tokens"], overlap_tokens=said["overlap_tokens"]),
    )


def _store_columns() -> Iterable[Any]:
    return [vector_stores.c[name] for name in _STORE]


def _is_store(project: str, store_id: str) -> Any:
    return and_(vector_stores.c.project == project, vector_stores.c.id == store_id)


def _is_file(project: str, store_id: str, file_id: str) -> Any:
    c = vector_files.c
    return and_(c.project == project, c.store == store_id, c.file == file_id)


def _living(now_ms: int) -> Any:
    return or_(vector_stores.c.expires_ms.is_(None), vector_stores.c.expires_ms > now_ms)


def _free(owner: str) -> Any:
    c = vector_files.c
    others = and_(c.owner != owner, c.owner.not_in(select(owners.c.id)))
    return and_(c.status == "in_progress", others)
