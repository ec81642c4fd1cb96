"""A TOML file of model cards, read strictly.

Every mistake of a file is reported at once, each with its path such as ``card[2].sources[0].sha256``:
unknown keys, missing keys, wrong types, and values that contradict each other. A file with one
mistake yields nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import msgspec

from geminid.catalog.names import is_name
from geminid.core.card import (
    EmbeddingCard,
    FileSource,
    HubSource,
    ModelCard,
    PackageSource,
    PackedFile,
    SpeechCard,
    ThinkingCard,
    Wheel,
    WheelsSource,
)
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.forms import THINKING_FORMS, TOOL_FORMS
from geminid.core.request import LEVELS, Sampling

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLACES = re.compile(r"\{[^{}]*\}")
_PARTS: dict[str, type[msgspec.Struct]] = {"defaults": Sampling, "thinking": ThinkingCard}
_SOURCES: dict[str, type[msgspec.Struct]] = {
    "package": PackageSource,
    "packages": WheelsSource,
    "hf": HubSource,
    "file": FileSource,
}
_PACKED: dict[str, type[msgspec.Struct]] = {"wheels": Wheel, "files": PackedFile}
_NAME_WORDS = "may hold lower case letters, digits, '.', '_' and '-'"
_TABLES = ("card", "embedding", "speech", "aliases")
_ALIASES = ("served", "embeddings", "speech")

Mistakes = Iterator[FieldViolation]


class CardFile(msgspec.Struct, frozen=True):
    """The content of one file: cards in order, names that mean whatever is served by default, the cards of
    models that understand speech, those of models that embed, names that mean the one of these that is served
    by default, and names that mean whatever understands speech."""

    cards: tuple[ModelCard, ...] = ()
    aliases: tuple[str, ...] = ()
    speeches: tuple[SpeechCard, ...] = ()
    embeddings: tuple[EmbeddingCard, ...] = ()
    embedding_aliases: tuple[str, ...] = ()
    speech_aliases: tuple[str, ...] = ()


def read_card_file(text: str, origin: str) -> CardFile:
    """Read ``text``; ``origin`` names it in messages. Raises InvalidArgument with all mistakes."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgument(f"{origin}: is not TOML: {error}") from error
    mistakes = tuple(_of_file(table))
    if not mistakes:
        cards = msgspec.convert(table.get("card", []), tuple[ModelCard, ...])
        aliases, *others = (tuple(table.get("aliases", {}).get(key, [])) for key in _ALIASES)
        embeddings = msgspec.convert(table.get("embedding", []), tuple[EmbeddingCard, ...])
        speeches = msgspec.convert(table.get("speech", []), tuple[SpeechCard, ...])
        names = (*(card.name for card in cards), *aliases)
        taken = (*names, *(card.name for card in embeddings), *(card.name for card in speeches))
        mistakes = (
            *_of_values(cards, aliases),
            *_of_others(embeddings, "embedding", names),
            *_of_others(speeches, "speech", (*names, *(card.name for card in embeddings))),
            *_of_other_aliases(others, taken),
        )
    if mistakes:
        lines = [f"{mistake.field}: {mistake.description}" for mistake in mistakes]
        raise InvalidArgument("\n".join([f"{origin}: {len(lines)} mistake(s)", *lines]), violations=mistakes)
    return CardFile(cards, aliases, speeches, embeddings, *others)


def _mistake(path: str, description: str) -> FieldViolation:
    return FieldViolation(description=description, field=path)


def _of_file(table: dict[str, Any]) -> Mistakes:
    for key in table.keys() - set(_TABLES):
        yield _mistake(key, f"unknown key; known are {', '.join(_TABLES)}")
    yield from _of_tables(table.get("card", []), "card", "card", _of_card)
    yield from _of_tables(table.get("embedding", []), "embedding", "embedding", _of_embedding)
    yield from _of_tables(table.get("speech", []), "speech", "speech", _of_speech)
    yield from _of_aliases(table.get("aliases", {}))


def _of_tables(tables: object, path: str, header: str, look: Callable[[object, str], Mistakes]) -> Mistakes:
    if not isinstance(tables, list):
        yield _mistake(path, f"must be written as [[{header}]]")
        return
    for index, table in enumerate(tables):
        yield from look(table, f"{path}[{index}]")


def _of_aliases(table: object) -> Mistakes:
    if not isinstance(table, dict):
        yield _mistake("aliases", "must be a table")
        return
    for key in table.keys() - set(_ALIASES):
        yield _mistake(f"aliases.{key}", f"unknown key; known are {', '.join(_ALIASES)}")
    for key in _ALIASES:
        yield from _of_type(table.get(key, []), list[str], f"aliases.{key}")


def _of_card(card: object, path: str) -> Mistakes:
    yield from _of_struct(ModelCard, card, path, apart=("sources", *_PARTS))
    if not isinstance(card, dict):
        return
    for name, kind in _PARTS.items():
        if name in card:
            yield from _of_struct(kind, card[name], f"{path}.{name}")
    yield from _of_tables(card.get("sources", []), f"{path}.sources", "card.sources", _of_source)


def _of_embedding(card: object, path: str) -> Mistakes:
    yield from _of_struct(EmbeddingCard, card, path, apart=("sources",))
    if isinstance(card, dict):
        yield from _of_tables(card.get("sources", []), f"{path}.sources", "embedding.sources", _of_source)


def _of_speech(card: object, path: str) -> Mistakes:
    yield from _of_struct(SpeechCard, card, path, apart=("sources",))
    if isinstance(card, dict):
        yield from _of_tables(card.get("sources", []), f"{path}.sources", "speech.sources", _of_source)


def _of_source(source: object, path: str) -> Mistakes:
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or kind not in _SOURCES:
        yield _mistake(f"{path}.type", f"must be one of {', '.join(_SOURCES)}")
        return
    inner = _PACKED if kind == "packages" else {}
    yield from _of_struct(_SOURCES[kind], source, path, apart=tuple(inner), tags=("type",))
    for name, each in inner.items():
        if name in source:
            look = partial(_of_struct, each)
            yield from _of_tables(source[name], f"{path}.{name}", f"speech.sources.{name}", look)


def _of_struct(
    kind: type[msgspec.Struct],
    table: object,
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


def _of_others(cards: Sequence[SpeechCard | EmbeddingCard], kind: str, names: Iterable[str]) -> Mistakes:
    """What no type can say of cards of another kind than those that have these ``names``."""
    taken = set(names)
    for index, card in enumerate(cards):
        path = f"{kind}[{index}]"
        if not is_name(card.name):
            yield _mistake(f"{path}.name", _NAME_WORDS)
        if card.name in taken:
            yield _mistake(f"{path}.name", f"{card.name} is there twice")
        taken.add(card.name)
        if isinstance(card, EmbeddingCard):
            yield from _of_sizes(card, path)
        for number, source in enumerate(card.sources):
            yield from _of_digests(source, f"{path}.sources[{number}]")


def _of_other_aliases(lists: Sequence[tuple[str, ...]], taken: tuple[str, ...]) -> Mistakes:
    """Look at the names of all but those that answer; each has its own list."""
    known = {*taken}
    for key, aliases in zip(_ALIASES[1:], lists, strict=True):
        for index, alias in enumerate(aliases):
            if alias in known:
                yield _mistake(f"aliases.{key}[{index}]", f"{alias} is the name of a model or there twice")
            known.add(alias)


def _of_sizes(card: EmbeddingCard, path: str) -> Mistakes:
    for field in ("dimensions", "context_tokens_max"):
        if getattr(card, field) <= 0:
            yield _mistake(f"{path}.{field}", "must be at least 1")
    for key, template in card.instructions.items():
        places = _PLACES.findall(template)
        if places.count("{text}") != 1 or not {*places} <= {"{text}", "{title}"}:
            yield _mistake(f"{path}.instructions.{key}", "must hold {text} once, and may hold {title}")


def _of_limits(card: ModelCard, path: str) -> Mistakes:
    if not is_name(card.name):
        yield _mistake(f"{path}.name", _NAME_WORDS)
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
    elif isinstance(source, WheelsSource):
        wheels = {f"wheels[{index}].sha256": each.sha256 for index, each in enumerate(source.wheels)}
        files = {f"files[{index}].sha256": each.sha256 for index, each in enumerate(source.files)}
        digests = wheels | files
        yield from _of_file_names(source, path)
    else:
        digests = {}
    for field, digest in digests.items():
        if not _SHA256.fullmatch(digest):
            yield _mistake(f"{path}.{field}", "must be 64 hexadecimal digits in lower case")


def _of_file_names(source: WheelsSource, path: str) -> Mistakes:
    names = [file.name for file in source.files]
    for index, name in enumerate(names):
        if PurePosixPath(name).name != name or not source.files[index].members:
            yield _mistake(f"{path}.files[{index}]", "must have a plain name and at least one member")
        if name in names[:index]:
            yield _mistake(f"{path}.files[{index}].name", f"{name} is there twice")
