"""What a request would cost at most, told line by line before anything runs.

It counts as ``countTokens`` does and bounds as the meter does; it holds and writes nothing.
"""

from __future__ import annotations

import msgspec

from geminid.billing.faults import Unpriced
from geminid.billing.rating import BoundLine, bound_lines
from geminid.core.money import Nano
from geminid.core.price import PriceTier
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.service.generate import Generator, tokens_bound
from geminid.service.meter import PriceFinder


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A request's tokens and the most that it can cost.

    asked, model: the name that was asked for, and the card that answers. price_key: under which name the
    prices stand. tokens_max: of the answer, thoughts included. unpriced: why there is no bound; empty when
    there is one.
    """

    asked: str
    model: str
    tier: PriceTier
    usage: Usage
    tokens_max: int
    price_key: str = ""
    lines: tuple[BoundLine, ...] = ()
    unpriced: str = ""

    @property
    def bound_nano(self) -> Nano | None:
        """The most that the request can cost; None where there is no price."""
        return None if self.unpriced else sum(line.most_nano for line in self.lines)


async def estimate(
    generator: Generator, prices: PriceFinder, request: GenerateRequest, tier: PriceTier, now_ms: int
) -> Estimate:
    """Count a request and bound its cost in a tier, which may be one that no single request has (batch).

    Raises what counting raises; a missing price is no error.
    """
    card = generator.served.resolve(request.model)
    usage = (await generator.count(request)).usage
    tokens_max = tokens_bound(card, request)
    sheet = prices.sheet((request.model, card.name), tier, now_ms)
    found = Estimate(asked=request.model, model=card.name, tier=tier, usage=usage, tokens_max=tokens_max)
    if sheet is None:
        return msgspec.structs.replace(found, unpriced=f"{request.model} has no price.")
    try:
        lines = bound_lines(usage, tokens_max, request.candidates, sheet)
    except Unpriced as gap:
        why = f"{gap.key} has no price for {gap.what} in tier {gap.tier}."
        return msgspec.structs.replace(found, unpriced=why)
    return msgspec.structs.replace(found, price_key=sheet.key, lines=lines)
