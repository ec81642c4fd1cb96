"""How much stores of vectors may hold, as the operator has set it."""

from __future__ import annotations

import msgspec


class VectorLimits(msgspec.Struct, frozen=True, kw_only=True):
    """files_max: of one store. bytes_max: what those of a project may take; 0 is no bound. at_once: files
    that are indexed together, in this process. text_characters_max: of one file."""

    files_max: int = 10_000
    bytes_max: int = 0
    at_once: int = 2
    text_characters_max: int = 20_000_000
