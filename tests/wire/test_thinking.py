"""How much may be thought: what is read, and what is refused in Google's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geminid.core.errors import InvalidArgument
from geminid.core.manner import Manner
from geminid.core.request import Thinking
from geminid.wire.gemini import generate
from geminid.wire.gemini.generate import Reading

USUAL = Manner()
BUDGETS = Manner(levels=False, budget_tokens_min=512, budget_tokens_max=24_576)


def read(thinking: dict[str, Any] | None, manner: Manner = USUAL) -> Thinking:
    document: dict[str, Any] = {"contents": [{"parts": [{"text": "hello"}]}]}
    if thinking is not None:
        document["generationConfig"] = {"thinkingConfig": thinking}
    asked = generate.read_request(json.dumps(document).encode(), "m", Reading(manner=manner))
    assert asked.telling.thoughts is asked.request.thinking.include
    return asked.request.thinking


def refusal(thinking: dict[str, Any], manner: Manner = USUAL) -> tuple[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        read(thinking, manner)
    (violation,) = caught.value.violations
    return caught.value.message, violation.field.removeprefix("generation_config.")


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        (None, Thinking(level="minimal")),
        ({}, Thinking(level="minimal")),
        ({"includeThoughts": True}, Thinking(level="minimal", include=True)),
        ({"thinkingLevel": "LOW"}, Thinking(level="low")),
        ({"thinking_level": "Medium", "include_thoughts": "true"}, Thinking(level="medium", include=True)),
        ({"thinkingLevel": "high"}, Thinking(level="high")),
        ({"thinkingLevel": 2}, Thinking(level="low")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Thinking(level="minimal")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED", "thinkingBudget": 0}, Thinking(budget_tokens=0)),
        ({"thinkingBudget": -1}, Thinking(budget_tokens=-1)),
        ({"thinkingBudget": "1024", "includeThoughts": True}, Thinking(budget_tokens=1024, include=True)),
        ({"thinkingBudget": 32_768}, Thinking(budget_tokens=32_768)),
    ],
)
def test_levels_and_budgets_are_read(thinking, expected):
    assert read(thinking) == expected


@pytest.mark.parametrize("thinking", [None, {}, {"includeThoughts": False}])
def test_who_says_nothing_has_the_default_of_the_name(thinking):
    assert read(thinking, Manner(level_default="high")) == Thinking(level="high")


@pytest.mark.parametrize(("level", "budget"), [("MINIMAL", 0), ("HIGH", -1), ("LOW", 100)])
def test_level_and_budget_exclude_each_other(level, budget):
    assert refusal({"thinkingLevel": level, "thinkingBudget": budget}) == (
        "You can only set only one of thinking budget and thinking level.",
        "thinking_config",
    )


@pytest.mark.parametrize("level", ["MINIMAL", "HIGH", "XHIGH"])
def test_a_name_without_levels_takes_none(level):
    assert refusal({"thinkingLevel": level}, BUDGETS) == (
        "Thinking level is not supported for this model.",
        "thinking_config.thinking_level",
    )


def test_the_highest_level_is_answered_with_those_that_exist():
    message, field = refusal({"thinkingLevel": "XHIGH"})
    assert message.endswith("XHIGH is not supported for this model; use one of MINIMAL, LOW, MEDIUM, HIGH.")
    assert field == "thinking_config.thinking_level"


@pytest.mark.parametrize("budget", [1, 511, 24_577, 52_428, -2])
def test_a_budget_out_of_range_is_told_the_range(budget):
    assert refusal({"thinkingBudget": budget}, BUDGETS) == (
        f"The thinking budget ({budget}) is invalid. Please choose a value between 512 and 24576.",
        "thinking_config.thinking_budget",
    )


@pytest.mark.parametrize("budget", [-1, 0, 512, 24_576])
def test_the_bounds_of_a_budget_belong_to_it_and_so_do_dynamic_and_off(budget):
    assert read({"thinkingBudget": budget}, BUDGETS) == Thinking(budget_tokens=budget)
