"""Budgets: set by operators, looked at again and again, told once for each threshold and period.

Looking is done beside the requests, not in them: what a budget says comes some seconds late and costs no
request anything. It blocks nothing; limits of spending do. Invariant: what is told and the message that tells
it are one transaction.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from geminid.billing.budgets import Budget, crossed, mistakes
from geminid.billing.periods import day_at, month_at, turned
from geminid.billing.quota import State
from geminid.core.errors import FieldViolation, InvalidArgument, NotFound
from geminid.core.money import Nano
from geminid.service.acting import TIME_MS_MAX, NowMs, now_ms, trace
from geminid.service.projects import live
from geminid.store import budgets as rows
from geminid.store import ledger, outbox, quotas, usage_sums
from geminid.store.budgets import KeptBudget
from geminid.store.database import Database
from geminid.store.outbox import Message
from geminid.store.usage_sums import Total

__all__ = ["Alert", "Budget", "Budgets", "KeptBudget", "UnknownBudget"]

SCHEMES = ("http://", "https://")
NAME_CHARACTERS_MAX = 64
URL_CHARACTERS_MAX = 2_000


class UnknownBudget(NotFound):
    """The project has no budget of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no budget {name} in this project.")


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a message: which threshold was reached, by how much, in which period."""

    type: str = "budget.threshold"
    id: str
    project: str
    budget: str
    period: str
    period_start_ms: int
    amount_nano: Nano
    spent_nano: Nano
    threshold_permille: int
    time_ms: int


class Budgets:
    """The budgets of all projects of one database."""

    def __init__(self, database: Database, now_ms: NowMs = now_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    async def set(self, actor: str, project: str, budget: Budget, webhook: str = "") -> KeptBudget:
        """Add a budget, or replace the one of its name. Raises UnknownProject, InvalidArgument."""
        _check(budget, webhook)
        kept = KeptBudget(project=project, budget=budget, webhook=webhook)
        time_ms = self._now_ms()

        def act(connection: Connection) -> None:
            live(connection, project)
            rows.put(connection, kept)
            said = {"period": budget.period, "amount_nano": budget.amount_nano, "webhook": bool(webhook)}
            trace(connection, time_ms, actor, "budget.set", budget.name, project, **said)

        await self._database.write(act)
        return kept

    async def of_project(self, project: str) -> tuple[KeptBudget, ...]:
        """Return a project's budgets, by name; raises UnknownProject."""

        def act(connection: Connection) -> tuple[KeptBudget, ...]:
            live(connection, project)
            return rows.of_project(connection, project)

        return await self._database.read(act)

    async def remove(self, actor: str, project: str, name: str) -> None:
        """Delete a budget. Raises UnknownProject, UnknownBudget."""
        time_ms = self._now_ms()

        def act(connection: Connection) -> None:
            live(connection, project)
            if not rows.remove(connection, project, name):
                raise UnknownBudget(name)
            trace(connection, time_ms, actor, "budget.remove", name, project)

        await self._database.write(act)

    async def look(self) -> int:
        """Look at every budget, and leave a message for each threshold that was newly reached."""
        told = 0
        for project in await self._database.read(rows.projects):
            told += await self._database.write(_Looking(project, self._now_ms()))
        return told


class _Looking:
    """All budgets of one project, looked at in one transaction."""

    def __init__(self, project: str, now_ms: int) -> None:
        self._project, self._now_ms = project, now_ms

    def __call__(self, connection: Connection) -> int:
        ledger.lock(connection, self._project)
        state = quotas.find(connection, self._project)
        told = 0
        for kept in rows.of_project(connection, self._project):
            start_ms, spent = self._spent(connection, state, kept.budget)
            now_told, thresholds = crossed(kept.budget, kept.told, start_ms, spent)
            if now_told != kept.told:
                rows.tell(connection, msgspec.structs.replace(kept, told=now_told))
            for threshold in thresholds:
                self._leave(connection, kept, start_ms, spent, threshold)
                told += 1
        return told

    def _spent(self, connection: Connection, state: State, budget: Budget) -> tuple[int, Nano]:
        if budget.period == "ever":
            charged = ledger.find(connection, self._project).revenue_nano
            used = usage_sums.totals(connection, self._project, 0, TIME_MS_MAX).get((), Total())
            return 0, max(charged, used.cost_nano)
        tally, span_at = {
            "day": (state.spend_day, day_at),
            "month": (state.spend_month, month_at),
        }[budget.period]
        now = turned(tally, max(self._now_ms, state.latest_ms), span_at)
        return now.start_ms, now.used

    def _leave(
        self, connection: Connection, kept: KeptBudget, start_ms: int, spent: Nano, threshold: int
    ) -> None:
        budget = kept.budget
        alert = Alert(
            id=f"{self._project}/{budget.name}/{start_ms}/{threshold}",
            project=self._project,
            budget=budget.name,
            period=budget.period,
            period_start_ms=start_ms,
            amount_nano=budget.amount_nano,
            spent_nano=spent,
            threshold_permille=threshold,
            time_ms=self._now_ms,
        )
        trace(connection, self._now_ms, "geminid", "budget.reached", budget.name, self._project,
              threshold_permille=threshold, spent_nano=spent)  # fmt: skip
        if kept.webhook:
            message = Message(
                id=alert.id,
                project=self._project,
                url=kept.webhook,
                body=msgspec.json.encode(alert).decode(),
                created_ms=self._now_ms,
                due_ms=self._now_ms,
            )
            outbox.add(connection, message)


def _check(budget: Budget, webhook: str) -> None:
    found = list(mistakes(budget))
    if len(budget.name) > NAME_CHARACTERS_MAX:
        found.append(FieldViolation(f"has more than {NAME_CHARACTERS_MAX} characters", "name"))
    if webhook and (not webhook.startswith(SCHEMES) or len(webhook) > URL_CHARACTERS_MAX):
        found.append(FieldViolation("must be an address that begins with http:// or https://", "webhook"))
    if found:
        words = "; ".join(f"{each.field} {each.description}" for each in found)
        raise InvalidArgument(f"The budget cannot be used: {words}.", violations=tuple(found))
