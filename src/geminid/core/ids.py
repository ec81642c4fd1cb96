"""Identifiers, made by the service from a source of randomness that is passed in."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Callable

_BASE36 = string.digits + string.ascii_lowercase

Randomness = Callable[[int], bytes]
"""Returns n random bytes."""


def response_id(randomness: Randomness = secrets.token_bytes) -> str:
    """Return a new response id: 22 characters of the URL-safe alphabet, 128 random bits."""
    return base64.urlsafe_b64encode(randomness(16)).rstrip(b"=").decode()


def call_id(randomness: Randomness = secrets.token_bytes) -> str:
    """Return a new id of a function call: 8 characters of 0-9 and a-z, as Google's are."""
    return _base36(randomness(8), 8)


def cache_id(randomness: Randomness = secrets.token_bytes) -> str:
    """Return a new name of cached contents: 40 characters of 0-9 and a-z, more than 200 random bits."""
    return _base36(randomness(27), 40)


def _base36(data: bytes, places: int) -> str:
    number = int.from_bytes(data, "big")
    return "".join(_BASE36[number // 36**place % 36] for place in range(places))


def batch_id(randomness: Randomness = secrets.token_bytes) -> str:
    """Return a new id of a batch: 32 characters of 0-9 and a-z."""
    number = int.from_bytes(randomness(21), "big")
    return "".join(_BASE36[number // 36**place % 36] for place in range(32))


def scratch_name(randomness: Randomness = secrets.token_bytes) -> str:
    """Return a name that no other file of a folder has: 32 hexadecimal digits."""
    return randomness(16).hex()
