"""A TOML file of prices, read strictly and exactly: no float is made on the way.

Every mistake of a file is told at once, each with its path such as ``preset[0].price[2].input``; a file
with one mistake yields nothing. Which price is in force when is not known here
(:mod:`geminid.billing.prices`).
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec

from geminid.catalog.names import is_name
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.money import parse_dollars
from geminid.core.price import PRICE_TIERS, ModalityClass, Price, PriceKind, PriceTier

COLUMNS: dict[str, tuple[PriceKind, ModalityClass]] = {
    "input": ("input", "text"),
    "input_audio": ("input", "audio"),
    "output": ("output", "text"),
    "cached": ("cached", "text"),
    "cached_audio": ("cached", "audio"),
    "storage_hour": ("storage", "text"),
}
"""What a price is called in a file."""

_OWN_TIERS: tuple[PriceTier, ...] = tuple(tier for tier in PRICE_TIERS if tier != "standard")
_TIERED = tuple(column for column in COLUMNS if column != "storage_hour")
_ROW_KEYS = ("key", "from", "until", *COLUMNS, *_OWN_TIERS)
_PRESET_KEYS = ("name", "title", "source", "price")
_FILE_KEYS = ("use", "list", "preset", "price", "same")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Table = dict[str, Any]
Mistakes = Iterator[FieldViolation]


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A price list under a name. source: where and when it was read."""

    name: str
    title: str = ""
    source: str = ""
    prices: tuple[Price, ...] = ()


class PriceFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file: presets, prices of its own, and which preset it wants used, and shown as the list price.

    None leaves the choice open; empty is none at all. same: names by the key whose prices are theirs, too.
    """

    presets: tuple[Preset, ...] = ()
    prices: tuple[Price, ...] = ()
    same: dict[str, str] = {}
    use: str | None = None
    listed: str | None = None


def read_price_file(text: str, origin: str, presets: Collection[str] = ()) -> PriceFile:
    """Read ``text``; ``origin`` names it in messages, ``presets`` are names that it may use besides its own.

    Raises InvalidArgument with all mistakes.
    """
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except ValueError as error:  # TOML's own, and numbers that are too long for Python
        raise InvalidArgument(f"{origin}: is not TOML: {error}") from error
    mistakes = tuple(_of_file(table, presets))
    if mistakes:
        lines = [f"{mistake.field}: {mistake.description}" for mistake in mistakes]
        raise InvalidArgument("\n".join([f"{origin}: {len(lines)} mistake(s)", *lines]), violations=mistakes)
    return PriceFile(
        presets=tuple(_preset(each) for each in table.get("preset", [])),
        prices=_prices(table.get("price", [])),
        same={name: key for key, names in table.get("same", {}).items() for name in names},
        use=table.get("use"),
        listed=table.get("list"),
    )


def _preset(table: Table) -> Preset:
    names = {key: table[key] for key in ("name", "title", "source") if key in table}
    return Preset(**names, prices=_prices(table.get("price", [])))


def _prices(rows: list[Table]) -> tuple[Price, ...]:
    """Ends come first: where one price ends and the next begins, the next is in force."""
    ends = (price for row in rows if "until" in row for price in _of_row(row, _ms(row["until"]), ended=True))
    starts = (price for row in rows for price in _of_row(row, _start_ms(row)))
    return (*ends, *starts)


def _of_row(row: Table, from_ms: int, *, ended: bool = False) -> Iterator[Price]:
    for tier in PRICE_TIERS:
        cells = row if tier == "standard" else row.get(tier, {})
        for column, (kind, modality) in COLUMNS.items():
            if column in cells:
                yield Price(
                    key=row["key"],
                    kind=kind,
                    modality=modality,
                    tier=tier,
                    nano_per_million=None if ended else parse_dollars(cells[column]),
                    effective_from_ms=from_ms,
                )


def _start_ms(row: Table) -> int:
    return _ms(row["from"]) if "from" in row else 0


def _ms(moment: date) -> int:
    """A date without a time begins at midnight UTC."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _mistake(path: str, description: str) -> FieldViolation:
    return FieldViolation(description=description, field=path)


def _unknown(table: Table, known: Collection[str], path: str) -> Mistakes:
    for key in table.keys() - set(known):
        yield _mistake(f"{path}{key}", f"unknown key; known are {', '.join(known)}")


def _of_file(table: Table, presets: Collection[str]) -> Mistakes:
    yield from _unknown(table, _FILE_KEYS, "")
    names: list[str] = []
    for index, preset in enumerate(_tables(table.get("preset", []))):
        yield from _of_preset(preset, f"preset[{index}]", names)
    if not isinstance(table.get("preset", []), list):
        yield _mistake("preset", "must be written as [[preset]]")
    yield from _of_rows(table.get("price", []), "price", "price")
    yield from _of_same(table.get("same", {}))
    for key in ("use", "list"):
        if key in table and table[key] not in ("", *presets, *names):
            known = ", ".join(dict.fromkeys((*presets, *names)))
            yield _mistake(key, f"must be the name of a preset ({known}) or empty")


def _of_same(same: object) -> Mistakes:
    if not isinstance(same, dict):
        yield _mistake("same", "must be a table of keys, each with a list of names")
        return
    for key, names in same.items():
        if not isinstance(names, list) or not all(isinstance(each, str) and is_name(each) for each in names):
            yield _mistake(f"same.{key}", "must be a list of names of models")


def _tables(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _of_preset(preset: object, path: str, names: list[str]) -> Mistakes:
    if not isinstance(preset, dict):
        yield _mistake(path, "must be a table")
        return
    yield from _unknown(preset, _PRESET_KEYS, f"{path}.")
    for key in ("title", "source"):
        if not isinstance(preset.get(key, ""), str):
            yield _mistake(f"{path}.{key}", "must be text")
    name = preset.get("name")
    if not isinstance(name, str) or not is_name(name):
        yield _mistake(f"{path}.name", "must be a name of lower case letters, digits, '.', '_' and '-'")
    elif name in names:
        yield _mistake(f"{path}.name", f"{name} is there twice")
    else:
        names.append(name)
    yield from _of_rows(preset.get("price", []), f"{path}.price", "preset.price")


def _of_rows(rows: object, path: str, header: str) -> Mistakes:
    if not isinstance(rows, list):
        yield _mistake(path, f"must be written as [[{header}]]")
        return
    found = 0
    for index, row in enumerate(rows):
        for mistake in _of_price(row, f"{path}[{index}]"):
            found += 1
            yield mistake
    if not found:
        yield from _of_order(rows, path)


def _of_price(row: object, path: str) -> Mistakes:
    if not isinstance(row, dict):
        yield _mistake(path, "must be a table")
        return
    yield from _unknown(row, _ROW_KEYS, f"{path}.")
    if not isinstance(row.get("key"), str) or not is_name(row["key"]):
        yield _mistake(f"{path}.key", "must be a name of lower case letters, digits, '.', '_' and '-'")
    yield from _of_times(row, path)
    yield from _of_cells(row, COLUMNS, path)
    if not any(key in row for key in (*COLUMNS, *_OWN_TIERS)):
        yield _mistake(path, f"has no price; known are {', '.join(COLUMNS)}")
    for tier in _OWN_TIERS:
        cells = row.get(tier, {})
        if not isinstance(cells, dict):
            yield _mistake(f"{path}.{tier}", "must be a table")
            continue
        yield from _unknown(cells, _TIERED, f"{path}.{tier}.")
        yield from _of_cells(cells, _TIERED, f"{path}.{tier}")


def _of_cells(cells: Table, columns: Collection[str], path: str) -> Mistakes:
    for column in columns:
        if column not in cells:
            continue
        try:
            if parse_dollars(cells[column]) < 0:
                yield _mistake(f"{path}.{column}", "must not be negative")
        except InvalidArgument as error:
            yield _mistake(f"{path}.{column}", error.message)


def _of_times(row: Table, path: str) -> Mistakes:
    sound = True
    for key in ("from", "until"):
        value = row.get(key, date(1970, 1, 1))
        if not isinstance(value, date) or (isinstance(value, datetime) and value.tzinfo is None):
            sound = False
            yield _mistake(f"{path}.{key}", "must be a date such as 2026-11-30, or a time with its offset")
        elif _ms(value) < 0:
            sound = False
            yield _mistake(f"{path}.{key}", "must not be before 1970")
    if sound and "until" in row and _ms(row["until"]) <= _start_ms(row):
        yield _mistake(f"{path}.until", "must be after its from")


def _of_order(rows: list[Table], path: str) -> Mistakes:
    """Prices of one key follow each other: no two begin together, none lasts into the next."""
    by_key: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, row in enumerate(rows):
        by_key[row["key"]].append((_start_ms(row), index))
    for turns in by_key.values():
        turns.sort()
        for (start, before), (next_start, index) in pairwise(turns):
            until = rows[before].get("until")
            if start == next_start:
                yield _mistake(
                    f"{path}[{index}].from", f"begins when {path}[{before}] does, for the same key"
                )
            elif until is not None and _ms(until) > next_start:
                yield _mistake(f"{path}[{before}].until", f"is after {path}[{index}], its successor, begins")
