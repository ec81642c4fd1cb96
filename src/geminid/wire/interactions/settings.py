"""How an answer is made: the generation config, thinking, and which functions may be called.

Bounds of numbers are those of generateContent. It knows no model but by its manner.
"""

from __future__ import annotations

from typing import NamedTuple

from geminid.core.manner import Manner
from geminid.core.request import LEVELS, CallMode, Level, Sampling, Thinking
from geminid.wire.gemini import schema as google
from geminid.wire.gemini.settings import check_config, read_sampling
from geminid.wire.interactions import schema
from geminid.wire.interactions.mistakes import Mistakes
from geminid.wire.interactions.schema import (
    AllowedTools,
    ChoiceMode,
    GenerationConfig,
    Summaries,
    ToolChoice,
)
from geminid.wire.protojson import Reader

_PATH = "generation_config"
_CHOICE = f"{_PATH}.tool_choice"
_LEVELS: dict[schema.Level | None, Level] = {schema.Level(level): level for level in LEVELS}
_MODES: dict[ChoiceMode | None, CallMode] = {
    None: "auto",
    ChoiceMode.AUTO: "auto",
    ChoiceMode.ANY: "any",
    ChoiceMode.NONE: "none",
    ChoiceMode.VALIDATED: "validated",
}
_TOOL_CHOICE = Reader(ToolChoice)


class Settings(NamedTuple):
    """What the generation config means."""

    sampling: Sampling
    tokens_max: int | None
    stop: tuple[str, ...]
    thinking: Thinking


class Choice(NamedTuple):
    """Whether functions may be called; ``allowed`` names those that may, None is all."""

    mode: CallMode
    allowed: list[str] | None


def read_settings(config: GenerationConfig, manner: Manner, model: str, mistakes: Mistakes) -> Settings:
    """Return what the config means; what is wrong with it is noted."""
    plain = google.GenerationConfig(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        seed=config.seed,
        stop_sequences=config.stop_sequences,
        max_output_tokens=config.max_output_tokens,
    )
    check_config(plain, model, False, mistakes)
    return Settings(
        read_sampling(plain),
        config.max_output_tokens,
        tuple(config.stop_sequences or ()),
        _thinking(config, manner, mistakes),
    )


def read_choice(config: GenerationConfig, mistakes: Mistakes) -> Choice:
    """Return which functions the caller lets the model call, and whether one must be."""
    if config.tool_choice is None:
        return Choice("auto", None)
    said = config.tool_choice.value
    if isinstance(said, str):
        return Choice(_mode(said, mistakes), None)
    choice = mistakes.read(_TOOL_CHOICE, said, _CHOICE)
    allowed = (choice and choice.allowed_tools) or AllowedTools()
    return Choice(_MODES[allowed.mode], allowed.tools)


def _mode(said: str, mistakes: Mistakes) -> CallMode:
    modes = {mode.value: mode for mode in ChoiceMode}
    if said.lower() not in modes:
        mistakes.refuse(_CHOICE, f"use {', '.join(modes)} or allowed_tools.")
        return "auto"
    return _MODES[modes[said.lower()]]


def _thinking(config: GenerationConfig, manner: Manner, mistakes: Mistakes) -> Thinking:
    include = config.thinking_summaries is Summaries.AUTO
    level = config.thinking_level
    if level is None:
        return Thinking(level=manner.level_default, include=include)
    if not manner.levels or level not in _LEVELS:
        mistakes.quote(f"Thinking level {level.name} is not supported for this model.")
    return Thinking(level=_LEVELS.get(level, manner.level_default), include=include)
