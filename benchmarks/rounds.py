"""Rounds of a comparison: as many as there is time for, with the arms in turning order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def rounds(count: int, seconds_max: float, say: Callable[[str], None]) -> Iterator[int]:
    """Yield the numbers of rounds; none begins that would probably end later than ``seconds_max``."""
    began_s = time.monotonic()
    for number in range(count):
        spent_s = time.monotonic() - began_s
        if number and spent_s * (number + 1) / number > seconds_max:
            say(f"no time for round {number + 1}: {number} rounds took {spent_s:.0f} s")
            return
        yield number


def turned(arms: Sequence[T], by: int) -> list[T]:
    """Nobody is always first."""
    by %= len(arms)
    return [*arms[by:], *arms[:by]]
