"""From flags to settings, and from settings to a model whose weights are here."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, NamedTuple

from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import obtain
from geminid.cli.terminal import errors, fail, pull_progress
from geminid.config import Config, ConfigError, Effective, load
from geminid.core.card import ModelCard
from geminid.core.errors import Problem
from geminid.engines.openvino.weights import best_precision, converted, located


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
    logging.basicConfig(
        level=config.log.level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname).1s %(name)s: %(message)s",
    )
    logging.getLogger("geminid.access").disabled = not config.log.access


def catalog_of(config: Config) -> Catalog:
    """Return the catalogue with the operator's own cards."""
    return Catalog.load(Path(config.catalog.cards).expanduser() if config.catalog.cards else None)


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


def prepare(weights: Path, config: Config) -> None:
    """Convert a GGUF for the engine if that was not done yet; it takes seconds, once."""
    chosen = config.engine.precision
    precision = best_precision(weights) if chosen == "auto" else chosen
    if weights.is_dir() or located(weights, config.cache(), precision).exists():
        return
    with errors.status(f"preparing {weights.name} for this machine (once)"):
        converted(weights, config.cache(), precision)
