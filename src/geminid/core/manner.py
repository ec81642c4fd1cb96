"""How a name of the Gemini family behaves on the wire: defaults and bounds that clients rely on.

Generations differ: 2.5 takes budgets and no levels, 3 takes both and wants thought signatures back.
Which name has which manner is data of the catalogue. A manner knows no model card: what a level costs
stands there.
"""

from __future__ import annotations

import msgspec

from geminid.core.request import Level


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults are those of Gemini 3.1 Flash-Lite.

    level_default: how much is thought when the caller does not say. levels: whether a thinking level
    may be given. budget_tokens_min, budget_tokens_max: bounds of a thinking budget; -1 (dynamic) and 0
    (off) are allowed beside them. signatures_checked: whether a function call that comes back in the
    current turn must carry its thought signature.
    """

    level_default: Level = "minimal"
    levels: bool = True
    budget_tokens_min: int = 1
    budget_tokens_max: int = 32_768
    signatures_checked: bool = True
