"""Messages about budgets and the hooks that they tell."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from geminid.wire.admin.fields import Dollars
from geminid.wire.admin.message import Message

Thresholds = Annotated[
    tuple[Annotated[int, Meta(ge=1, le=1_000_000)], ...],
    Meta(description="Thousandths of the amount that are told, ascending.", min_length=1, max_length=20),
]


class BudgetBody(Message, frozen=True):
    """What a budget is to be."""

    period: Annotated[
        Literal["day", "month", "ever"], Meta(description="Days and months turn at midnight Pacific.")
    ]
    amount: Dollars
    thresholds_permille: Thresholds = (500, 900, 1000)
    webhook: Annotated[
        str, Meta(description="An address that is told; empty: nobody is.", max_length=2000)
    ] = ""


class Budget(Message, frozen=True):
    """An amount for a period. It tells, and blocks nothing; limits of spending do that."""

    project: str
    name: str
    period: Literal["day", "month", "ever"]
    amount: Dollars
    thresholds_permille: Thresholds
    webhook: str
    told_permille: Annotated[int, Meta(description="The highest threshold told in its last period.")]


class BudgetList(Message, frozen=True):
    """A project's budgets, by name."""

    budgets: tuple[Budget, ...]


class HookSecret(Message, frozen=True):
    """With which a receiver verifies messages, by the rules of Standard Webhooks."""

    secret: Annotated[str, Meta(description="`whsec_…`")]
