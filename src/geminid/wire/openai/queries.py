"""What stands in the query of an address or in the fields of a form: texts that mean numbers and choices.

Mistakes are told as those of bodies are. It knows no particular field.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from geminid.wire.openai import refused

_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)


def number_of(param: str, said: str, low: int, high: int) -> int:
    """Return an integer within bounds; raises :class:`~geminid.wire.openai.refused.Refused`."""
    if not _INTEGER.fullmatch(said):
        raise refused.wrong_type(param, "an integer", said)
    number = int(said)
    if not low <= number <= high:
        raise refused.out_of_range(param, "integer", number, low, high)
    return number


def limit_of(said: str | None, default: int, most: int) -> int:
    """Return how many a page of a list may have."""
    return default if not said else number_of("limit", said, 1, most)


def choice_of(param: str, said: str, choices: Sequence[str]) -> str:
    """Return one of a few values."""
    if said not in choices:
        raise refused.wrong_value(param, said, choices)
    return said
