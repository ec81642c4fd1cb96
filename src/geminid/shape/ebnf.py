"""The engine's grammar notation: how texts and rules are written in it, and what compiling one costs.

It knows no schema. The notation is xgrammar's EBNF. The engine rewrites a grammar before it compiles it,
with ``\\x`` for what is not printable below U+0100, and then takes as many digits as follow: "ße" becomes
U+0DFE. Invariant: what is written here is a well-formed grammar.
"""

from __future__ import annotations

import re
from typing import NamedTuple

RULES_MAX = 10_000
WEIGHT_MAX = 900

_TOKEN = re.compile(
    r'"(?P<literal>(?:[^"\\]|\\.)*)"|\[(?P<set>(?:[^\]\\]|\\.)*)\](?:\{(?P<low>\d+)(?:,(?P<high>\d*))?\})?'
)
_CONTROLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# What the native compiler needs, in milliseconds, for a vocabulary of 49,152 on one core of 2024: it
# tries the whole vocabulary at each place where a text may go on. Measured, with an idle machine.
_RULE_MS = 0.25
_LITERAL_BYTE_MS = 0.016
_OPEN_CLASS_MS = 10.0
_LOWER_CASE_MS = 4.0
_NARROW_CLASS_MS = 0.2


class TooLarge(Exception):
    """A grammar needs more rules than the engine may be given."""


class Size(NamedTuple):
    """How large a grammar is. ``weight`` estimates the milliseconds of its native compilation."""

    rules: int
    text_bytes: int
    weight: float

    @property
    def fits(self) -> bool:
        """Whether the engine compiles it soon enough not to hold up other answers."""
        return self.rules <= RULES_MAX and self.weight <= WEIGHT_MAX


def character(char: str, in_class: bool = False) -> str:
    """Return ``char`` as it stands in a literal, or in a class of characters.

    One that is ``escaped`` in the engine must not be followed by a hexadecimal digit.
    """
    if char in ('"\\]^-' if in_class else '"\\'):
        return "\\" + char
    if char in _CONTROLS:
        return _CONTROLS[char]
    return f"\\u{ord(char):04x}" if ord(char) < 0x20 else char


def escaped(code: int) -> bool:
    """Tell whether the engine writes this code point with as many digits as happen to follow."""
    return code < 0x20 or 0x7F <= code <= 0xFF


def literal(text: str) -> str:
    """Return the grammar of exactly ``text``, which must have no lone surrogates."""
    # Two literals in a row are one text; apart, no digit can become part of an escape.
    pieces = re.split("([\x00-\x1f\x7f-\xff]+)", text)
    return " ".join(f'"{"".join(map(character, each))}"' for each in pieces if each) or '""'


def measure(text: str) -> Size:
    """Return the size of the grammar ``text``."""
    rules = text.count("::=")
    weight = rules * _RULE_MS
    for token in _TOKEN.finditer(text):
        if token["literal"] is not None:
            weight += len(token["literal"]) * _LITERAL_BYTE_MS
        else:
            times = int(token["high"] or token["low"] or 1)
            weight += times * _class_weight(token["set"])
    return Size(rules, len(text.encode()), weight)


def _class_weight(inside: str) -> float:
    if inside.startswith("^") or " " in inside:
        return _OPEN_CLASS_MS
    if "a-z" in inside:
        return _LOWER_CASE_MS if "A-Z" not in inside else _OPEN_CLASS_MS * 0.8
    # What reaches beyond ASCII may be most of a vocabulary.
    return _OPEN_CLASS_MS / 2 if not inside.isascii() else _NARROW_CLASS_MS
