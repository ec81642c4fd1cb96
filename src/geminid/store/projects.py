"""Projects ⇄ rows. Every function is an act on a connection; ids and times the caller says.

Invariant: a project that was deleted keeps its row, so that its name is never given to somebody else.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from geminid.billing.standing import LimitRules, Standing, standing_of
from geminid.core.errors import AlreadyExists
from geminid.core.project import Mode, TierName
from geminid.store.tables import projects


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns keys, files, credits and limits. Times are in milliseconds since 1970."""

    id: str
    title: str = ""
    mode: Mode = "postpaid"
    tier: TierName = "unlimited"
    limits: LimitRules = LimitRules()
    created_ms: int
    updated_ms: int
    deleted_ms: int | None = None

    @property
    def standing(self) -> Standing:
        """How it stands."""
        return standing_of(self.id, self.mode, self.tier, self.limits, live=self.deleted_ms is None)


_FIELDS = tuple(projects.c[name] for name in Project.__struct_fields__)


def add(connection: Connection, project: Project) -> None:
    """Insert a project; raises ``AlreadyExists`` when its id is taken, even by a deleted one."""
    try:
        connection.execute(insert(projects).values(**_columns(project)))
    except IntegrityError as error:
        raise AlreadyExists(f"The project {project.id} already exists or did so before.") from error


def find(connection: Connection, project_id: str, *, lock: bool = False) -> Project | None:
    """Return a project, also one that was deleted. lock: until the transaction ends nobody changes it."""
    wanted = select(*_FIELDS).where(projects.c.id == project_id)
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    return _project(row) if row is not None else None


def page(connection: Connection, after: str, count: int, *, deleted: bool = False) -> tuple[Project, ...]:
    """Return ``count`` projects at most, by id, beginning after one."""
    wanted = select(*_FIELDS).where(projects.c.id > after)
    if not deleted:
        wanted = wanted.where(projects.c.deleted_ms.is_(None))
    return tuple(map(_project, connection.execute(wanted.order_by(projects.c.id).limit(count))))


def put(connection: Connection, project: Project) -> None:
    """Write a project that is there."""
    connection.execute(update(projects).where(projects.c.id == project.id).values(**_columns(project)))


def _columns(project: Project) -> dict[str, Any]:
    columns = msgspec.structs.asdict(project)
    return {**columns, "limits": msgspec.json.encode(project.limits).decode()}


def _project(row: Row[*tuple[Any, ...]]) -> Project:
    said = dict(row._mapping)
    return Project(**{**said, "limits": msgspec.json.decode(said["limits"], type=LimitRules)})
