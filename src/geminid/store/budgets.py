"""Budgets ⇄ rows, and how far each was told."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from geminid.billing.budgets import Budget, Told
from geminid.store.tables import budgets

_THRESHOLDS = msgspec.json.Decoder(tuple[int, ...])


class KeptBudget(msgspec.Struct, frozen=True, kw_only=True):
    """A project's budget. webhook: the address that is told, or empty; then it is only shown."""

    project: str
    budget: Budget
    webhook: str = ""
    told: Told = Told()


def put(connection: Connection, kept: KeptBudget) -> None:
    """Write a budget; one of its name is replaced, with what was told of it."""
    remove(connection, kept.project, kept.budget.name)
    connection.execute(insert(budgets).values(**_columns(kept)))


def tell(connection: Connection, kept: KeptBudget) -> None:
    """Write how far a budget that is there was told."""
    same = (budgets.c.project == kept.project) & (budgets.c.name == kept.budget.name)
    told = {"told_start_ms": kept.told.period_start_ms, "told_permille": kept.told.permille}
    connection.execute(update(budgets).where(same).values(**told))


def remove(connection: Connection, project: str, name: str) -> bool:
    """Delete a budget; return whether it was there."""
    same = (budgets.c.project == project) & (budgets.c.name == name)
    return bool(connection.execute(delete(budgets).where(same)).rowcount)


def find(connection: Connection, project: str, name: str) -> KeptBudget | None:
    """Return a budget."""
    wanted = select(budgets).where(budgets.c.project == project, budgets.c.name == name)
    row = connection.execute(wanted).first()
    return _kept(row) if row is not None else None


def of_project(connection: Connection, project: str) -> tuple[KeptBudget, ...]:
    """Return all budgets of a project, by name."""
    wanted = select(budgets).where(budgets.c.project == project).order_by(budgets.c.name)
    return tuple(map(_kept, connection.execute(wanted)))


def projects(connection: Connection) -> tuple[str, ...]:
    """Return every project that has a budget."""
    return tuple(
        connection.execute(select(budgets.c.project).distinct().order_by(budgets.c.project)).scalars()
    )


def _columns(kept: KeptBudget) -> dict[str, Any]:
    budget = kept.budget
    return {
        "project": kept.project,
        "name": budget.name,
        "period": budget.period,
        "amount_nano": budget.amount_nano,
        "thresholds_permille": msgspec.json.encode(budget.thresholds_permille).decode(),
        "webhook": kept.webhook,
        "told_start_ms": kept.told.period_start_ms,
        "told_permille": kept.told.permille,
    }


def _kept(row: Row[*tuple[Any, ...]]) -> KeptBudget:
    return KeptBudget(
        project=row.project,
        budget=Budget(
            name=row.name,
            period=row.period,
            amount_nano=row.amount_nano,
            thresholds_permille=_THRESHOLDS.decode(row.thresholds_permille),
        ),
        webhook=row.webhook,
        told=Told(row.told_start_ms, row.told_permille),
    )
