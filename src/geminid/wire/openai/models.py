"""Models on OpenAI's wire: names with who owns them, and lists of all."""

from __future__ import annotations

from collections.abc import Iterable

from geminid.wire.openai.answers import pretty
from geminid.wire.openai.replies import Model, ModelList
from geminid.wire.openai.surfaces import Surface


def write_model(name: str, surface: Surface, created_s: int) -> bytes:
    """Return one model. ``created_s``: since when it is served, seconds since 1970."""
    return pretty(_model(name, surface, created_s))


def write_list(names: Iterable[str], surface: Surface, created_s: int) -> bytes:
    """Return all models; there are no pages."""
    return pretty(ModelList(data=[_model(name, surface, created_s) for name in names]))


def _model(name: str, surface: Surface, created_s: int) -> Model:
    return Model(id=surface.name_prefix + name, created=created_s, owned_by=surface.owner)
