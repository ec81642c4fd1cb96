"""How much a caller lets the model think: ``thinkingConfig`` to core's words.

Which levels and budgets a name takes is its manner; what they cost stands on the model's card, which is
not known here. Invariant: what comes out has a level or a budget, never both and never neither.
"""

from __future__ import annotations

from geminid.core.manner import Manner
from geminid.core.request import LEVELS, Level, Thinking
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.enums import ThinkingLevel
from geminid.wire.gemini.schema import ThinkingConfig

_PATH = "generation_config.thinking_config"
_LEVELS: dict[ThinkingLevel, Level] = {ThinkingLevel[level.upper()]: level for level in LEVELS}
_DYNAMIC, _OFF = -1, 0


def read_thinking(config: ThinkingConfig | None, manner: Manner, complaints: Complaints) -> Thinking:
    """Return how much may be thought; where the caller does not say, the name's default."""
    if config is None:
        return Thinking(level=manner.level_default)
    include = bool(config.include_thoughts)
    level, budget = config.thinking_level, config.thinking_budget
    if level is ThinkingLevel.UNSPECIFIED:
        level = None
    if level is not None and budget is not None:
        complaints.say(_PATH, "You can only set only one of thinking budget and thinking level.")
    elif level is not None:
        return Thinking(level=_level(level, manner, complaints), include=include)
    elif budget is not None:
        _check_budget(budget, manner, complaints)
        return Thinking(budget_tokens=budget, include=include)
    return Thinking(level=manner.level_default, include=include)


def _level(level: ThinkingLevel, manner: Manner, complaints: Complaints) -> Level:
    path = f"{_PATH}.thinking_level"
    if not manner.levels:
        complaints.say(path, "Thinking level is not supported for this model.")
    elif level not in _LEVELS:
        allowed = ", ".join(known.value for known in _LEVELS)
        complaints.refuse(path, f"{level.value} is not supported for this model; use one of {allowed}.")
    return _LEVELS.get(level, manner.level_default)


def _check_budget(budget: int, manner: Manner, complaints: Complaints) -> None:
    low, high = manner.budget_tokens_min, manner.budget_tokens_max
    if budget not in (_DYNAMIC, _OFF) and not low <= budget <= high:
        complaints.say(
            f"{_PATH}.thinking_budget",
            f"The thinking budget ({budget}) is invalid. Please choose a value between {low} and {high}.",
        )
