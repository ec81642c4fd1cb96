"""What something costs: one line of a price list, as data.

It knows neither which list is in force (:mod:`geminid.billing.prices`) nor how lists are written
(:mod:`geminid.catalog.pricebook`). Amounts are nano-dollars per million tokens; of storage, per million
tokens and hour.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from geminid.core.content import Modality
from geminid.core.money import Nano

PriceKind = Literal["input", "output", "cached", "storage"]
"""What is paid for: tokens read, tokens written (thoughts among them), tokens that came from a cache,
tokens kept in one."""

ModalityClass = Literal["text", "audio"]
"""Google's price lists know two: audio, and everything else."""

PriceTier = Literal["standard", "batch", "flex", "priority"]

PRICE_KINDS: tuple[PriceKind, ...] = get_args(PriceKind)
MODALITY_CLASSES: tuple[ModalityClass, ...] = get_args(ModalityClass)
PRICE_TIERS: tuple[PriceTier, ...] = get_args(PriceTier)

CLASS_OF: dict[Modality, ModalityClass] = {
    "text": "text",
    "image": "text",
    "video": "text",
    "document": "text",
    "audio": "audio",
}


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One price from one moment on.

    key: a model's name, or a name that several models share. nano_per_million None: there is no price
    from then on, which is not the same as 0. effective_from_ms: since the epoch, UTC; 0 is ever since.
    """

    key: str
    kind: PriceKind
    modality: ModalityClass = "text"
    tier: PriceTier = "standard"
    nano_per_million: Nano | None
    effective_from_ms: int = 0
