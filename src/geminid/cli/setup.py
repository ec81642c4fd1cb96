"""From flags to settings, and from settings to a model whose weights are here."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, NamedTuple

from geminid.catalog.catalog import Catalog
from geminid.catalog.embedding import AUTO, chosen_embedding, embedding_card
from geminid.catalog.pull import located as located_weights
from geminid.catalog.pull import obtain
from geminid.catalog.pull import pull as pull_weights
from geminid.catalog.speech import speech_card
from geminid.cli.logs import JsonFormatter
from geminid.cli.terminal import errors, fail, pull_progress
from geminid.config import Config, ConfigError, Effective, load
from geminid.core.card import EmbeddingCard, ModelCard, SpeechCard
from geminid.core.errors import Problem, UnknownModel
from geminid.engines.openvino.weights import best_precision, converted, located

TEXT_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"

log = logging.getLogger("geminid")


class Settings(NamedTuple):
    """Settings that hold, and where each came from."""

    config: Config
    effective: list[Effective]


def read_settings(file: Path | None, **flags: Any) -> Settings:
    """Read all layers; exits with status 2 and every mistake when they do not hold.

    A flag ``catalog__model`` sets ``catalog.model``; None means not given.
    """
    try:
        return Settings(*load(file, flags={name.replace("__", "."): value for name, value in flags.items()}))
    except ConfigError as error:
        for mistake in error.mistakes[:-1]:
            errors.print("error:", style="bold red", end=" ")
            errors.print(mistake, markup=False)
        raise fail(f"{error.mistakes[-1]}\nhint: geminid config lists every setting", status=2) from error


def start_logging(config: Config) -> None:
    """Send logs to stderr, one line each."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(JsonFormatter() if config.log.format == "json" else logging.Formatter(TEXT_FORMAT))
    logging.basicConfig(level=config.log.level.upper(), handlers=[lines])
    logging.getLogger("geminid.access").disabled = not config.log.access
    if config.log.level == "info":
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every plugin


def catalog_of(config: Config) -> Catalog:
    """Return the catalogue with the operator's own cards."""
    return Catalog.load(Path(config.catalog.cards).expanduser() if config.catalog.cards else None)


class SpeechState(NamedTuple):
    """The speech model that is set, and where it is. ``card`` is None when none is wanted."""

    card: SpeechCard | None = None
    path: Path | None = None


class EmbeddingState(NamedTuple):
    """The model that embeds by default, and where it is. ``card`` is None when none is wanted."""

    card: EmbeddingCard | None = None
    path: Path | None = None

    @property
    def here(self) -> bool:
        """Whether there is one that can be loaded."""
        return self.card is not None and (not self.card.sources or self.path is not None)


class Fetched(NamedTuple):
    """A model and where its weights are; ``path`` is None for one that needs none."""

    name: str
    path: Path | None


def fetch(config: Config, catalog: Catalog, text: str, *, offline: bool = False) -> Fetched:
    """Fetch and prepare the weights of what a person typed: a model that answers, embeds or hears.

    A text that is the setting ``media.speech`` or ``catalog.embedding`` names such a model in whatever form
    it is written.
    """
    offline = offline or config.catalog.offline
    if text in catalog.embeddings or (text == config.catalog.embedding and text not in ("", AUTO)):
        return _fetch_embedding(config, _embedding_card(text, catalog), offline=offline)
    if text in catalog.speeches or text == config.media.speech:
        card = _speech_card(text, catalog)
        with pull_progress() as report:
            return Fetched(card.name, pull_weights(card, config.cache(), progress=report, offline=offline))
    with pull_progress() as report:
        model, path = obtain(text, catalog, config.cache(), progress=report, offline=offline)
    if path is not None:
        prepare(path, config)
    return Fetched(model.name, path)


def find_model(config: Config, catalog: Catalog, text: str, *, pull: bool) -> ModelCard:
    """Return the card of what a person typed, its weights fetched (if ``pull``) and prepared.

    Raises a ``Problem`` with a hint when the weights are not here and may not be fetched.
    """
    offline = config.catalog.offline or not pull
    with pull_progress() as report:
        try:
            card, path = obtain(text, catalog, config.cache(), progress=report, offline=offline)
        except Problem as problem:
            if offline and not config.catalog.offline and "hint:" not in problem.message:
                problem.message += f"\nhint: fetch it with: geminid pull {text}"
            raise
    if path is not None:
        prepare(path, config)
    return card


def find_speech(config: Config, catalog: Catalog, *, pull: bool) -> None:
    """Fetch the speech model (if ``pull``) unless it is here or none is wanted.

    A server without it still serves everything but sound, so that it cannot be had is a warning only. Raises
    UnknownModel, InvalidArgument or BadWeights when ``media.speech`` names no speech model.
    """
    if not config.media.speech:
        return
    _speech_card(config.media.speech, catalog)
    try:
        fetch(config, catalog, config.media.speech, offline=not pull)
    except Problem as problem:
        if pull:
            log.warning("sound will be refused, for the speech model cannot be had: %s", problem.message)


def find_embedding(config: Config, catalog: Catalog, default: ModelCard, *, pull: bool) -> None:
    """Fetch the model that embeds (if ``pull``) unless it is here or none is wanted.

    A server without it still serves everything but embeddings, so that it cannot be had is a warning only.
    Raises UnknownModel, InvalidArgument or BadWeights when ``catalog.embedding`` names no such model.
    """
    card = embedding_state(config, catalog, default).card
    if card is None:
        return
    try:
        _fetch_embedding(config, card, offline=config.catalog.offline or not pull)
    except Problem as problem:
        if pull:
            log.warning("nothing will be embedded, for the model cannot be had: %s", problem.message)


def embedding_state(config: Config, catalog: Catalog, default: ModelCard) -> EmbeddingState:
    """Tell what embeds beside the default model. Raises as :func:`find_embedding` does."""
    try:
        card = chosen_embedding(config.catalog.embedding, catalog, default)
    except UnknownModel as problem:
        raise _no_embedding(problem) from None
    return EmbeddingState(card, located_weights(card, config.cache()) if card else None)


def _fetch_embedding(config: Config, card: EmbeddingCard, *, offline: bool) -> Fetched:
    if not card.sources:
        return Fetched(card.name, None)
    with pull_progress() as report:
        return Fetched(card.name, pull_weights(card, config.cache(), progress=report, offline=offline))


def _embedding_card(text: str, catalog: Catalog) -> EmbeddingCard:
    try:
        return embedding_card(text, catalog)
    except UnknownModel as problem:
        raise _no_embedding(problem) from None


def _no_embedding(problem: UnknownModel) -> UnknownModel:
    problem.message = f"embedding {problem.message}\nhint: geminid models lists those that are"
    return problem


def speech_state(config: Config, catalog: Catalog) -> SpeechState:
    """Tell whether sound can be transcribed. Raises as :func:`find_speech` does."""
    if not config.media.speech:
        return SpeechState()
    card = _speech_card(config.media.speech, catalog)
    return SpeechState(card, located_weights(card, config.cache()))


def _speech_card(text: str, catalog: Catalog) -> SpeechCard:
    try:
        return speech_card(text, catalog)
    except UnknownModel as problem:
        problem.message = f"speech {problem.message}\nhint: geminid models lists those that are"
        raise


def prepare(weights: Path, config: Config) -> None:
    """Convert a GGUF for the engine if that was not done yet; it takes seconds, once."""
    chosen = config.engine.precision
    precision = best_precision(weights) if chosen == "auto" else chosen
    if weights.is_dir() or located(weights, config.cache(), precision).exists():
        return
    with errors.status(f"preparing {weights.name} for this machine (once)"):
        converted(weights, config.cache(), precision)
