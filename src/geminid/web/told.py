"""What an answer tells in its headers beside those of its wire, and how a caller names a request."""

from __future__ import annotations

from collections.abc import Sequence

from geminid.core.errors import InvalidArgument
from geminid.service.generate import Generation
from geminid.web.gemini import (
    COST_HEADER,
    DOWNGRADE_HEADER,
    FOLDED_HEADER,
    RECEIPT_HEADER,
    REQUEST_HEADER,
    REQUEST_ID,
)

Headers = list[tuple[str, str]]


def told(downgrades: Sequence[str], generation: Generation) -> Headers:
    """Return the headers of an answer: what was served with less than was asked for, and its receipt."""
    named: Headers = []
    if downgrades:
        named.append((DOWNGRADE_HEADER, ", ".join(downgrades)))
    if (folded := generation.folded) is not None:
        figures = f"characters={folded.characters_before}; kept={folded.characters_kept}"
        named.append((FOLDED_HEADER, figures))
    if (charge := generation.charge) is not None:
        named.append((RECEIPT_HEADER, charge.asked.receipt))
        if charge.cost_nano is not None:  # of a stream it is not known when the headers go out
            named.append((COST_HEADER, str(charge.cost_nano)))
    return named


def request_name(said: str, header: str = REQUEST_HEADER) -> str:
    """Return what a caller calls a request, in a form that is never one of ours; empty for nothing."""
    if said and not REQUEST_ID.fullmatch(said):
        raise InvalidArgument(f"{header} must be 1 to 100 of the characters A-Z a-z 0-9 . _ : -")
    return f"~{said}" if said else ""
