"""A name that an operator gives to a model, and how far it is through its life."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Stage = Literal["experimental", "preview", "stable", "legacy", "deprecated", "retired"]
"""Google's stages. Only the last changes what happens: a retired name is not found."""

STAGES: tuple[Stage, ...] = get_args(Stage)


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """``name`` means the model ``target``, a card's own name; empty is whichever model is the default.

    retires_ms: from when on it is not found, milliseconds since 1970; None is open.
    """

    name: str
    target: str = ""
    stage: Stage = "stable"
    retires_ms: int | None = None

    def retired_at(self, now_ms: int) -> bool:
        """Return whether the name is not to be found any more."""
        return self.stage == "retired" or (self.retires_ms is not None and self.retires_ms <= now_ms)
