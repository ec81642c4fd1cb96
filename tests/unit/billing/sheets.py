"""Price sheets for tests."""

from geminid.billing.prices import PriceBook
from geminid.core.money import parse_dollars
from geminid.core.price import Price


def price(kind, dollars, *, key="m", modality="text", tier="standard", start=0):
    nano = None if dollars is None else parse_dollars(dollars)
    return Price(
        key=key, kind=kind, modality=modality, tier=tier, nano_per_million=nano, effective_from_ms=start
    )


FLASH_LITE = (
    price("input", "0.25"),
    price("input", "0.50", modality="audio"),
    price("output", "1.50"),
    price("cached", "0.025"),
    price("cached", "0.05", modality="audio"),
    price("storage", "1.00"),
)


def sheet(*prices, tier="standard", time_ms=0):
    return PriceBook.of(prices or FLASH_LITE).sheet("m", tier, time_ms)
