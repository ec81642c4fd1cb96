"""How a project stands: whether it pays in advance, and what its limits are, model by model.

It counts nothing (:mod:`geminid.billing.quota`). Rules: a tier is the start; what the operator sets for
every model goes over it, what he sets for one model goes over that. Spending is limited for a project as a
whole only. Invariant: what nobody limits is ``None``.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from geminid.billing.limits import TIERS, UNLIMITED, Limits
from geminid.core.errors import InvalidArgument
from geminid.core.money import NANO_MAX, Nano
from geminid.core.project import Mode, TierName

Setting = int | None | UnsetType
"""A limit; None is no limit, UNSET leaves it to the tier."""


class Override(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of the operator's. Meanings as in :class:`geminid.billing.limits.Limits`."""

    rpm: Setting = UNSET
    tpm: Setting = UNSET
    rpd: Setting = UNSET
    concurrent: Setting = UNSET

    def over(self, limits: Limits) -> Limits:
        """Return ``limits`` with these in place of what they name."""
        said = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET}
        return msgspec.structs.replace(limits, **said) if said else limits


class Spending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of what a project spends, in nano-dollars of a Pacific day and month."""

    day_nano: Setting = UNSET
    month_nano: Setting = UNSET


class LimitRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an operator sets for one project: its spending, every model, single models by name."""

    spending: Spending = Spending()
    every_model: Override = Override()
    models: dict[str, Override] = {}


NO_RULES = LimitRules()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether a project's request may run.

    every_model: limits of a model that is not in ``models``. whole: limits of the project, all models
    together. live: it exists and was not deleted.
    """

    project: str
    mode: Mode = "postpaid"
    every_model: Limits = UNLIMITED
    models: dict[str, Limits] = {}
    whole: Limits = UNLIMITED
    live: bool = True

    def limits_of(self, model: str) -> Limits:
        """Return the limits of one model; spending is not among them."""
        return self.models.get(model, self.every_model)


def standing_of(
    project: str, mode: Mode, tier: TierName, rules: LimitRules = NO_RULES, *, live: bool = True
) -> Standing:
    """Return how a project stands, from what is set for it."""
    preset = TIERS.get(tier, UNLIMITED)
    rates = msgspec.structs.replace(preset, spend_day=None, spend_month=None)
    every = rules.every_model.over(rates)
    return Standing(
        project=project,
        mode=mode,
        every_model=every,
        models={name: override.over(every) for name, override in rules.models.items()},
        whole=Limits(
            spend_day=_set(rules.spending.day_nano, preset.spend_day),
            spend_month=_set(rules.spending.month_nano, preset.spend_month),
            free=preset.free,
        ),
        live=live,
    )


def _set(value: Setting, preset: Nano | None) -> Nano | None:
    return preset if isinstance(value, UnsetType) else value


def refuse_senseless(rules: LimitRules, models_max: int) -> None:
    """Raise InvalidArgument for a limit that is negative or larger than can be kept, and for too many."""
    if len(rules.models) > models_max:
        raise InvalidArgument(f"models must name at most {models_max} models, not {len(rules.models)}")
    sets = (("spending", rules.spending), ("every_model", rules.every_model), *rules.models.items())
    for where, limits in sets:
        for name in limits.__struct_fields__:
            value = getattr(limits, name)
            if isinstance(value, int) and not 0 <= value <= NANO_MAX:
                raise InvalidArgument(f"{where}.{name} must be in 0..{NANO_MAX}, not {value}")
