"""The query of a page of any list: how many entries, and where it begins."""

from __future__ import annotations

import base64
import binascii
import re

from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.wire.scalars import INT32_MAX, clip

_INTEGER = re.compile(r"-?\d{1,20}", re.ASCII)


def read_size(said: str | None, message: str, *, usual: int, most: int) -> int:
    """Return how many entries a page has: ``usual`` where nothing or 0 is said, never more than ``most``.

    message: the type of the request, for the words of a refusal. Raises InvalidArgument for what is no
    number or negative.
    """
    said = said or "0"
    if not _INTEGER.fullmatch(said) or not -INT32_MAX <= int(said) <= INT32_MAX:
        raise _refusal("page_size", f"Invalid value at 'page_size' (TYPE_INT32), \"{clip(said)}\"")
    if int(said) < 0:
        raise _refusal("page_size", f"* {message}.page_size: page_size must not be negative.")
    return min(int(said) or usual, most)


def write_token(text: str) -> str:
    """Return the token that stands for a place that is told by ``text``."""
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_token(token: str, form: re.Pattern[str], message: str) -> re.Match[str]:
    """Return what a token tells, in a form; raises InvalidArgument for one that this server did not give."""
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    found = form.fullmatch(text)
    if found is None:
        raise _refusal("page_token", f"* {message}.page_token: page_token is invalid.")
    return found


def _refusal(field: str, message: str) -> InvalidArgument:
    return InvalidArgument(message, violations=(FieldViolation(message, field),))
