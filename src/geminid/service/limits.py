"""The acts on a project's limits: what its tier gives, what an operator changed, what holds.

It counts nothing. A limit is a number, None for no limit at all, or left to the tier. Invariant: two
changes at the same time both happen, for each reads and writes in one transaction.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from geminid.billing.limits import Limits
from geminid.billing.standing import (
    LimitRules,
    Override,
    Setting,
    Spending,
    Standing,
    refuse_senseless,
)
from geminid.core.project import TierName
from geminid.service.acting import NowMs, now_ms, trace, wrong
from geminid.service.projects import MODELS_MAX, Projects, live
from geminid.store import projects as rows
from geminid.store.database import Database
from geminid.store.projects import Project

__all__ = [
    "LimitChange",
    "Limits",
    "LimitsService",
    "ProjectLimits",
    "RateChange",
    "Said",
    "SpendingChange",
]

MODEL_CHARACTERS_MAX = 128

T = TypeVar("T", Override, Spending)

Said = int | None | Literal["tier"] | UnsetType
"""A limit as it is changed: a number, None for none, ``tier`` for the tier's again; UNSET stays."""


class RateChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different in the limits of one model, or of every model."""

    rpm: Said = UNSET
    tpm: Said = UNSET
    rpd: Said = UNSET
    concurrent: Said = UNSET


class SpendingChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different in what a project may spend, nano-dollars."""

    day_nano: Said = UNSET
    month_nano: Said = UNSET


class LimitChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different in a project's limits. A model with None loses its own limits."""

    tier: TierName | UnsetType = UNSET
    every_model: RateChange = RateChange()
    models: dict[str, RateChange | None] = {}
    spending: SpendingChange = SpendingChange()


class ProjectLimits(msgspec.Struct, frozen=True, kw_only=True):
    """A project's limits: its tier, what was changed, and what holds."""

    tier: TierName
    rules: LimitRules
    standing: Standing


class LimitsService:
    """The limits of all projects of one database."""

    def __init__(self, database: Database, projects: Projects, now_ms: NowMs = now_ms) -> None:
        self._database = database
        self._projects = projects
        self._now_ms = now_ms

    async def get(self, project: str) -> ProjectLimits:
        """Return a project's limits; raises UnknownProject."""
        return _limits(await self._projects.get(project))

    async def change(self, actor: str, project: str, change: LimitChange) -> ProjectLimits:
        """Change limits and return them all. Raises UnknownProject, InvalidArgument."""
        now_ms = self._now_ms()

        def act(connection: Connection) -> Project:
            found = live(connection, project, lock=True)
            rules = _changed(found.limits, change)
            refuse_senseless(rules, MODELS_MAX)
            tier = found.tier if isinstance(change.tier, UnsetType) else change.tier
            changed = msgspec.structs.replace(found, tier=tier, limits=rules, updated_ms=now_ms)
            rows.put(connection, changed)
            trace(connection, now_ms, actor, "limits.update", project, project, tier=tier, limits=rules)
            return changed

        return _limits(await self._database.write(act))


def _limits(project: Project) -> ProjectLimits:
    return ProjectLimits(tier=project.tier, rules=project.limits, standing=project.standing)


def _changed(rules: LimitRules, change: LimitChange) -> LimitRules:
    models = dict(rules.models)
    for name, said in change.models.items():
        if not 0 < len(name) <= MODEL_CHARACTERS_MAX or not name.isprintable():
            raise wrong("models", f"must be named by at most {MODEL_CHARACTERS_MAX} characters")
        if said is None:
            models.pop(name, None)
        else:
            models[name] = _over(models.get(name, Override()), said)
    return LimitRules(
        spending=_over(rules.spending, change.spending),
        every_model=_over(rules.every_model, change.every_model),
        models=models,
    )


def _over(limits: T, said: RateChange | SpendingChange) -> T:
    changes: dict[str, Setting] = {}
    for name in said.__struct_fields__:
        value: Said = getattr(said, name)
        if value is not UNSET:
            changes[name] = UNSET if value == "tier" else value
    return msgspec.structs.replace(limits, **changes)
