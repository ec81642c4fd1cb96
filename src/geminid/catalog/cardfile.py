"""A TOML file of model cards, read strictly.

Every mistake of a file is reported at once, each with its path such as ``card[2].sources[0].sha256``:
unknown keys, missing keys, wrong types, and values that contradict each other. A file with one
mistake yields nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec

from geminid.catalog.names import is_name
from geminid.core.card import FileSource, HubSource, ModelCard, PackageSource, ThinkingCard
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.forms import THINKING_FORMS, TOOL_FORMS
from geminid.core.request import LEVELS, Sampling

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PARTS: dict[str, type[msgspec.Struct]] = {"defaults": Sampling, "thinking": ThinkingCard}
_SOURCES: dict[str, type[msgspec.Struct]] = {"package": PackageSource, "hf": HubSource, "file": FileSource}

Mistakes = Iterator[FieldViolation]


class CardFile(msgspec.Struct, frozen=True):
    """The content of one file: cards in order, and names that mean whatever is served by default."""

    cards: tuple[ModelCard, ...] = ()
    aliases: tuple[str, ...] = ()


def read_card_file(text: str, origin: str) -> CardFile:
    """Read ``text``; ``origin`` names it in messages. Raises InvalidArgument with all mistakes."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgument(f"{origin}: is not TOML: {error}") from error
    mistakes = tuple(_of_file(table))
    if not mistakes:
        cards = msgspec.convert(table.get("card", []), tuple[ModelCard, ...])
        aliases = tuple(table.get("aliases", {}).get("served", []))
        mistakes = tuple(_of_values(cards, aliases))
    if mistakes:
        lines = [f"{mistake.field}: {mistake.description}" for mistake in mistakes]
        raise InvalidArgument("\n".join([f"{origin}: {len(lines)} mistake(s)", *lines]), violations=mistakes)
    return CardFile(cards, aliases)


def _mistake(path: str, description: str) -> FieldViolation:
    return FieldViolation(description=description, field=path)


def _of_file(table: dict[str, Any]) -> Mistakes:
    for key in table.keys() - {"card", "aliases"}:
        yield _mistake(key, "unknown key; known are card, aliases")
    cards = table.get("card", [])
    if not isinstance(cards, list):
        yield _mistake("card", "must be written as [[card]]")
        cards = []
    for index, card in enumerate(cards):
        yield from _of_card(card, f"card[{index}]")
    yield from _of_aliases(table.get("aliases", {}))


def _of_aliases(table: object) -> Mistakes:
    if not isinstance(table, dict):
        yield _mistake("aliases", "must be a table")
        return
    for key in table.keys() - {"served"}:
        yield _mistake(f"aliases.{key}", "unknown key; known is served")
    yield from _of_type(table.get("served", []), list[str], "aliases.served")


def _of_card(card: object, path: str) -> Mistakes:
    yield from _of_struct(card, ModelCard, path, apart=("sources", *_PARTS))
    if not isinstance(card, dict):
        return
    for name, kind in _PARTS.items():
        if name in card:
            yield from _of_struct(card[name], kind, f"{path}.{name}")
    sources = card.get("sources", [])
    if not isinstance(sources, list):
        yield _mistake(f"{path}.sources", "must be written as [[card.sources]]")
        return
    for index, source in enumerate(sources):
        yield from _of_source(source, f"{path}.sources[{index}]")


def _of_source(source: object, path: str) -> Mistakes:
    kind = source.get("type") if isinstance(source, dict) else None
    if kind not in _SOURCES:
        yield _mistake(f"{path}.type", f"must be one of {', '.join(_SOURCES)}")
        return
    yield from _of_struct(source, _SOURCES[kind], path, tags=("type",))


def _of_struct(
    table: object,
    kind: type[msgspec.Struct],
    path: str,
    *,
    apart: tuple[str, ...] = (),
    tags: tuple[str, ...] = (),
) -> Mistakes:
    """Hold a table against a Struct, key by key; ``apart`` are keys that the caller looks into itself."""
    if not isinstance(table, dict):
        yield _mistake(path, "must be a table")
        return
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in table.keys() - fields.keys() - set(tags):
        yield _mistake(f"{path}.{key}", f"unknown key; known are {', '.join(fields)}")
    for name, field in fields.items():
        if name not in table and field.required:
            yield _mistake(f"{path}.{name}", "is missing")
        if name in table and name not in apart:
            yield from _of_type(table[name], field.type, f"{path}.{name}")


def _of_type(value: object, kind: Any, path: str) -> Mistakes:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        words, _, inner = str(error).partition(" - at `$")
        yield _mistake(path + inner.rstrip("`"), words)


def _of_values(cards: tuple[ModelCard, ...], aliases: tuple[str, ...]) -> Mistakes:
    """What no type can say."""
    names = [card.name for card in cards]
    for index, card in enumerate(cards):
        path = f"card[{index}]"
        if card.name in names[:index]:
            yield _mistake(f"{path}.name", f"{card.name} is there twice")
        yield from _of_limits(card, path)
        yield from _of_forms(card, path)
        for number, source in enumerate(card.sources):
            yield from _of_digests(source, f"{path}.sources[{number}]")
    for index, alias in enumerate(aliases):
        if alias in names or alias in aliases[:index]:
            yield _mistake(f"aliases.served[{index}]", f"{alias} is the name of a card or there twice")


def _of_limits(card: ModelCard, path: str) -> Mistakes:
    if not is_name(card.name):
        yield _mistake(f"{path}.name", "may hold lower case letters, digits, '.', '_' and '-'")
    for field in ("input_tokens_max", "output_tokens_max"):
        if not 0 < getattr(card, field) <= card.context_tokens_max:
            yield _mistake(f"{path}.{field}", f"must be in 1..{card.context_tokens_max} (context_tokens_max)")


def _of_forms(card: ModelCard, path: str) -> Mistakes:
    if card.thinking.form not in THINKING_FORMS:
        yield _mistake(f"{path}.thinking.form", f"must be one of {', '.join(THINKING_FORMS)}")
    if card.tool_form not in TOOL_FORMS:
        yield _mistake(f"{path}.tool_form", f"must be one of {', '.join(TOOL_FORMS)}")
    for level in LEVELS:
        if not 0 <= card.thinking.budget_tokens(level) <= card.thinking.high:
            yield _mistake(f"{path}.thinking.{level}", f"must be in 0..{card.thinking.high} (high)")


def _of_digests(source: msgspec.Struct, path: str) -> Mistakes:
    if isinstance(source, HubSource):
        digests = {f"sha256.{name}": digest for name, digest in source.sha256.items()}
    elif isinstance(source, PackageSource):
        digests = {"sha256": source.sha256, "archive_sha256": source.archive_sha256}
    else:
        digests = {}
    for field, digest in digests.items():
        if not _SHA256.fullmatch(digest):
            yield _mistake(f"{path}.{field}", "must be 64 hexadecimal digits in lower case")
