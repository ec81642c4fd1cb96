"""Secrets that are handed out: how they are spelled, and how a typo is told without looking anything up.

``PREFIX-`` + 33 characters (192 random bits) + 6 characters (CRC-32 of all before), in digits and letters of
ASCII only, so that a double click takes the whole and no URL needs quoting. It keeps nothing.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from typing import Literal

from geminid.core.ids import Randomness

Prefix = Literal["sk", "adm"]

RANDOM_BYTES = 24
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BODY, _CHECK = 33, 6
_FORM = re.compile(rf"(sk|adm)-[0-9A-Za-z]{{{_BODY + _CHECK}}}", re.ASCII)


def new_secret(prefix: Prefix, randomness: Randomness = secrets.token_bytes) -> str:
    """Return a new secret."""
    text = f"{prefix}-{_base62(int.from_bytes(randomness(RANDOM_BYTES), 'big'), _BODY)}"
    return text + _check(text)


def is_well_formed(text: str, prefix: Prefix) -> bool:
    """Return whether ``text`` could have been made here: its form and its check are right."""
    fits = _FORM.fullmatch(text) is not None and text.startswith(f"{prefix}-")
    return fits and _check(text[:-_CHECK]) == text[-_CHECK:]


def hint_of(text: str) -> str:
    """Return enough of a secret for people to tell theirs apart: ``sk-4fT…9aQz``, 42 bits of it."""
    prefix, _, rest = text.partition("-")
    return f"{prefix}-{rest[:3]}…{rest[-4:]}"


def _check(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK)


def _base62(number: int, length: int) -> str:
    return "".join(_ALPHABET[number // 62**place % 62] for place in reversed(range(length)))
