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
from geminid.core.card import EmbeddingCard, ModelCard, SpeechCard
from geminid.core.request import LEVELS

MODEL_COLUMNS = ("model", "here", "sees", "context", "parameters", "licence", "tested")
EMBEDDING_COLUMNS = ("embedding model", "here", "numbers", "context", "parameters", "licence", "tested")
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


class ListedEmbedding(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of ``embeddings`` in ``geminid models --json``."""

    name: str
    title: str
    here: bool
    path: str | None
    dimensions: int
    context_tokens: int
    parameters: int
    licence: str
    tested: bool
    shortens: bool

    @classmethod
    def of(cls, card: EmbeddingCard, path: Path | None) -> ListedEmbedding:
        """Describe a card whose weights are at ``path``, or nowhere yet."""
        return cls(
            name=card.name,
            title=card.title,
            here=not card.sources or path is not None,
            path=str(path) if path else None,
            dimensions=card.dimensions,
            context_tokens=card.context_tokens_max,
            parameters=card.parameters,
            licence=card.licence,
            tested=card.tested,
            shortens=card.shortens,
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
    """Write the catalogue to stdout, as three tables or as JSON."""
    cache = config.cache()
    rows = [ListedModel.of(card, located(card, cache)) for card in catalog.cards()]
    embeddings = [ListedEmbedding.of(card, located(card, cache)) for card in catalog.embeddings.values()]
    speech = [ListedSpeech.of(card, located(card, cache)) for card in catalog.speeches.values()]
    if json:
        aliases = {"aliases": catalog.aliases, "embeddingAliases": catalog.embedding_aliases}
        write_json({"models": rows, "embeddings": embeddings, "speech": speech} | aliases)
        return
    _print(MODEL_COLUMNS, [_cells(row, _word(row.sees), f"{row.context_tokens:,}") for row in rows])
    Console().print()
    _print(EMBEDDING_COLUMNS, [_cells(row, *_sizes(row)) for row in embeddings])
    Console().print()
    _print(SPEECH_COLUMNS, [_cells(row, str(len(row.languages) or "")) for row in speech])


def _cells(row: ListedModel | ListedEmbedding | ListedSpeech, *abilities: str) -> tuple[str, ...]:
    size = _millions(row.parameters)
    return row.name, _word(row.here), *abilities, size, row.licence, _word(row.tested)


def _sizes(row: ListedEmbedding) -> tuple[str, str]:
    return f"{row.dimensions:,}", f"{row.context_tokens:,}"


def _word(flag: bool) -> str:
    return "yes" if flag else "no"


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:,.0f} M" if parameters else ""


def _print(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
