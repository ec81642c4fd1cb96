"""Messages about prices, names of models, and what administrators changed."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from geminid.core.alias import Stage
from geminid.core.price import ModalityClass, PriceKind, PriceTier
from geminid.wire.admin.fields import Dollars, Time
from geminid.wire.admin.message import Message

PriceKey = Annotated[
    str,
    Meta(
        description="A name of a model.",
        pattern="^[a-z0-9][a-z0-9._-]{0,127}$",
    ),
]
ModelName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._-]{0,127}$")]
Price = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$", examples=["0.25"])]


class PriceLine(Message, frozen=True):
    """One price beside the list price, US dollars per million tokens; of storage per million and hour."""

    kind: PriceKind
    modality: ModalityClass
    per_million: Dollars
    list_per_million: Dollars | None
    discount_percent: Annotated[
        str | None, Meta(description="Below the list price, rounded down; negative above it.")
    ]


class PriceSheet(Message, frozen=True):
    """All prices of one key in one tier, and how long they hold."""

    key: str
    tier: PriceTier
    lines: tuple[PriceLine, ...]
    from_time: Time
    until_time: Time | None


class PriceSheetPage(Message, frozen=True):
    """Price sheets by key; of each key as many as there are tiers."""

    sheets: tuple[PriceSheet, ...]
    next_page_token: str = ""


class PriceEntry(Message, frozen=True):
    """A price that somebody set, and from when on it holds."""

    seq: int
    key: str
    kind: PriceKind
    modality: ModalityClass
    tier: PriceTier
    per_million: Annotated[Dollars | None, Meta(description="Null is the end of a price.")]
    effective_time: Time
    create_time: Time
    author: str


class PriceEntryPage(Message, frozen=True):
    """Prices that were set, in the order in which they were."""

    entries: tuple[PriceEntry, ...]
    next_page_token: str = ""


class NewPrice(Message, frozen=True, kw_only=True):
    """A price to be set, from now or from a time to come on; what was billed never changes."""

    key: PriceKey
    kind: PriceKind
    modality: ModalityClass = "text"
    tier: PriceTier = "standard"
    per_million: Annotated[Price | None, Meta(description="Dollars; null ends the price.")]
    effective_time: Annotated[Time | None, Meta(description="Null is now.")] = None


class Alias(Message, frozen=True):
    """A name of a model, and how far it is through its life."""

    name: ModelName
    target: Annotated[str, Meta(description="A card's own name; empty is whichever model is the default.")]
    stage: Stage
    retire_time: Time | None
    retired: bool


class AliasPage(Message, frozen=True):
    """Aliases by name."""

    aliases: tuple[Alias, ...]
    next_page_token: str = ""


class AliasBody(Message, frozen=True):
    """What a name is to mean. A retired name answers as Google's retired models do."""

    target: Annotated[str, Meta(pattern="^([a-z0-9][a-z0-9._-]{0,127})?$")] = ""
    stage: Stage = "stable"
    retire_time: Time | None = None


class Change(Message, frozen=True):
    """One thing that an administrator changed."""

    seq: int
    time: Time
    actor: str
    action: str
    project: str
    subject: str
    details: dict[str, Any]


class ChangePage(Message, frozen=True):
    """Changes, the newest first."""

    changes: tuple[Change, ...]
    next_page_token: str = ""
