"""Budgets: which thresholds of spending were crossed, told once in each period.

It blocks nothing (limits of spending are :mod:`geminid.billing.quota`'s) and sends nothing. Invariant:
a threshold is told at most once a period, however spending goes up and down.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from geminid.core.errors import FieldViolation
from geminid.core.money import Nano

Period = Literal["day", "month", "ever"]
PERMILLE = 1000


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """An amount for a period, and the shares of it that are worth telling, in thousandths, ascending.

    More than 1000 is allowed: 1200 tells that a fifth too much was spent.
    """

    name: str
    period: Period
    amount_nano: Nano
    thresholds_permille: tuple[int, ...] = (500, 900, 1000)


class Told(msgspec.Struct, frozen=True):
    """How far a budget's thresholds have been told in the period that began at ``period_start_ms``."""

    period_start_ms: int = 0
    permille: int = 0


def crossed(
    budget: Budget, told: Told, period_start_ms: int, spent_nano: Nano
) -> tuple[Told, tuple[int, ...]]:
    """Return what is told now, and the thresholds newly reached by ``spent_nano``, ascending.

    period_start_ms: of the period that the spending belongs to. One that is older than what was told
    already reaches nothing: its time is over.
    """
    if period_start_ms < told.period_start_ms:
        return told, ()
    already = told.permille if period_start_ms == told.period_start_ms else 0
    new = tuple(
        threshold
        for threshold in budget.thresholds_permille
        if threshold > already and spent_nano * PERMILLE >= budget.amount_nano * threshold
    )
    return Told(period_start_ms, new[-1] if new else already), new


def mistakes(budget: Budget) -> tuple[FieldViolation, ...]:
    """Return everything that is wrong with a budget, empty when nothing is."""
    shares = budget.thresholds_permille
    found = []
    if not budget.name:
        found.append(FieldViolation("is empty", "name"))
    if budget.amount_nano <= 0:
        found.append(FieldViolation("must be more than nothing", "amount_nano"))
    if not shares or min(shares) <= 0 or list(shares) != sorted(set(shares)):
        found.append(FieldViolation("must be positive and ascending, at least one", "thresholds_permille"))
    return tuple(found)
