"""Messages about projects and their limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from geminid.core.project import Mode, TierName
from geminid.wire.admin.fields import Dollars, Time, Title
from geminid.wire.admin.message import Message, Patch

ProjectId = Annotated[
    str,
    Meta(
        description="3 to 63 lower case letters, digits and '-', beginning with a letter.",
        pattern="^[a-z][a-z0-9-]{1,61}[a-z0-9]$",
    ),
]
Rate = Annotated[int, Meta(ge=0, le=2**63 - 1)]
RateSaid = Rate | Literal["tier"] | UnsetType | None
"""A limit as it is set: a number, null for no limit, ``tier`` for the tier's again."""
DollarsSaid = Annotated[str, Meta(pattern=r"^(tier|[0-9]{1,10}(\.[0-9]{1,9})?)$")] | UnsetType | None
"""An amount, null for no limit, ``tier`` for the tier's again."""


class Project(Message, frozen=True):
    """Who owns keys, files, credits and limits."""

    id: ProjectId
    title: Title
    mode: Annotated[
        Mode,
        Meta(description="`prepaid`: credits must cover a request before it runs. `postpaid`: written down."),
    ]
    tier: TierName
    create_time: Time
    update_time: Time


class ProjectPage(Message, frozen=True):
    """Projects by id."""

    projects: tuple[Project, ...]
    next_page_token: str = ""


class NewProject(Message, frozen=True):
    """A project that is to be made. Its id is never given again."""

    id: ProjectId
    title: Title = ""
    mode: Mode = "postpaid"
    tier: TierName = "unlimited"


class ProjectPatch(Patch, frozen=True):
    """What is to be different."""

    title: Title | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    tier: TierName | UnsetType = UNSET


class Rates(Message, frozen=True):
    """Limits of one model; null is no limit, 0 is nothing."""

    rpm: Annotated[int | None, Meta(description="Requests in any 60 seconds.")] = None
    tpm: Annotated[int | None, Meta(description="Tokens of input in any 60 seconds.")] = None
    rpd: Annotated[int | None, Meta(description="Requests of a day, which turns at midnight Pacific.")] = None
    concurrent: Annotated[int | None, Meta(description="Requests that run at once.")] = None


class Spending(Message, frozen=True):
    """What a project may spend, all models together; null is no limit."""

    day: Dollars | None = None
    month: Dollars | None = None


class EffectiveLimits(Message, frozen=True):
    """What holds: the tier's limits with yours over them."""

    every_model: Rates
    models: Annotated[dict[str, Rates], Meta(description="Models with limits of their own.")]
    spending: Spending


class RatesPatch(Patch, frozen=True):
    """Limits to be set: a number, null for no limit, `"tier"` for the tier's again."""

    rpm: RateSaid = UNSET
    tpm: RateSaid = UNSET
    rpd: RateSaid = UNSET
    concurrent: RateSaid = UNSET


class SpendingPatch(Patch, frozen=True):
    """Limits of spending to be set: dollars, null for no limit, `"tier"` for the tier's again."""

    day: DollarsSaid = UNSET
    month: DollarsSaid = UNSET


class LimitsPatch(Patch, frozen=True):
    """What is to be different. A model with null loses its own limits."""

    tier: TierName | UnsetType = UNSET
    every_model: RatesPatch = RatesPatch()
    models: Annotated[dict[str, RatesPatch | None], Meta(max_length=200)] = msgspec.field(
        default_factory=dict
    )
    spending: SpendingPatch = SpendingPatch()


class ProjectLimits(Message, frozen=True):
    """A project's limits: its tier, what you set, and what holds."""

    tier: TierName
    changed: Annotated[LimitsPatch, Meta(description="What goes over the tier's limits.")]
    effective: EffectiveLimits
