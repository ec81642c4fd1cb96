"""Names of files: which are allowed, how new ones are made, and what a client's reference to one means."""

from __future__ import annotations

import re
import string

from geminid.core.ids import Randomness

ID_CHARACTERS = 12
_BASE36 = string.digits + string.ascii_lowercase
_PREFIX = "files/"
_URI = re.compile(
    r"https?://[^?#]*/v1(?:beta|alpha)?/files/([a-z0-9-]{1,40})(?::download)?(?:[?#].*)?", re.IGNORECASE
)
"""A file's address on this server, on Google's, or on whatever stands before this one."""


def new_id(randomness: Randomness) -> str:
    """Return an id like Google's: 12 characters of 0-9 and a-z."""
    number = int.from_bytes(randomness(16), "big")
    return "".join(_BASE36[number // 36**place % 36] for place in range(ID_CHARACTERS))


def is_file_uri(uri: str) -> bool:
    """Whether a reference means a file that was uploaded: ``files/ID``, or its URI on any host."""
    return uri.startswith(_PREFIX) or _URI.fullmatch(uri) is not None


def id_of(uri: str) -> str:
    """Return the id in a reference for which :func:`is_file_uri` holds."""
    found = _URI.fullmatch(uri)
    return found[1] if found else uri.removeprefix(_PREFIX)
