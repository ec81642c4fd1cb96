"""What administrators changed, page by page."""

from __future__ import annotations

from geminid.service.acting import Page, paged, wrong
from geminid.store import audit as rows
from geminid.store.audit import Entry
from geminid.store.database import Database

__all__ = ["Entry", "Trail"]


class Trail:
    """The changes of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, size: int, after: str = "", project: str | None = None) -> Page[Entry]:
        """Return ``size`` changes at most, the newest first, of all projects or of one."""
        if after and (not after.isdecimal() or len(after) > 18):
            raise wrong("pageToken", "was not given by this server")
        before = int(after) if after else None
        found = await self._database.read(lambda c: rows.page(c, project, before, size + 1))
        return paged(found, size, lambda entry: str(entry.seq))
