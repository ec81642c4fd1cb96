"""The acts on projects: create, find, list, change, delete.

It knows no wire. Nothing is remembered: who admits a request reads the project's row in its transaction.
Invariant: a deleted project is the same as one that never was, except that its name is not given again.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from geminid.core.errors import FailedPrecondition, NotFound
from geminid.core.project import DEFAULT_PROJECT, Mode, TierName
from geminid.service.acting import NowMs, Page, check_id, check_title, now_ms, paged, trace
from geminid.store import keys as key_rows
from geminid.store import projects as rows
from geminid.store.database import Database
from geminid.store.projects import Project

__all__ = ["Project", "ProjectChange", "Projects", "UnknownProject", "known", "live"]

MODELS_MAX = 200
"""Models with limits of their own, in one project."""


class UnknownProject(NotFound):
    """No project has this id, or none that is live."""

    def __init__(self, project: str) -> None:
        super().__init__(f"There is no project {project}.")


class ProjectChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different; UNSET stays as it is."""

    title: str | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    tier: TierName | UnsetType = UNSET


class Projects:
    """All projects of one database. Used on one event loop only."""

    def __init__(self, database: Database, now_ms: NowMs = now_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    async def create(
        self,
        actor: str,
        project_id: str,
        *,
        title: str = "",
        mode: Mode = "postpaid",
        tier: TierName = "unlimited",
    ) -> Project:
        """Add a project. Raises InvalidArgument, and AlreadyExists when the id is or was taken."""
        check_id(project_id)
        check_title(title, "title", empty=True)
        now_ms = self._now_ms()
        project = Project(
            id=project_id, title=title, mode=mode, tier=tier, created_ms=now_ms, updated_ms=now_ms
        )

        def act(connection: Connection) -> None:
            rows.add(connection, project)
            said = {"title": title, "mode": mode, "tier": tier}
            trace(connection, now_ms, actor, "project.create", project_id, project_id, **said)

        await self._database.write(act)
        return project

    async def get(self, project_id: str) -> Project:
        """Return a project; raises UnknownProject."""
        return await self._database.read(lambda c: live(c, project_id))

    async def page(self, size: int, after: str = "") -> Page[Project]:
        """Return ``size`` projects at most, by id, beginning after a place."""
        found = await self._database.read(lambda c: rows.page(c, after, size + 1))
        return paged(found, size, lambda project: project.id)

    async def update(self, actor: str, project_id: str, change: ProjectChange) -> Project:
        """Change a project and return it. Raises UnknownProject, InvalidArgument."""
        said = {
            name: value for name in change.__struct_fields__ if (value := getattr(change, name)) is not UNSET
        }
        if "title" in said:
            check_title(said["title"], "title", empty=True)
        now_ms = self._now_ms()

        def act(connection: Connection) -> Project:
            project = msgspec.structs.replace(
                live(connection, project_id, lock=True), **said, updated_ms=now_ms
            )
            rows.put(connection, project)
            trace(connection, now_ms, actor, "project.update", project_id, project_id, **said)
            return project

        return await self._database.write(act)

    async def delete(self, actor: str, project_id: str) -> None:
        """Delete a project and revoke its keys; its ledger and usage stay. Raises UnknownProject, and
        FailedPrecondition for the default project."""
        if project_id == DEFAULT_PROJECT:
            raise FailedPrecondition("The default project cannot be deleted.")
        now_ms = self._now_ms()

        def act(connection: Connection) -> None:
            project = live(connection, project_id, lock=True)
            rows.put(connection, msgspec.structs.replace(project, deleted_ms=now_ms, updated_ms=now_ms))
            key_rows.revoke_all(connection, project_id, now_ms)
            trace(connection, now_ms, actor, "project.delete", project_id, project_id)

        await self._database.write(act)


def live(connection: Connection, project_id: str, *, lock: bool = False) -> Project:
    """Return a project that was not deleted; raises UnknownProject. An act on a connection.

    lock: nobody else changes it until the transaction ends.
    """
    project = rows.find(connection, project_id, lock=lock)
    if project is None or project.deleted_ms is not None:
        raise UnknownProject(project_id)
    return project


def known(connection: Connection, project_id: str) -> None:
    """Raise UnknownProject for a project that never was; of one that was deleted the books stay open."""
    if rows.find(connection, project_id) is None:
        raise UnknownProject(project_id)
