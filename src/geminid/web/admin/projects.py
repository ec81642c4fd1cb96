"""Handlers of projects and their limits."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from geminid.service.administration import Administration
from geminid.service.limits import LimitChange, Limits, ProjectLimits, RateChange, Said, SpendingChange
from geminid.service.projects import Project, ProjectChange
from geminid.web.admin.call import Call, Handler
from geminid.wire.admin import projects as wire
from geminid.wire.admin.fields import dollars_of, nano_of, time_of


async def _list(acts: Administration, call: Call) -> wire.ProjectPage:
    page = await acts.projects.page(call.size, call.after)
    return wire.ProjectPage(projects=tuple(map(_project, page.items)), next_page_token=page.next)


async def _create(acts: Administration, call: Call) -> wire.Project:
    said: wire.NewProject = call.body
    made = await acts.projects.create(call.actor, said.id, title=said.title, mode=said.mode, tier=said.tier)
    return _project(made)


async def _get(acts: Administration, call: Call) -> wire.Project:
    return _project(await acts.projects.get(call.path["project"]))


async def _update(acts: Administration, call: Call) -> wire.Project:
    said: wire.ProjectPatch = call.body
    change = ProjectChange(title=said.title, mode=said.mode, tier=said.tier)
    return _project(await acts.projects.update(call.actor, call.path["project"], change))


async def _delete(acts: Administration, call: Call) -> None:
    await acts.projects.delete(call.actor, call.path["project"])


async def _limits(acts: Administration, call: Call) -> wire.ProjectLimits:
    return limits_of(await acts.limits.get(call.path["project"]))


async def _change_limits(acts: Administration, call: Call) -> wire.ProjectLimits:
    said: wire.LimitsPatch = call.body
    change = LimitChange(
        tier=said.tier,
        every_model=_rates(said.every_model),
        models={name: None if each is None else _rates(each) for name, each in said.models.items()},
        spending=SpendingChange(
            day_nano=_amount(said.spending.day, "spending.day"),
            month_nano=_amount(said.spending.month, "spending.month"),
        ),
    )
    return limits_of(await acts.limits.change(call.actor, call.path["project"], change))


HANDLERS: dict[str, Handler] = {
    "projects.list": _list,
    "projects.create": _create,
    "projects.get": _get,
    "projects.update": _update,
    "projects.delete": _delete,
    "limits.get": _limits,
    "limits.update": _change_limits,
}


def _project(project: Project) -> wire.Project:
    return wire.Project(
        id=project.id,
        title=project.title,
        mode=project.mode,
        tier=project.tier,
        create_time=time_of(project.created_ms),
        update_time=time_of(project.updated_ms),
    )


def limits_of(limits: ProjectLimits) -> wire.ProjectLimits:
    """Return a project's limits as they are told."""
    rules, standing = limits.rules, limits.standing
    day, month = (
        value if value is None or value is UNSET else dollars_of(value)
        for value in (rules.spending.day_nano, rules.spending.month_nano)
    )
    return wire.ProjectLimits(
        tier=limits.tier,
        changed=wire.LimitsPatch(
            every_model=_patch(rules.every_model),
            models={name: _patch(each) for name, each in rules.models.items()},
            spending=wire.SpendingPatch(day=day, month=month),
        ),
        effective=wire.EffectiveLimits(
            every_model=_effective(standing.every_model),
            models={name: _effective(each) for name, each in standing.models.items()},
            spending=wire.Spending(
                day=_dollars(standing.whole.spend_day), month=_dollars(standing.whole.spend_month)
            ),
        ),
    )


def _rates(said: wire.RatesPatch) -> RateChange:
    return RateChange(rpm=said.rpm, tpm=said.tpm, rpd=said.rpd, concurrent=said.concurrent)


def _amount(said: Any, field: str) -> Said:
    if said is None or said is UNSET or said == "tier":
        unchanged: Said = said
        return unchanged
    return nano_of(said, field)


def _patch(override: Any) -> wire.RatesPatch:
    return wire.RatesPatch(
        rpm=override.rpm, tpm=override.tpm, rpd=override.rpd, concurrent=override.concurrent
    )


def _effective(limits: Limits) -> wire.Rates:
    return wire.Rates(rpm=limits.rpm, tpm=limits.tpm, rpd=limits.rpd, concurrent=limits.concurrent)


def _dollars(nano: int | None) -> str | None:
    return None if nano is None else dollars_of(nano)
