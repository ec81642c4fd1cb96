"""Interactions ⇄ rows: what is known of each, and, apart from that, what was said in it.

Each holds what was said in it alone, and the id of the one it goes on from; a chain of them is read by one
statement. Every function is an act on a connection. Invariant: what has expired by the time that is said is
not found, whether or not it was removed; a row without its contents does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, literal, select, update

from geminid.store.tables import interaction_contents as contents
from geminid.store.tables import interactions, owners, projects

RUNNING = ("queued", "in_progress")
NAMED_AT_ONCE = 500
"""How many ids stand in one statement; databases bound that."""


class InteractionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an interaction.

    depth: how many there are up to it, itself included. size_bytes: what is said in it takes; chain_bytes:
    what is said up to it takes. owner: the process that is at work on it, empty for none. tries: how often it
    was begun. cancelling: somebody wants it to be stopped by whoever is at work on it.
    """

    project: str
    id: str
    wire: str
    previous: str
    depth: int
    model: str
    asked: str
    status: str
    background: bool
    created_ms: int
    updated_ms: int
    expires_ms: int
    size_bytes: int = 0
    chain_bytes: int = 0
    fault_code: str = ""
    fault: str = ""
    fault_field: str = ""
    owner: str = ""
    tries: int = 0
    cancelling: bool = False


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What was said in an interaction, encoded. waiting: what it takes to begin it (again), while nothing of
    it was told to anybody."""

    kept: bytes
    turns: bytes
    steps: bytes
    events: bytes | None = None
    waiting: bytes | None = None

    @property
    def size_bytes(self) -> int:
        """What that takes."""
        return sum(len(each or b"") for each in (self.kept, self.turns, self.steps, self.events))


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction of a chain: what it takes to go on from it."""

    id: str
    previous: str
    status: str
    depth: int
    chain_bytes: int
    turns: bytes
    steps: bytes


_COLUMNS = tuple(getattr(interactions.c, name) for name in InteractionRow.__struct_fields__)


def add(connection: Connection, row: InteractionRow, said: Said) -> None:
    """Insert an interaction."""
    connection.execute(insert(interactions).values(**_values(row)))
    connection.execute(
        insert(contents).values(project=row.project, id=row.id, **msgspec.structs.asdict(said))
    )


def put(connection: Connection, row: InteractionRow, said: Said) -> bool:
    """Write an interaction anew; return whether it was still there."""
    same = update(interactions).where(_is(row.project, row.id)).values(**_values(row))
    if not connection.execute(same).rowcount:
        return False
    changed = update(contents).where(contents.c.project == row.project, contents.c.id == row.id)
    connection.execute(changed.values(**msgspec.structs.asdict(said)))
    return True


def find(
    connection: Connection, project: str, wire: str, interaction_id: str, now_ms: int
) -> tuple[InteractionRow, Said] | None:
    """Return an interaction of a project at a wire, but for its events."""
    wanted = select(*_COLUMNS, contents.c.kept, contents.c.turns, contents.c.steps).join_from(
        interactions, contents, _same_contents()
    )
    row = connection.execute(wanted.where(_living(project, wire, interaction_id, now_ms))).first()
    if row is None:
        return None
    *known, kept, turns, steps = row
    return _row(known), Said(kept=bytes(kept), turns=bytes(turns), steps=bytes(steps))


def events(connection: Connection, project: str, interaction_id: str) -> bytes | None:
    """Return the events of an interaction, where they were kept."""
    wanted = select(contents.c.events).where(contents.c.project == project, contents.c.id == interaction_id)
    found = connection.execute(wanted).scalar()
    return None if found is None else bytes(found)


def line(
    connection: Connection, project: str, wire: str, interaction_id: str, now_ms: int, depth_max: int
) -> tuple[Link, ...]:
    """Return an interaction and those that came before it, the oldest first: ``depth_max`` at the most.

    Where one is missing the line begins behind it, with its id as ``previous``.
    """
    columns = [interactions.c[name] for name in ("id", "previous", "status", "depth", "chain_bytes")]
    first = select(*columns, literal(0).label("back")).where(_living(project, wire, interaction_id, now_ms))
    found = first.cte("line", recursive=True)
    before = and_(
        interactions.c.project == project,
        interactions.c.id == found.c.previous,
        interactions.c.wire == wire,
        interactions.c.expires_ms > now_ms,
        found.c.previous != "",
        found.c.back < depth_max - 1,
    )
    found = found.union_all(
        select(*columns, (found.c.back + 1).label("back")).join_from(interactions, found, before)
    )
    said = and_(contents.c.project == project, contents.c.id == found.c.id)
    wanted = select(
        *(found.c[column.name] for column in columns), contents.c.turns, contents.c.steps
    ).join_from(found, contents, said)
    rows = connection.execute(wanted.order_by(found.c.back.desc()))
    return tuple(Link(**dict(zip(Link.__struct_fields__, row, strict=True))) for row in rows)


def prolong(
    connection: Connection, project: str, ids: Sequence[str], before_ms: int, expires_ms: int
) -> None:
    """Let those of the ids that would expire before a time expire at another one."""
    for start in range(0, len(ids), NAMED_AT_ONCE):
        some = interactions.c.id.in_(ids[start : start + NAMED_AT_ONCE])
        early = and_(interactions.c.project == project, some, interactions.c.expires_ms < before_ms)
        connection.execute(update(interactions).where(early).values(expires_ms=expires_ms))


def remove(connection: Connection, keys: Iterable[tuple[str, str]]) -> int:
    """Remove interactions, by project and id, with what was said in them; return how many there were."""
    removed = 0
    for project, interaction_id in keys:
        removed += connection.execute(delete(interactions).where(_is(project, interaction_id))).rowcount
        gone = and_(contents.c.project == project, contents.c.id == interaction_id)
        connection.execute(delete(contents).where(gone))
    return removed


def expired(connection: Connection, now_ms: int, count: int) -> tuple[tuple[str, str], ...]:
    """Return some that have expired by then or belong to deleted projects, by project and id, unless a
    process is at work on them."""
    gone = select(projects.c.id).where(projects.c.deleted_ms.is_not(None))
    found: list[tuple[str, str]] = []
    for old in (interactions.c.expires_ms <= now_ms, interactions.c.project.in_(gone)):  # an index for each
        wanted = select(interactions.c.project, interactions.c.id).where(old, interactions.c.owner == "")
        found += [(project, each) for project, each in connection.execute(wanted.limit(count - len(found)))]
    return tuple(dict.fromkeys(found))


def size_bytes(connection: Connection, project: str) -> int:
    """Return what the interactions of a project take."""
    wanted = select(func.coalesce(func.sum(interactions.c.size_bytes), 0)).where(
        interactions.c.project == project
    )
    return int(connection.execute(wanted).scalar_one())


def running(connection: Connection, project: str) -> int:
    """Return how many of a project have not ended in the background."""
    wanted = select(func.count()).select_from(interactions)
    wanted = wanted.where(interactions.c.project == project, interactions.c.status.in_(RUNNING))
    return int(connection.execute(wanted).scalar_one())


def left(connection: Connection, owner: str) -> tuple[InteractionRow, ...]:
    """Return those that have not ended and that no living process is at work on, nor ``owner``, the oldest
    first."""
    wanted = select(*_COLUMNS).where(_free(owner)).order_by(interactions.c.created_ms, interactions.c.id)
    return tuple(map(_row, connection.execute(wanted)))


def claim(connection: Connection, row: InteractionRow, owner: str) -> Said | None:
    """Take one that was left; return what is in it, or None when somebody else was quicker."""
    mine = (
        update(interactions)
        .where(_is(row.project, row.id), _free(owner))
        .values(owner=owner, tries=interactions.c.tries + 1)
    )
    if not connection.execute(mine).rowcount:
        return None
    wanted = select(contents).where(contents.c.project == row.project, contents.c.id == row.id)
    found = dict(connection.execute(wanted).one()._mapping)
    return Said(**{name: found[name] for name in Said.__struct_fields__})


def release(connection: Connection, project: str, interaction_id: str) -> None:
    """Let go of one, so that another process takes it."""
    connection.execute(update(interactions).where(_is(project, interaction_id)).values(owner=""))


def produced(connection: Connection, project: str, interaction_id: str, now_ms: int) -> None:
    """Write that something of an interaction was told: it is never begun again."""
    going = update(interactions).where(_is(project, interaction_id))
    connection.execute(going.values(status="in_progress", updated_ms=now_ms))
    same = and_(contents.c.project == project, contents.c.id == interaction_id)
    connection.execute(update(contents).where(same).values(waiting=None))


def ask_to_cancel(connection: Connection, project: str, interaction_id: str) -> None:
    """Write that an interaction is to be stopped by the process that is at work on it."""
    connection.execute(update(interactions).where(_is(project, interaction_id)).values(cancelling=1))


def cancelling(connection: Connection, owner: str) -> tuple[tuple[str, str], ...]:
    """Return those that a process is to stop, by project and id."""
    wanted = select(interactions.c.project, interactions.c.id).where(
        interactions.c.owner == owner, interactions.c.status.in_(RUNNING), interactions.c.cancelling == 1
    )
    return tuple((project, each) for project, each in connection.execute(wanted))


def _is(project: str, interaction_id: str) -> Any:
    return and_(interactions.c.project == project, interactions.c.id == interaction_id)


def _living(project: str, wire: str, interaction_id: str, now_ms: int) -> Any:
    return and_(_is(project, interaction_id), interactions.c.wire == wire, interactions.c.expires_ms > now_ms)


def _free(owner: str) -> Any:
    others = and_(interactions.c.owner != owner, interactions.c.owner.not_in(select(owners.c.id)))
    return and_(interactions.c.status.in_(RUNNING), others)


def _same_contents() -> Any:
    return and_(contents.c.project == interactions.c.project, contents.c.id == interactions.c.id)


def _values(row: InteractionRow) -> dict[str, Any]:
    said = msgspec.structs.asdict(row)
    return said | {"background": int(row.background), "cancelling": int(row.cancelling)}


def _row(values: Iterable[Any]) -> InteractionRow:
    said = dict(zip(InteractionRow.__struct_fields__, values, strict=True))
    return InteractionRow(
        **said | {"background": bool(said["background"]), "cancelling": bool(said["cancelling"])}
    )
