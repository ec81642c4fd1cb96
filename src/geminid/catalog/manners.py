"""Which Gemini name has which manner (:mod:`geminid.core.manner`), as a table.

Source: the published documentation of each generation, state of November 2026. A name that no row
begins has the manner of Gemini 3.1 Flash-Lite, and so has a card's own name.
"""

from __future__ import annotations

import msgspec

from geminid.core.manner import Manner

THINKING_SUFFIX = "-thinking"
"""Ends the names under which platforms sell a model that thinks much unless told otherwise."""

_BUDGETS_ONLY = Manner(levels=False, signatures_checked=False, budget_tokens_max=24_576)

MANNERS: tuple[tuple[str, Manner], ...] = (
    ("gemini-2.5-flash-lite", msgspec.structs.replace(_BUDGETS_ONLY, budget_tokens_min=512)),
    ("gemini-2.5-flash", _BUDGETS_ONLY),
    (
        "gemini-2.5-pro",
        msgspec.structs.replace(_BUDGETS_ONLY, budget_tokens_min=128, budget_tokens_max=32_768),
    ),
    ("gemini-2.0", _BUDGETS_ONLY),
)
"""Beginnings of names; the first that fits counts."""


def manner_of(name: str) -> Manner:
    """Return the manner of a public name, given without ``models/``."""
    manner = next((manner for prefix, manner in MANNERS if name.startswith(prefix)), Manner())
    if name.endswith(THINKING_SUFFIX):
        return msgspec.structs.replace(manner, level_default="high")
    return manner
