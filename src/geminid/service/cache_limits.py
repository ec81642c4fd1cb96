"""Bounds of cached contents, and when some will end: what a caller wishes, within them."""

from __future__ import annotations

import msgspec

from geminid.core.cache import Expiration
from geminid.core.errors import FieldViolation, InvalidArgument

NS = 1_000_000_000


class CacheLimits(msgspec.Struct, frozen=True, kw_only=True):
    """tokens_min: fewer are not worth it. project_max: how many a project may have at once."""

    tokens_min: int = 1024
    ttl_s: int = 3600
    ttl_s_min: int = 60
    ttl_s_max: int = 30 * 86_400
    project_max: int = 1_000


def end_of(expiration: Expiration, limits: CacheLimits, now_ns: int) -> int:
    """Return when something that begins now will end; raises InvalidArgument beyond the limits."""
    if expiration.ttl_ns is not None:
        _check(expiration.ttl_ns, expiration.field, limits)
        return now_ns + expiration.ttl_ns
    if expiration.time_ns is not None:
        _check(expiration.time_ns - now_ns, expiration.field, limits)
        return expiration.time_ns
    return now_ns + limits.ttl_s * NS


def _check(ttl_ns: int, field: str, limits: CacheLimits) -> None:
    if limits.ttl_s_min * NS <= ttl_ns <= limits.ttl_s_max * NS:
        return
    ttl = f"{ttl_ns // NS}s" if ttl_ns > 0 else "no time at all"
    words = f"it must leave between {limits.ttl_s_min}s and {limits.ttl_s_max}s to live, and leaves {ttl}."
    raise InvalidArgument(f"* {field}: {words}", violations=(FieldViolation(words, field),))


def refuse_too_small(tokens: int, limits: CacheLimits) -> None:
    """Raise InvalidArgument where there is too little to be cached."""
    if tokens < limits.tokens_min:
        raise InvalidArgument(
            f"Cached content is too small. total_token_count={tokens}, "
            f"min_total_token_count={limits.tokens_min}"
        )
