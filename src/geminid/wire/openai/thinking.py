"""How much the model may think: ``reasoning_effort``, or Google's ``thinking_config``, to core's words.

Which levels and budgets a name takes is its manner. Invariant: what comes out has a level or a budget, never
both and never neither, as on Google's own wire.
"""

from __future__ import annotations

from geminid.core.manner import Manner
from geminid.core.request import LEVELS, Level, Thinking
from geminid.wire.openai import refused
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.schema import ChatRequest, GoogleOptions, ThinkingConfig

NOT_BOTH = "'reasoning_effort' and 'thinking_config' cannot be set at the same time."
_LEVELS: dict[str, Level] = {**{level: level for level in LEVELS}, "xhigh": "high", "max": "high"}
_BUDGETS: dict[Level, int] = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
"""What Google's table gives the names of 2.5, which take no levels."""
_DYNAMIC, _OFF = -1, 0


def read_thinking(message: ChatRequest, google: GoogleOptions, path: str, manner: Manner) -> Thinking:
    """Return how much may be thought; ``path`` is that of Google's options in the body."""
    effort, config = message.reasoning_effort, google.thinking_config
    if config is None:
        return of_effort(effort, manner)
    if effort is not None:
        raise Refused(NOT_BOTH, "reasoning_effort", refused.INVALID_VALUE)
    return _of_config(config, f"{path}.thinking_config", manner)


def of_effort(effort: str | None, manner: Manner) -> Thinking:
    """Return how much may be thought, where it is said in OpenAI's words."""
    if effort is None:
        return Thinking(level=manner.level_default)
    if effort == "none":
        return Thinking(budget_tokens=_OFF)
    level = _LEVELS[effort]
    if manner.levels:
        return Thinking(level=level)
    return Thinking(budget_tokens=min(_BUDGETS[level], manner.budget_tokens_max))


def _of_config(config: ThinkingConfig, path: str, manner: Manner) -> Thinking:
    include = bool(config.include_thoughts)
    if config.thinking_level is not None and config.thinking_budget is not None:
        raise Refused("You can only set only one of thinking budget and thinking level.", path)
    if config.thinking_level is not None:
        where, level = f"{path}.thinking_level", config.thinking_level.lower()
        if not manner.levels:
            raise Refused("Thinking level is not supported for this model.", where)
        if level not in LEVELS:
            raise refused.wrong_value(where, config.thinking_level, LEVELS)
        return Thinking(level=_LEVELS[level], include=include)
    if config.thinking_budget is not None:
        return Thinking(budget_tokens=_budget(config.thinking_budget, path, manner), include=include)
    return Thinking(level=manner.level_default, include=include)


def _budget(budget: int, path: str, manner: Manner) -> int:
    low, high = manner.budget_tokens_min, manner.budget_tokens_max
    if budget not in (_DYNAMIC, _OFF) and not low <= budget <= high:
        raise Refused(
            f"The thinking budget ({budget}) is invalid. Please choose a value between {low} and {high}.",
            f"{path}.thinking_budget",
        )
    return budget
