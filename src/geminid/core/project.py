"""Who owns what is kept: a project, by its name."""

from __future__ import annotations

from typing import Literal, get_args

DEFAULT_PROJECT = "default"
"""Owns everything as long as keys belong to no project."""

Mode = Literal["prepaid", "postpaid"]
"""Whether credits must cover a request before it runs, or what it cost is only written down."""
TierName = Literal["unlimited", "free", "1", "2", "3"]
"""Which limits a project begins with."""

MODES: tuple[Mode, ...] = get_args(Mode)
TIER_NAMES: tuple[TierName, ...] = get_args(TierName)
