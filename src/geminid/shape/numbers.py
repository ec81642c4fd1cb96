"""The grammar of numbers, exact to their bounds.

Whole numbers have at most 15 digits unless bounds say otherwise, and numbers have up to 15 places after
the point and no exponent: what every reader of JSON keeps apart as doubles. Invariant: a number that is
written by these grammars satisfies its bounds also after a reader has rounded it to a double.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

from geminid.shape.digits import fraction, whole
from geminid.shape.nodes import Integer, Number

DIGITS_MAX = 15
BOUND_MAX = 10**19
"""Bounds beyond this are the same as none."""

MULTIPLES_MAX = 500

_FREE_INTEGER = '"0" | "-"? [1-9] [0-9]{0,14}'
_FREE_NUMBER = '("0" | "-"? [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? | "-0." [0-9]{1,15}'
_DEFAULT_MAX = 10**DIGITS_MAX - 1
_NUMBER_HIGH = Decimal(_DEFAULT_MAX)
_NUMBER_LOW = -_NUMBER_HIGH
_PRECISION = 60  # more than a bound and a number have digits together


def integer_body(integer: Integer) -> str | None:
    """Return the body of a whole number, or ``None`` when there is none or its step is not easy."""
    low, high = _span(integer.low, integer.high)
    if integer.step > 1:
        return _multiples(low, high, integer.step)
    if low > high:
        return None
    if integer.low is None and integer.high is None:
        return _FREE_INTEGER
    return _signed(low, high)


def number_body(number: Number) -> str | None:
    """Return the body of a number, or ``None`` when no number of so few digits is within the bounds."""
    if number.low is None and number.high is None:
        return _FREE_NUMBER
    low = _NUMBER_LOW if number.low is None or number.low < _NUMBER_LOW else number.low
    high = _NUMBER_HIGH if number.high is None or number.high > _NUMBER_HIGH else number.high
    with localcontext() as context:
        context.prec = _PRECISION
        negative = _magnitude(-high, -low, number.high_open, number.low_open, solid=True)
        positive = _magnitude(low, high, number.low_open, number.high_open)
    found = [f'"-" ({negative})'] if negative else []
    found += [positive] if positive else []
    return " | ".join(found) or None


def _span(low: int | None, high: int | None) -> tuple[int, int]:
    least = -_DEFAULT_MAX if low is None else low
    greatest = _DEFAULT_MAX if high is None else high
    if high is None:
        greatest = max(greatest, least * 10)
    if low is None:
        least = min(least, greatest * 10)
    return least, greatest


def _signed(low: int, high: int) -> str:
    found = []
    if low < 0:
        found.append(f'"-" ({whole(max(1, -high), -low)})')
    if high >= 0:
        found.append(whole(max(0, low), high))
    return " | ".join(found)


def _multiples(low: int, high: int, step: int) -> str | None:
    first, last = -(-low // step), high // step
    if first > last:
        return None
    if last - first < MULTIPLES_MAX:
        return " | ".join(f'"{each * step}"' for each in range(first, last + 1))
    zeros = str(step)[1:]
    if str(step)[0] != "1" or zeros.strip("0"):
        return None
    found = ['"0"'] if first <= 0 <= last else []
    if first < 0:
        found.append(f'"-" ({whole(max(1, -last), -first)}) "{zeros}"')
    if last > 0:
        found.append(f'({whole(max(1, first), last)}) "{zeros}"')
    return " | ".join(found)


def _magnitude(
    low: Decimal, high: Decimal | None, low_open: bool, high_open: bool, *, solid: bool = False
) -> str | None:
    """Return the numbers of no sign from ``low`` to ``high``; zero is not ``solid``."""
    if low < 0 or (solid and low == 0):
        low, low_open = Decimal(0), solid
    if high is None or high < low:
        return None
    first, last = int(low), int(high)
    if first == last:
        return _at(first, low, high, low_open, high_open)
    parts = [_at(first, low, None, low_open, False)]
    if high_open and high == last:
        last -= 1
        high = None  # all of the integer below
    if last > first:
        parts.append(_at(last, None, high, False, high_open))
    if first + 1 <= last - 1:
        parts.insert(1, f'({whole(first + 1, last - 1)}) ("." [0-9]{{1,{DIGITS_MAX}}})?')
    return " | ".join(part for part in parts if part) or None


def _at(
    integer: int,
    low: Decimal | None,
    high: Decimal | None,
    low_open: bool,
    high_open: bool,
) -> str | None:
    """Return the numbers of this integer part from ``low`` to ``high``.

    They have so few places that a double tells them from the bounds, and from the next integer.
    """
    places = DIGITS_MAX - len(str(integer))
    scale = 10 ** max(places, 0)
    least = 0 if low is None else int(((low - integer) * scale).to_integral_value(ROUND_CEILING))
    if low is not None and low_open and least == (low - integer) * scale:
        least += 1
    greatest = scale - 1
    if high is not None:
        greatest = int(((high - integer) * scale).to_integral_value(ROUND_FLOOR))
        if high_open and greatest == (high - integer) * scale:
            greatest -= 1
        greatest = min(greatest, scale - 1)
    if least > greatest:
        return None
    if places <= 0 or greatest == 0:
        return f'"{integer}"' + (' ("." "0")?' if places > 0 else "")
    point = f'"." ({fraction(least, greatest, places)})'
    return f'"{integer}" ({point})?' if least == 0 else f'"{integer}" {point}'
