"""Identifiers, made by the service from a source of randomness that is passed in."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

Randomness = Callable[[int], bytes]
"""Returns n random bytes."""


def response_id(randomness: Randomness = secrets.token_bytes) -> str:
    """Return a new response id: 22 characters of the URL-safe alphabet, 128 random bits."""
    return base64.urlsafe_b64encode(randomness(16)).rstrip(b"=").decode()
