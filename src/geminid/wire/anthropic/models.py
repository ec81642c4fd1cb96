"""Models on Anthropic's wire: names with what they are called and how much they take."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from geminid.core.card import EmbeddingCard, ModelCard
from geminid.wire.anthropic.answers import ENCODER
from geminid.wire.anthropic.replies import Model, ModelList


def write_model(name: str, card: ModelCard, since_s: float) -> bytes:
    """Return one model. ``since_s``: since when it is served, seconds since 1970."""
    return ENCODER.encode(_model(name, card, since_s))


def write_list(named: Iterable[tuple[str, ModelCard | EmbeddingCard]], since_s: float) -> bytes:
    """Return all models that answer, those that only embed left out; there are no pages."""
    data = [_model(name, card, since_s) for name, card in named if isinstance(card, ModelCard)]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    return ENCODER.encode(ModelList(data=data, first_id=first, last_id=last))


def _model(name: str, card: ModelCard, since_s: float) -> Model:
    return Model(
        id=name,
        display_name=card.title,
        created_at=datetime.fromtimestamp(int(since_s), UTC).isoformat().replace("+00:00", "Z"),
        max_input_tokens=card.input_tokens_max,
        max_tokens=card.output_tokens_max,
    )
