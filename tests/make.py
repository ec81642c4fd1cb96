"""Builders of core values for tests: say what matters, the rest is plausible."""

from typing import Any

from geminid.core.card import ModelCard
from geminid.core.content import Text, Turn
from geminid.core.request import GenerateRequest, Sampling


def request(text: str = "Hello there", **fields: Any) -> GenerateRequest:
    """One user turn."""
    turns = fields.pop("turns", (Turn("user", (Text(text),)),))
    return GenerateRequest(model=fields.pop("model", "tiny"), turns=turns, **fields)


def card(name: str = "tiny", **fields: Any) -> ModelCard:
    """A small model."""
    window = fields.pop("context_tokens_max", 100)
    limits = {"context_tokens_max": window, "input_tokens_max": window, "output_tokens_max": window}
    return ModelCard(
        name=name, title=name.title(), **{**limits, "defaults": Sampling(temperature=0.0), **fields}
    )
