"""What a price book is made of: the presets shipped here, with the operator's file over them.

It knows prices as data, not which of them is in force (:mod:`geminid.billing.prices`).
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec

from geminid.catalog.pricefile import Preset, PriceFile, read_price_file
from geminid.core.errors import InvalidArgument
from geminid.core.price import Price

DEFAULT_PRESET = "official"


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in three parts: the operator's prices, the preset under them, the list beside them.

    same: names that have no prices of their own, with the key whose prices are theirs.
    """

    own: tuple[Price, ...]
    preset: tuple[Price, ...]
    listed: tuple[Price, ...]
    presets: tuple[Preset, ...]
    same: dict[str, str] = {}


def load_prices(extra: Path | None = None, use: str | None = None) -> Prices:
    """Read the shipped presets and, over them, the operator's file.

    use: the preset to use, whatever the file says; empty is none at all. Without a choice of his,
    :data:`DEFAULT_PRESET` is used and listed. A preset of his replaces the shipped one of its name. Raises
    InvalidArgument, with every mistake and its path.
    """
    shipped = read_price_file(_shipped(), "prices.toml")
    names = tuple(preset.name for preset in shipped.presets)
    own = PriceFile() if extra is None else read_price_file(_text_of(extra), str(extra), names)
    by_name = {preset.name: preset for preset in (*shipped.presets, *own.presets)}
    if use and use not in by_name:
        raise InvalidArgument(f"there is no price preset {use}; there are {', '.join(by_name)}")
    return Prices(
        own=own.prices,
        preset=_chosen(by_name, own.use if use is None else use),
        listed=_chosen(by_name, own.listed),
        presets=tuple(by_name.values()),
        same=shipped.same | own.same,
    )


def _chosen(presets: dict[str, Preset], name: str | None) -> tuple[Price, ...]:
    name = DEFAULT_PRESET if name is None else name
    return presets[name].prices if name else ()


def _shipped() -> str:
    return resources.files("geminid.catalog").joinpath("prices.toml").read_text(encoding="utf-8")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidArgument(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{path}: is not UTF-8 text") from error
