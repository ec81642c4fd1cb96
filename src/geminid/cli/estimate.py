"""``geminid estimate``: what a request would cost at most, told before it runs."""

from __future__ import annotations

import asyncio
from typing import Any

from rich.console import Console

from geminid.app import estimating
from geminid.catalog.catalog import Catalog
from geminid.cli.terminal import errors, write_json, write_table
from geminid.config import Config
from geminid.core.card import ModelCard
from geminid.core.money import decimal_dollars, format_dollars
from geminid.core.price import PriceTier
from geminid.core.request import GenerateRequest
from geminid.web.admin.catalogue import percent

COLUMNS = ("kind", "modality", "tokens", "perMillion", "listPerMillion", "discountPercent", "most")


def estimate(
    config: Config,
    catalog: Catalog,
    card: ModelCard,
    request: GenerateRequest,
    tier: PriceTier,
    *,
    json: bool,
) -> None:
    """Count a request with the model's own engine, and write what it can cost."""
    told = asyncio.run(_estimate(config, catalog, card, request, tier))
    if json:
        write_json(told)
        return
    console = Console(highlight=False, soft_wrap=True)
    by_modality = ", ".join(f"{tokens:,} {name}" for name, tokens in told["promptByModality"].items())
    console.print(f"{told['asked']}, tier {tier}, answered by {told['model']}")
    console.print(f"prompt: {told['promptTokens']:,} tokens ({by_modality or 'nothing'})")
    console.print(f"answer: at most {told['outputTokensMax']:,} tokens, thoughts included")
    if told["boundNano"] is None:
        console.print(f"cost:   unknown. {told['unpriced']}", markup=False)
        return
    write_table(
        COLUMNS,
        [["-" if line[name] is None else str(line[name]) for name in COLUMNS] for line in told["lines"]],
    )
    console.print(f"cost:   at most {format_dollars(told['boundNano'])}, by the prices of {told['priceKey']}")


async def _estimate(
    config: Config, catalog: Catalog, card: ModelCard, request: GenerateRequest, tier: PriceTier
) -> dict[str, Any]:
    async with estimating(config, catalog, card) as ask:
        with errors.status(f"counting with {card.name}"):
            found = await ask(request, tier)
    bound = found.bound_nano
    return {
        "asked": found.asked,
        "model": found.model,
        "tier": found.tier,
        "promptTokens": found.usage.prompt,
        "promptByModality": found.usage.by_modality(),
        "outputTokensMax": found.tokens_max,
        "priceKey": found.price_key,
        "lines": [_line(each) for each in found.lines],
        "bound": None if bound is None else decimal_dollars(bound),
        "boundNano": bound,
        "unpriced": found.unpriced,
    }


def _line(line: Any) -> dict[str, Any]:
    listed, permille = line.unit.list_nano_per_million, line.unit.discount_permille
    return {
        "kind": line.kind,
        "modality": line.modality,
        "tokens": line.tokens,
        "perMillion": decimal_dollars(line.unit.nano_per_million),
        "listPerMillion": None if listed is None else decimal_dollars(listed),
        "discountPercent": percent(permille),
        "most": decimal_dollars(line.most_nano),
    }
