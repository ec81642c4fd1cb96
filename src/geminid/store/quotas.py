"""What limits count ⇄ rows: a state for each project and model, and, under no model, one for a project.

Requests come through :mod:`geminid.store.hot`. Invariant: who changes a state has locked the balance of its
project before.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select, update

from geminid.billing.quota import State, decode, encode
from geminid.store.tables import quotas

WHOLE = ""
"""Stands in the place of a model where a project as a whole is counted."""


def find(connection: Connection, project: str, model: str = WHOLE) -> State:
    """Return what is counted for a project and model."""
    wanted = select(quotas.c.state).where(quotas.c.project == project, quotas.c.model == model)
    found = connection.execute(wanted).scalar()
    return decode(bytes(found)) if found is not None else State()


def of_project(connection: Connection, project: str) -> dict[str, State]:
    """Return everything that is counted for a project, by model."""
    rows = connection.execute(select(quotas.c.model, quotas.c.state).where(quotas.c.project == project))
    return {model: decode(bytes(state)) for model, state in rows}


def put(connection: Connection, project: str, model: str, state: State) -> None:
    """Write a state that is there."""
    connection.execute(
        update(quotas).where(quotas.c.project == project, quotas.c.model == model).values(state=encode(state))
    )


def projects_of_others(connection: Connection, owners: Collection[str]) -> set[str]:
    """Return the projects in which a process that is none of these is counted as running something."""
    rows = connection.execute(select(quotas.c.project, quotas.c.state))
    return {
        project
        for project, state in rows
        if any(each.owner not in owners for each in decode(bytes(state)).running)
    }
