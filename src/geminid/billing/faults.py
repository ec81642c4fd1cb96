"""What can go wrong where tokens become money."""

from __future__ import annotations

from geminid.core.errors import Internal, ResourceExhausted


class Unpriced(ResourceExhausted):
    """Something that would be billed has no price, and is never free by accident."""

    def __init__(self, key: str, tier: str, what: str) -> None:
        super().__init__(f"{key} has no price for {what} in tier {tier}, so it cannot be paid with credits.")
        self.key = key
        self.tier = tier
        self.what = what


class Unratable(Internal):
    """Counts of tokens that contradict each other. Nothing is billed by them, and never 0 instead."""
