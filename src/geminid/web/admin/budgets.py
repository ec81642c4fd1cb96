"""Handlers of budgets."""

from __future__ import annotations

from geminid.service.administration import Administration
from geminid.service.budgets import Budget, KeptBudget
from geminid.web.admin.call import Call, Handler
from geminid.wire.admin import budgets as wire
from geminid.wire.admin.fields import dollars_of, nano_of


async def _list(acts: Administration, call: Call) -> wire.BudgetList:
    return wire.BudgetList(budgets=tuple(map(budget_of, await acts.budgets.of_project(call.path["project"]))))


async def _put(acts: Administration, call: Call) -> wire.Budget:
    said: wire.BudgetBody = call.body
    budget = Budget(
        name=call.path["budget"],
        period=said.period,
        amount_nano=nano_of(said.amount, "amount"),
        thresholds_permille=said.thresholds_permille,
    )
    return budget_of(await acts.budgets.set(call.actor, call.path["project"], budget, said.webhook))


async def _delete(acts: Administration, call: Call) -> None:
    await acts.budgets.remove(call.actor, call.path["project"], call.path["budget"])


async def _secret(acts: Administration, call: Call) -> wire.HookSecret:
    project = await acts.projects.get(call.path["project"])
    return wire.HookSecret(secret=acts.hooks.secret(project.id))


HANDLERS: dict[str, Handler] = {
    "budgets.list": _list,
    "budgets.put": _put,
    "budgets.delete": _delete,
    "budgets.secret": _secret,
}


def budget_of(kept: KeptBudget) -> wire.Budget:
    """Return a budget as it is told."""
    budget = kept.budget
    return wire.Budget(
        project=kept.project,
        name=budget.name,
        period=budget.period,
        amount=dollars_of(budget.amount_nano),
        thresholds_permille=budget.thresholds_permille,
        webhook=kept.webhook,
        told_permille=kept.told.permille,
    )
