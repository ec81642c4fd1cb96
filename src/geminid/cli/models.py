"""``geminid models``: the catalogue, and which models of it are on this machine."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import located
from geminid.cli.terminal import write_json
from geminid.config import Config
from geminid.core.card import ModelCard, SpeechCard
from geminid.core.request import LEVELS

MODEL_COLUMNS = ("model", "here", "sees", "context", "parameters", "licence", "tested")
SPEECH_COLUMNS = ("speech model", "here", "languages", "parameters", "licence", "tested")


class ListedModel(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of ``models`` in ``geminid models --json``."""

    name: str
    title: str
    here: bool
    path: str | None
    sees: bool
    context_tokens: int
    parameters: int
    licence: str
    tested: bool
    thinking_tokens: dict[str, int]
    tool_form: str

    @classmethod
    def of(cls, card: ModelCard, path: Path | None) -> ListedModel:
        """Describe a card whose weights are at ``path``, or nowhere yet."""
        return cls(
            name=card.name,
            title=card.title,
            here=not card.sources or path is not None,
            path=str(path) if path else None,
            sees=card.sees,
            context_tokens=card.context_tokens_max,
            parameters=card.parameters,
            licence=card.licence,
            tested=card.tested,
            thinking_tokens={level: card.thinking.budget_tokens(level) for level in LEVELS},
            tool_form=card.tool_form,
        )


class ListedSpeech(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of ``speech`` in ``geminid models --json``."""

    name: str
    title: str
    here: bool
    path: str | None
    languages: tuple[str, ...]
    parameters: int
    licence: str
    tested: bool

    @classmethod
    def of(cls, card: SpeechCard, path: Path | None) -> ListedSpeech:
        """Describe a card whose weights are at ``path``, or nowhere yet."""
        return cls(
            name=card.name,
            title=card.title,
            here=path is not None,
            path=str(path) if path else None,
            languages=card.languages,
            parameters=card.parameters,
            licence=card.licence,
            tested=card.tested,
        )


def models(config: Config, catalog: Catalog, *, json: bool) -> None:
    """Write the catalogue to stdout, as two tables or as JSON."""
    cache = config.cache()
    rows = [ListedModel.of(card, located(card, cache)) for card in catalog.cards()]
    speech = [ListedSpeech.of(card, located(card, cache)) for card in catalog.speeches.values()]
    if json:
        write_json({"models": rows, "speech": speech, "aliases": catalog.aliases})
        return
    _print(MODEL_COLUMNS, [_cells(row, _word(row.sees), f"{row.context_tokens:,}") for row in rows])
    Console().print()
    _print(SPEECH_COLUMNS, [_cells(row, str(len(row.languages) or "")) for row in speech])


def _cells(row: ListedModel | ListedSpeech, *abilities: str) -> tuple[str, ...]:
    size = _millions(row.parameters)
    return row.name, _word(row.here), *abilities, size, row.licence, _word(row.tested)


def _word(flag: bool) -> str:
    return "yes" if flag else "no"


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:,.0f} M" if parameters else ""


def _print(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
