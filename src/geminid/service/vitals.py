"""Figures of the database that operators watch: requests whose credits are held, messages that wait.

They are read now and then, beside the requests, so that looking at metrics costs the database nothing.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from geminid.store.database import Database
from geminid.store.tables import holds, outbox


class Vitals:
    """The figures as of the last :meth:`refresh`, over all processes of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.holds_open = 0
        self.messages_waiting = 0

    async def refresh(self) -> None:
        """Read the figures again."""

        def act(connection: Connection) -> tuple[int, int]:
            counted = (connection.execute(select(func.count()).select_from(each)) for each in (holds, outbox))
            return tuple(int(each.scalar_one()) for each in counted)  # type: ignore[return-value]

        self.holds_open, self.messages_waiting = await self._database.read(act)
