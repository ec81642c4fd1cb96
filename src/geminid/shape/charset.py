"""Sets of characters, and how a JSON string writes them.

Only characters that a JSON string can hold as themselves or with a short escape belong to ``ALL``:
``\\u`` escapes are never written, so that a character is counted once. Invariant: a set is a sorted
tuple of disjoint ranges of code points.
"""

from __future__ import annotations

from functools import lru_cache

from geminid.shape.ebnf import character, escaped

Ranges = tuple[tuple[int, int], ...]

_LAST = 0x10FFFF
_ESCAPED = {'"': '"', "\\": "\\", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
# The engine writes one range of multi-byte characters as automata of its own; negated classes are
# known to be right and quick only for what they exclude of ASCII.
_ASCII_LAST = 0x7F


def union(*sets: Ranges) -> Ranges:
    """Return what is in any of ``sets``."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(each for ranges in sets for each in ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def intersection(left: Ranges, right: Ranges) -> Ranges:
    """Return what is in both sets."""
    found = []
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            found.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def complement(ranges: Ranges) -> Ranges:
    """Return every code point that is not in ``ranges``."""
    found, start = [], 0
    for low, high in ranges:
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    return (*found, (start, _LAST)) if start <= _LAST else tuple(found)


def of(characters: str) -> Ranges:
    """Return the set of these characters."""
    return union(*(((ord(each), ord(each)),) for each in characters))


ALL: Ranges = union(of("\b\f\n\r\t"), ((0x20, 0xD7FF), (0xE000, _LAST)))
_PLAIN = intersection(complement(of('"\\')), ((0x20, 0xD7FF), (0xE000, _LAST)))


@lru_cache(maxsize=512)
def spellings(ranges: Ranges) -> tuple[str, ...]:
    """Return the grammar of one character of the set inside a JSON string, as alternatives."""
    plain = intersection(ranges, _PLAIN)
    escapes = "".join(sign for char, sign in _ESCAPED.items() if intersection(ranges, of(char)))
    found = [_character_class(plain)] if plain else []
    if escapes:
        found.append('"\\\\" [' + "".join(character(each, in_class=True) for each in escapes) + "]")
    return tuple(found)


def _character_class(plain: Ranges) -> str:
    """Return a class for characters that need no escape."""
    beyond = intersection(plain, ((_ASCII_LAST + 1, _LAST),))
    if beyond == intersection(_PLAIN, ((_ASCII_LAST + 1, _LAST),)):
        inside = intersection(complement(plain), ((0, _ASCII_LAST),))
        return f"[^{_ranges(inside)}]"
    return f"[{_ranges(plain)}]"


def _ranges(ranges: Ranges) -> str:
    # What the engine escapes comes last, since no digit may follow; one range at most begins before that.
    return "".join(
        character(chr(low), in_class=True) + (f"-{character(chr(high), in_class=True)}" if high > low else "")
        for low, high in sorted(ranges, key=lambda each: (escaped(each[1]), escaped(each[0])))
    )
