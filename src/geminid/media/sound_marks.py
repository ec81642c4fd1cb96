"""How moments and stretches of time are written for a model: ``1:05``, ``[1:05]``, ``0:10 to 0:20``."""

from __future__ import annotations

from geminid.core.content import Look


def clock(time_ms: int) -> str:
    """Return a time in minutes and seconds, with hours where there are any."""
    minutes, seconds = divmod(time_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def mark(time_ms: int) -> str:
    """Return what stands before words that belong to a moment."""
    return f"[{clock(time_ms)}]"


def extent(look: Look, length_ms: int) -> str:
    """Return how long a medium is or, if only a stretch of it was asked for, which."""
    if look.start_ms or look.end_ms is not None:
        return f"the stretch from {clock(look.start_ms)} to {clock(look.start_ms + length_ms)}"
    return clock(length_ms)
