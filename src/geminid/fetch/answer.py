"""What the head of an HTTP answer says: a redirect, a refusal, or a file and its type.

It reads no body. Field names are compared without case; fields are (name, value) in bytes, as they came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from geminid.fetch.faults import BAD_ANSWER, COMPRESSED, Unfetchable

Fields = Sequence[tuple[bytes, bytes]]

REDIRECTS = frozenset((301, 302, 303, 307, 308))
WHOLE = frozenset((200, 203))
"""What carries a file: not 206, of which nobody asked for a part, and not 204, which has none."""
UNSAID = frozenset(("application/octet-stream", "binary/octet-stream"))
"""Types that servers give to what they know nothing of."""

_MIME_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}", re.ASCII)


def location(status: int, fields: Fields) -> str | None:
    """Return where the answer redirects to, as it is spelled; None when it does not."""
    found = _values(fields, b"location")
    return found[0] if status in REDIRECTS and found else None


def check(status: int, fields: Fields) -> None:
    """Raise ``Unfetchable`` unless the answer carries a file as it is."""
    if status not in WHOLE:
        raise Unfetchable(f"Its server answers with the status {status}.")
    codings = ",".join(_values(fields, b"content-encoding")).lower().split(",")
    if not {coding.strip() for coding in codings} <= {"", "identity"}:
        raise Unfetchable(COMPRESSED)


def length_bytes(fields: Fields) -> int:
    """Return how many bytes the answer announces, 0 when it does not say."""
    found = _values(fields, b"content-length")
    if not found:
        return 0
    if not (found[0].isascii() and found[0].isdecimal()):
        raise Unfetchable(BAD_ANSWER)
    return int(found[0])


def mime_type(fields: Fields) -> str:
    """Return the type that the answer claims, bare and in lower case; empty when it says none."""
    found = _values(fields, b"content-type")
    claimed = found[0].partition(";")[0].strip().lower() if found else ""
    return claimed if _MIME_TYPE.fullmatch(claimed) and claimed not in UNSAID else ""


def _values(fields: Fields, name: bytes) -> list[str]:
    return [_text(value) for key, value in fields if key.lower() == name]


def _text(value: bytes) -> str:
    """Return a field in UTF-8, which Locations are in practice, or as HTTP has it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
