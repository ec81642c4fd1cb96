"""Money: whole nano-dollars, read and written exactly.

It knows US dollars and nothing of prices or accounts. Invariant: no float is ever made or taken, and
what cannot be said exactly is refused; the only rounding there is has a name, :func:`rounded_up`.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation

from geminid.core.errors import InvalidArgument

Nano = int
"""An amount in nano-dollars: 10^-9 US dollars."""

NANO_PER_DOLLAR = 1_000_000_000
NANO_MAX = 2**63 - 1
"""The largest amount, about 9.2 billion dollars: what a database keeps in 64 bits."""

_AMOUNT = re.compile(
    r"(?P<sign>[+-]?)\$?(?P<number>(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?)( ?USD)?", re.ASCII | re.IGNORECASE
)
_CHARACTERS_MAX = 64
_EXACT = Context(prec=200)


def parse_dollars(value: str | int | Decimal) -> Nano:
    """Return the nano-dollars of ``1.25``, ``$0.33``, ``12.5 USD``, ``2.5e-7``.

    A number is taken as dollars. Raises InvalidArgument for whatever is no exact amount: a float (it
    has already lost what was written), NaN, more than nine decimals, a thousands separator (a comma
    means different things in different countries), more than :data:`NANO_MAX`.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidArgument(f'must be an amount such as "0.25", not {type(value).__name__}')
    if isinstance(value, int) and abs(value) > NANO_MAX:  # str() of a long enough number would raise
        raise InvalidArgument(f"is more than ${NANO_MAX // NANO_PER_DOLLAR}")
    text = str(value).strip()
    match = _AMOUNT.fullmatch(text) if len(text) <= _CHARACTERS_MAX else None
    if match is None:
        raise InvalidArgument(f'must be an amount of dollars such as "0.25", not {text[:_CHARACTERS_MAX]!r}')
    nano = _nano(Decimal(match["number"]), text)
    return -nano if match["sign"] == "-" else nano


def _nano(dollars: Decimal, text: str) -> Nano:
    try:
        scaled = dollars.scaleb(9, _EXACT)
        whole = scaled.to_integral_exact(context=_EXACT)
    except InvalidOperation as error:
        raise InvalidArgument(f"is out of range: {text}") from error
    if whole != scaled:
        raise InvalidArgument(f"has more than nine decimals: {text}")
    if whole > NANO_MAX:
        raise InvalidArgument(f"is more than ${NANO_MAX // NANO_PER_DOLLAR}: {text}")
    return int(whole)


def decimal_dollars(nano: Nano) -> str:
    """Return dollars as a decimal without needless zeros, for JSON: ``1.2845``, ``-0.000000001``, ``7``."""
    whole, part = divmod(abs(nano), NANO_PER_DOLLAR)
    digits = f"{part:09}".rstrip("0")
    return f"{'-' if nano < 0 else ''}{whole}{'.' if digits else ''}{digits}"


def format_dollars(nano: Nano) -> str:
    """Return dollars for people, with at least six decimals: ``$1.284500``, ``-$0.000000025``."""
    whole, part = divmod(abs(nano), NANO_PER_DOLLAR)
    digits = f"{part:09}".rstrip("0").ljust(6, "0")
    return f"{'-' if nano < 0 else ''}${whole}.{digits}"


def rounded_up(numerator: int, denominator: int) -> int:
    """Return the quotient, rounded up to a whole number: the one rounding of everything that is billed."""
    return -(-numerator // denominator)
