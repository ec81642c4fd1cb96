"""Decimal digits between two bounds, as grammar.

It knows texts of digits, not numbers with signs. Invariant: exactly the numbers between the bounds,
without leading zeros.
"""

from __future__ import annotations

from geminid.shape.ebnf import literal


def whole(low: int, high: int) -> str:
    """Return the grammar of the whole numbers from ``low`` to ``high``, both at least 0."""
    found = ['"0"'] if low == 0 else []
    low = max(low, 1)
    shortest, longest = len(str(low)), len(str(high))
    if high < low:
        return " | ".join(found)
    if shortest == longest:
        return " | ".join([*found, *_same_length(str(low), str(high))])
    lower = _same_length(str(low), "9" * shortest)
    upper = _same_length("1" + "0" * (longest - 1), str(high))
    middle = _any_of_length(shortest + 1, longest - 1)
    return " | ".join([*found, *lower, *middle, *upper])


def fraction(low: int, high: int, places: int) -> str:
    """Return the grammar of what may stand after the point.

    These are one to ``places`` digits that lie between ``low`` and ``high`` when zeros are appended up
    to ``places`` digits.
    """
    least, greatest = str(low).zfill(places), str(high).zfill(places)
    return " | ".join(_fraction(least, greatest, tight_low=True, tight_high=True, first=True))


def _fraction(least: str, greatest: str, *, tight_low: bool, tight_high: bool, first: bool) -> list[str]:
    """Return what may follow; the digits before are those of a bound where that bound is tight."""
    may_end = not first and not (tight_low and least.strip("0"))
    found = ['""'] if may_end else []
    if not least:
        return found
    if not tight_low and not tight_high:
        return [_digits(0 if may_end else 1, len(least))]
    bottom = int(least[0]) if tight_low else 0
    top = int(greatest[0]) if tight_high else 9
    runs = _runs(bottom, top, tight_low, tight_high)
    for start, end, at_low, at_high in runs:
        rest = _fraction(least[1:], greatest[1:], tight_low=at_low, tight_high=at_high, first=False)
        if rest:
            found.append(_before(_digit(start, end), rest))
    return found


def _runs(bottom: int, top: int, tight_low: bool, tight_high: bool) -> list[tuple[int, int, bool, bool]]:
    """Return the digits from ``bottom`` to ``top``, those at a tight bound apart."""
    if bottom == top:
        return [(bottom, top, tight_low, tight_high)]
    found = []
    if tight_low:
        found.append((bottom, bottom, True, False))
        bottom += 1
    last = top - 1 if tight_high else top
    if bottom <= last:
        found.append((bottom, last, False, False))
    if tight_high:
        found.append((top, top, False, True))
    return found


def _same_length(low: str, high: str) -> list[str]:
    """Return the alternatives for the digits from ``low`` to ``high``, which are as many."""
    if not low:
        return ['""']
    if set(low) == {"0"} and set(high) == {"9"}:
        return [_digits(len(low), len(low))]
    if low[0] == high[0]:
        return [_before(_digit(int(low[0]), int(low[0])), _same_length(low[1:], high[1:]))]
    found = []
    rest = len(low) - 1
    bottom, top = int(low[0]), int(high[0])
    if low[1:].strip("0"):
        found.append(_before(_digit(bottom, bottom), _same_length(low[1:], "9" * rest)))
        bottom += 1
    trimmed = bool(high[1:].strip("9"))
    if bottom <= top - trimmed:
        found.append(_before(_digit(bottom, top - trimmed), [_digits(rest, rest)]))
    if trimmed:
        found.append(_before(_digit(top, top), _same_length("0" * rest, high[1:])))
    return found


def _any_of_length(shortest: int, longest: int) -> list[str]:
    if shortest > longest:
        return []
    return [_before("[1-9]", [_digits(shortest - 1, longest - 1)])]


def _before(start: str, rest: list[str]) -> str:
    if rest == ['""']:
        return start
    return f"{start} {rest[0]}" if len(rest) == 1 else f"{start} ({' | '.join(rest)})"


def _digit(low: int, high: int) -> str:
    return literal(str(low)) if low == high else f"[{low}-{high}]"


def _digits(low: int, high: int) -> str:
    if high == 0:
        return '""'
    return "[0-9]" if low == high == 1 else f"[0-9]{{{low},{high}}}"
