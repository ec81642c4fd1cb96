"""The plain values of lenient proto3-JSON: one reader for each kind, and what it complains about.

A reader takes a parsed JSON value and the path where it stands, and returns the value, or notes a
fault and returns ``None``. Invariant: a reader never raises, so all faults of a body are reported at
once. Wordings are Google's; the names of types are those of its error messages.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any

import msgspec
from msgspec import inspect

from geminid.core.codec import decode_base64
from geminid.core.errors import FieldViolation
from geminid.wire.lenient import Json

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
Int32 = Annotated[int, msgspec.Meta(ge=-INT32_MAX - 1, le=INT32_MAX)]
Int64 = Annotated[int, msgspec.Meta(ge=-INT64_MAX - 1, le=INT64_MAX)]

_VIOLATIONS_MAX = 50  # the answer to a wrong body must not be as large as the body
_QUOTE_CHARS = 100
_PACKAGE = "type.googleapis.com/google.ai.generativelanguage.v1beta"
_NUMBER = re.compile(r"-?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,4})?", re.ASCII)


class Faults:
    """What is wrong with one body, in the order it was met."""

    def __init__(self) -> None:
        self.violations: list[FieldViolation] = []

    @property
    def full(self) -> bool:
        """Whether further faults would not be told."""
        return len(self.violations) >= _VIOLATIONS_MAX

    def add(self, path: str, description: str) -> None:
        """Note one fault; ``path`` is the snake_case path, empty for the body itself."""
        if not self.full:
            self.violations.append(FieldViolation(description, path))

    def unknown(self, path: str, name: str, reason: str = "Cannot find field.") -> None:
        """Note that the message at ``path`` has no field ``name``, or not of that form."""
        where = f" at '{path}'" if path else ""
        name = clip(name)
        self.add(path, f'Invalid JSON payload received. Unknown name "{name}"{where}: {reason}')

    def twice(self, path: str, name: str) -> None:
        """Note that a field was given under two spellings."""
        self.unknown(path, name, "Field is set more than once.")

    def already_set(self, path: str, group: str, name: str) -> None:
        """Note a second member of a oneof."""
        self.add(
            path,
            f"Invalid value at '{path}' (oneof), oneof field '{group}' is already set. Cannot set '{name}'",
        )

    def wrong(self, path: str, kind: str, value: Json) -> None:
        """Note a value that is not of ``kind``."""
        if isinstance(value, list):
            parent, _, name = path.rpartition(".")
            self.unknown(parent, name.partition("[")[0], "Proto field is not repeating, cannot start list.")
        elif isinstance(value, dict):
            self.add(path, f"Invalid value at '{path}' ({kind}), Starting an object on a scalar field")
        else:
            self.add(path, f"Invalid value at '{path}' ({kind}), {_quote(value)}")

    def wrong_message(self, path: str, kind: str, value: Json) -> None:
        """Note a value that is not an object where the message ``kind`` is due."""
        if path:  # a body that is no object was noted already
            self.wrong(path, f"{_PACKAGE}.{kind}", value)


Read = Callable[[Json, str, Faults], Any]
"""(value, path, faults) → what the value means; a fault is noted, never raised."""


def read_string(value: Json, path: str, faults: Faults) -> str | None:
    """Text. Whether it can be encoded was seen to when the body was parsed."""
    if isinstance(value, str):
        return value
    faults.wrong(path, "TYPE_STRING", value)
    return None


def read_bool(value: Json, path: str, faults: Faults) -> bool | None:
    """A truth value, also as the strings ``"true"`` and ``"false"``."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    faults.wrong(path, "TYPE_BOOL", value)
    return None


def read_float(value: Json, path: str, faults: Faults) -> float | None:
    """A finite number, also as a string."""
    number = _number(value)
    try:
        if number is not None and math.isfinite(number):
            return float(number)
    except OverflowError:
        pass
    faults.wrong(path, "TYPE_FLOAT", value)
    return None


def read_bytes(value: Json, path: str, faults: Faults) -> bytes | None:
    """Base64 of either alphabet, with or without padding."""
    if not isinstance(value, str):
        faults.wrong(path, "TYPE_BYTES", value)
        return None
    try:
        return decode_base64(value)
    except ValueError:
        faults.add(
            path, f"Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed for {_quote(value)}"
        )
        return None


def read_enum(kind: type[Enum]) -> Read:
    """Return the reader of an enum: by name in any case, or by number, which is its position."""
    members = list(kind)
    by_name = {member.value.upper(): member for member in members}

    def read(value: Json, path: str, faults: Faults) -> Enum | None:
        number = _number(value) if not isinstance(value, str) else None
        if number is not None and number in range(len(members)):
            return members[int(number)]
        if isinstance(value, str) and value.upper() in by_name:
            return by_name[value.upper()]
        faults.wrong(path, f"{_PACKAGE}.{kind.__name__}", value)
        return None

    return read


def _read_int(kind: str, largest: int) -> Read:
    def read(value: Json, path: str, faults: Faults) -> int | None:
        number = _number(value)
        if number is not None and math.isfinite(number) and number == int(number):
            number = int(number)
            if -largest - 1 <= number <= largest:
                return number
        faults.wrong(path, kind, value)
        return None

    return read


READ_INT32 = _read_int("TYPE_INT32", INT32_MAX)
READ_INT64 = _read_int("TYPE_INT64", INT64_MAX)

READS: dict[type[inspect.Type], Read] = {
    inspect.StrType: read_string,
    inspect.BoolType: read_bool,
    inspect.FloatType: read_float,
    inspect.BytesType: read_bytes,
}


def _number(value: Json) -> int | float | None:
    """Return the number that ``value`` is or spells; a truth value is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (found := _NUMBER.fullmatch(value)):
        return float(value) if found[1] or found[2] else int(value)
    return None


def _quote(value: Json) -> str:
    if isinstance(value, str):
        value = clip(value)
    return json.dumps(value, ensure_ascii=False)[: _QUOTE_CHARS * 2]


def clip(text: str) -> str:
    """Shorten what a caller wrote, so that an answer that quotes it stays small."""
    return text if len(text) <= _QUOTE_CHARS else text[:_QUOTE_CHARS] + "…"
