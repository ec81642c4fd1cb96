"""Regular expressions as trees: what a pattern means, without its spelling.

It knows neither the notation that a tree was read from nor the grammar it becomes. Invariant: trees made
by the functions here never repeat something that may be empty, so a grammar of them cannot loop in place.
"""

from __future__ import annotations

from dataclasses import dataclass

from geminid.shape.charset import Ranges


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of a set, which is not empty."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other; nothing when there are no parts."""

    parts: tuple[Regex, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the options, of which there is at least one."""

    options: tuple[Regex, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """``part`` at least ``low`` times and at most ``high`` times; ``None`` means without bound."""

    part: Regex
    low: int
    high: int | None


Regex = Chars | Sequence | Choice | Repeat

EMPTY = Sequence(())


def repeat(part: Regex, low: int, high: int | None) -> Regex:
    """Return ``part`` repeated, in a form that repeats nothing empty."""
    if high == 0:
        return EMPTY
    if width(part)[0] == 0:
        solid = _without_empty(part)
        return EMPTY if solid is None else Repeat(solid, 0, high)
    return part if low == high == 1 else Repeat(part, low, high)


def width(regex: Regex) -> tuple[int, int | None]:
    """Return the least and the greatest number of characters; ``None`` means without bound."""
    match regex:
        case Chars():
            return 1, 1
        case Sequence(parts):
            widths = [width(each) for each in parts]
            return sum(low for low, _ in widths), _total([high for _, high in widths])
        case Choice(options):
            widths = [width(each) for each in options]
            highs = [high for _, high in widths]
            return min(low for low, _ in widths), _greatest(highs)
        case Repeat(part, low, high):
            least, greatest = width(part)
            bounded = None if high is None or greatest is None else greatest * high
            return least * low, bounded


def states(regex: Regex) -> int:
    """Return how many places a grammar of this has, at most; large repetitions of one set share theirs."""
    match regex:
        case Chars():
            return 1
        case Sequence(parts) | Choice(parts):
            return 1 + sum(states(each) for each in parts)
        case Repeat(Chars(), low, high):
            return 1 + min(max(low, high or 0), 200)
        case Repeat(part, low, high):
            return 1 + states(part) * max(1, low, high or 0)


def within(regex: Regex, low: int, high: int | None) -> Regex | None:
    """Return ``regex`` for texts of ``low`` to ``high`` characters, or ``None`` when that is not easy.

    Easy is where all texts have such a length, or where one repetition of a set of characters, beside
    parts of fixed width, decides about it.
    """
    least, greatest = width(regex)
    if least >= low and (high is None or (greatest is not None and greatest <= high)):
        return regex
    parts: list[Regex] = list(regex.parts) if isinstance(regex, Sequence) else [regex]
    elastic = [index for index, part in enumerate(parts) if len(set(width(part))) > 1]
    if len(elastic) != 1:
        return None
    part = parts[elastic[0]]
    if not isinstance(part, Repeat) or not isinstance(part.part, Chars):
        return None
    rest = least - part.low
    tight_low = max(part.low, low - rest)
    highs = [each for each in (part.high, None if high is None else high - rest) if each is not None]
    tight_high = min(highs, default=None)
    if tight_high is not None and tight_high < tight_low:
        return None
    parts[elastic[0]] = repeat(part.part, tight_low, tight_high)
    return Sequence(tuple(parts))


def _without_empty(regex: Regex) -> Regex | None:
    """Return ``regex`` without the empty text, or ``None`` when nothing is left."""
    match regex:
        case Chars():
            return regex
        case Choice(options):
            return _choice([_without_empty(each) for each in options])
        case Repeat(part, low, high):
            return Repeat(part, max(low, 1), high)
        case Sequence(parts):
            if width(regex)[0] > 0:
                return regex
            # Everything before the first part that is not empty is empty.
            tails: list[Regex | None] = []
            for index, first in enumerate(parts):
                solid = _without_empty(first)
                tails.append(None if solid is None else Sequence((solid, *parts[index + 1 :])))
            return _choice(tails)


def _choice(options: list[Regex | None]) -> Regex | None:
    left = tuple(each for each in options if each is not None)
    return Choice(left) if left else None


def _total(highs: list[int | None]) -> int | None:
    known = [each for each in highs if each is not None]
    return sum(known) if len(known) == len(highs) else None


def _greatest(highs: list[int | None]) -> int | None:
    known = [each for each in highs if each is not None]
    return max(known) if len(known) == len(highs) else None
