"""What the readers of office documents give back. It knows no format."""

from __future__ import annotations

import msgspec


class Told(msgspec.Struct, frozen=True):
    """What was read of an office file: what it is, its Markdown, and what was left out."""

    title: str
    markdown: str
    notes: tuple[str, ...] = ()
