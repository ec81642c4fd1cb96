"""Limits by tier, and the names that Google gives them.

It counts nothing. Names and metrics are those that clients read in a 429 (``quotaId``, ``quotaMetric``);
what Google has no limit for is named in the same manner.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from geminid.core.money import NANO_PER_DOLLAR, Nano

LimitName = Literal["rpm", "tpm", "rpd", "concurrent", "spend_day", "spend_month"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a project may do, with one model or with all; None is without a limit, 0 is nothing.

    rpm, rpd: requests per minute, per day. tpm: tokens of input per minute. concurrent: requests that run
    at once. spend_day, spend_month: nano-dollars. free: whether the free tier's names are told.
    """

    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None
    concurrent: int | None = None
    spend_day: Nano | None = None
    spend_month: Nano | None = None
    free: bool = False


UNLIMITED = Limits()

TIERS: dict[str, Limits] = {
    "free": Limits(rpm=15, tpm=250_000, rpd=1_000, free=True),
    "1": Limits(rpm=4_000, tpm=4_000_000, spend_month=250 * NANO_PER_DOLLAR),
    "2": Limits(rpm=10_000, tpm=10_000_000, spend_month=2_000 * NANO_PER_DOLLAR),
    "3": Limits(rpm=30_000, tpm=30_000_000, spend_month=20_000 * NANO_PER_DOLLAR),
}
"""A start, to be changed: Google shows each project its own. The caps of spending are Google's of November
2026 (of tier 3 the lowest); rates are those that were published for Flash-Lite models in 2025."""


class GoogleName(NamedTuple):
    """How a limit is called in a 429."""

    quota_id: str
    metric: str


_METRIC = "generativelanguage.googleapis.com/"
_REQUESTS = f"{_METRIC}generate_requests_per_model"
_FREE_REQUESTS = f"{_METRIC}generate_content_free_tier_requests"

PAID_NAMES: dict[LimitName, GoogleName] = {
    "rpm": GoogleName("GenerateRequestsPerMinutePerProjectPerModel", _REQUESTS),
    "tpm": GoogleName(
        "GenerateContentPaidTierInputTokensPerModelPerMinute",
        f"{_METRIC}generate_content_paid_tier_input_token_count",
    ),
    "rpd": GoogleName("GenerateRequestsPerDayPerProjectPerModel", f"{_REQUESTS}_per_day"),
    "concurrent": GoogleName("ConcurrentRequestsPerProjectPerModel", f"{_METRIC}concurrent_requests"),
    "spend_day": GoogleName("SpendPerDayPerProject", f"{_METRIC}spend"),
    "spend_month": GoogleName("SpendPerMonthPerProject", f"{_METRIC}spend"),
}
FREE_NAMES: dict[LimitName, GoogleName] = {
    **PAID_NAMES,
    "rpm": GoogleName("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", _FREE_REQUESTS),
    "tpm": GoogleName(
        "GenerateContentInputTokensPerModelPerMinute-FreeTier",
        f"{_METRIC}generate_content_free_tier_input_token_count",
    ),
    "rpd": GoogleName("GenerateRequestsPerDayPerProjectPerModel-FreeTier", _FREE_REQUESTS),
}
