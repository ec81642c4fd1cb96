"""Vectors as numbers: what both wires write of them.

Invariant: a number that is written is read back as the same float32.
"""

from __future__ import annotations

from array import array
from sys import byteorder

from geminid.core.embed import Embedding

# Ten decimals tell float32 apart from 2**-10 on; below, the number is written as it is. Adding 1.5 * 2**52
# rounds a double to an integer. A hundred vectors of 384 numbers take 5 ms to write so, with "%.9g" 7, with
# round() 15; with all digits of a double 3, and clients three times as long to read them.
_SCALE, _EXACT_BELOW, _ROUNDING = 1e10, 2.0**-10, 1.5 * 2.0**52


def numbers_of(embedding: Embedding) -> list[float]:
    """Return the numbers of a vector, as doubles that are short to write and the same float32 when read."""
    numbers = array("f", embedding.values)
    if byteorder == "big":
        numbers.byteswap()
    return [
        number
        if -_EXACT_BELOW < number < _EXACT_BELOW
        else (number * _SCALE + _ROUNDING - _ROUNDING) / _SCALE
        for number in numbers
    ]
