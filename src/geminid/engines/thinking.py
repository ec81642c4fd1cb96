"""How many tokens a request may think, and how many it may have altogether.

Pure arithmetic over a card and a request; that a budget is kept is the engine's work. Invariant: at
least half of what the caller allows is left for the answer.
"""

from __future__ import annotations

from typing import NamedTuple

from geminid.core.card import ModelCard
from geminid.core.request import GenerateRequest, Thinking


class Allowance(NamedTuple):
    """Bounds in tokens: ``thoughts`` on thinking, ``total`` on thoughts and answer together."""

    thoughts: int
    total: int


def allowance(card: ModelCard, request: GenerateRequest) -> Allowance:
    """Return what the caller's bounds and the card's leave.

    Where the caller gave no bound on the output, the card's default bounds the answer alone, so that
    thinking does not shorten it.
    """
    thoughts = budget_tokens(card, request.thinking)
    if request.tokens_max is None:
        answer = card.output_tokens_default or card.output_tokens_max
        total = min(answer + thoughts, card.output_tokens_max)
    else:
        total = min(request.tokens_max, card.output_tokens_max)
    return Allowance(min(thoughts, total // 2), total)


def budget_tokens(card: ModelCard, thinking: Thinking) -> int:
    """Return the most tokens that the caller's level or budget lets the model think.

    A budget of -1 is as much as the level ``high``, which bounds every other budget too.
    """
    most = card.thinking.budget_tokens("high")
    if thinking.budget_tokens is None:
        return card.thinking.budget_tokens(thinking.level or "minimal")
    return most if thinking.budget_tokens < 0 else min(thinking.budget_tokens, most)
