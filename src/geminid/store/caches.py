"""Cached contents ⇄ rows: what is known of each, and, apart from that, what is in them.

Rows are added, changed and removed by :mod:`geminid.store.hot`, with the money that they cost, in one
transaction. Invariant: what has expired by the time that is said is not found, whether or not it was removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, or_, select

from geminid.core.cache import Cache, CachePlace
from geminid.core.content import Modality
from geminid.core.money import Nano
from geminid.core.usage import Usage
from geminid.store.tables import cache_contents, caches, projects, usage

MEDIA: tuple[Modality, ...] = ("image", "video", "audio", "document")
COLUMNS = tuple(column.name for column in caches.columns)


class CacheRow(Cache, frozen=True, kw_only=True):
    """Cached contents, and what keeping them costs.

    key_id, key_name: of the key that made them. nano_per_million: the price of keeping a million tokens for
    an hour, as it was when they were made; None without a price. holds: how often credits were held for
    keeping them, 0 where none are held; the last hold's subject follows from it.
    """

    key_id: str = ""
    key_name: str = ""
    nano_per_million: Nano | None = None
    holds: int = 0


class Use(msgspec.Struct, frozen=True):
    """How often cached contents were used, how many tokens that were, and what it saved."""

    hits: int = 0
    tokens: int = 0
    saved_nano: Nano = 0


NO_USE = Use()


def columns(row: CacheRow) -> tuple[Any, ...]:
    """Return a row's values in the order of the table's columns."""
    return (
        row.project,
        row.id,
        row.model,
        row.asked,
        row.display_name,
        row.key_id,
        row.key_name,
        row.usage.prompt,
        *(row.usage.media.get(kind, 0) for kind in MEDIA),
        row.nano_per_million,
        row.holds,
        row.created_ns,
        row.updated_ns,
        row.expires_ns,
    )


def cache_of(row: Sequence[Any]) -> CacheRow:
    """Return what a row of the table tells."""
    said = dict(zip(COLUMNS, row, strict=True))
    tokens: dict[Modality, int] = {kind: said.pop(f"{kind}_tokens") for kind in MEDIA}
    media: dict[Modality, int] = {kind: count for kind, count in tokens.items() if count}
    return CacheRow(**said | {"usage": Usage(prompt=said.pop("prompt_tokens"), media=media)})


def find(connection: Connection, project: str, cache_id: str, now_ns: int) -> CacheRow | None:
    """Return cached contents of a project that have not expired by then."""
    same = (caches.c.project == project) & (caches.c.id == cache_id)
    row = connection.execute(select(caches).where(same, caches.c.expires_ns > now_ns)).first()
    return cache_of(row) if row is not None else None


def find_anywhere(connection: Connection, cache_id: str, now_ns: int) -> CacheRow | None:
    """Return cached contents of whichever project that have not expired by then."""
    row = connection.execute(
        select(caches).where(caches.c.id == cache_id, caches.c.expires_ns > now_ns)
    ).first()
    return cache_of(row) if row is not None else None


def content(connection: Connection, project: str, cache_id: str) -> bytes | None:
    """Return what is in cached contents, encoded; None when they are gone."""
    same = (cache_contents.c.project == project) & (cache_contents.c.id == cache_id)
    found = connection.execute(select(cache_contents.c.value).where(same)).scalar()
    return None if found is None else bytes(found)


def page(
    connection: Connection, project: str, now_ns: int, after: CachePlace | None, count: int
) -> tuple[CacheRow, ...]:
    """Return ``count`` of them at most, the newest first, beginning after a place in that order.

    project: empty is all of them.
    """
    wanted = select(caches).where(caches.c.expires_ns > now_ns)
    if project:
        wanted = wanted.where(caches.c.project == project)
    if after is not None:
        same = and_(caches.c.created_ns == after.created_ns, caches.c.id > after.id)
        wanted = wanted.where(or_(caches.c.created_ns < after.created_ns, same))
    rows = connection.execute(wanted.order_by(caches.c.created_ns.desc(), caches.c.id).limit(count))
    return tuple(map(cache_of, rows))


def living(connection: Connection, now_ns: int) -> tuple[CacheRow, ...]:
    """Return all that have not expired by then, of all projects, the longest-lived first."""
    wanted = select(caches).where(caches.c.expires_ns > now_ns).order_by(caches.c.expires_ns.desc())
    return tuple(map(cache_of, connection.execute(wanted)))


def expired(connection: Connection, now_ns: int) -> tuple[CacheRow, ...]:
    """Return what has expired by then, of all projects."""
    wanted = select(caches).where(caches.c.expires_ns <= now_ns).order_by(caches.c.expires_ns)
    return tuple(map(cache_of, connection.execute(wanted)))


def forsaken(connection: Connection) -> tuple[CacheRow, ...]:
    """Return what belongs to projects that were deleted."""
    gone = select(projects.c.id).where(projects.c.deleted_ms.is_not(None))
    return tuple(map(cache_of, connection.execute(select(caches).where(caches.c.project.in_(gone)))))


def count(connection: Connection, project: str) -> int:
    """Return how many a project has."""
    wanted = select(func.count()).select_from(caches).where(caches.c.project == project)
    return int(connection.execute(wanted).scalar_one())


def uses(connection: Connection, project: str, cache_ids: Sequence[str]) -> dict[str, Use]:
    """Return how some of a project's cached contents were used, by id; unused ones are left out."""
    figures = (
        func.count(),
        func.coalesce(func.sum(usage.c.cached_tokens), 0),
        func.coalesce(func.sum(usage.c.saved_nano), 0),
    )
    wanted = (
        select(usage.c.cache, *figures)
        .where(usage.c.project == project, usage.c.cache.in_(cache_ids), usage.c.cache != "")
        .where(usage.c.verb == "generate", usage.c.outcome.in_(("finished", "cancelled")))
        .group_by(usage.c.cache)
    )
    return {cache_id: Use(*map(int, rest)) for cache_id, *rest in connection.execute(wanted)}
