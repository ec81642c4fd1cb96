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
    number = int.from_bytes(randomness(8), "big")
    return "".join(_BASE36[number // 36**place % 36] for place in range(8))


def scratch_name(randomness: Randomness = secrets.token_bytes) -> str:
    """Return a name that no other file of a folder has: 32 hexadecimal digits."""
    return randomness(16).hex()
