"""A sliding minute, counted in buckets of half a second.

A request belongs to the bucket of its time, and a bucket counts as long as any part of it lies within
the last 60 seconds. So what counts is never less than what happened in the last 60 seconds, whatever 60
seconds are looked at, and at most half a second more: 60 of 60.5 seconds, over 99 %, can be used.
It knows no limits. Invariant: buckets ascend, and the three tuples are of one length.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import msgspec

BUCKET_MS = 500
BUCKETS = 120
"""Whole buckets in a window; the one that is partly in it comes on top."""


class Window(msgspec.Struct, frozen=True, array_like=True):
    """Requests and tokens by bucket, oldest first; a bucket's number is its time over :data:`BUCKET_MS`.

    Buckets in which nothing happened are not there, so it holds 121 at most.
    """

    buckets: tuple[int, ...] = ()
    requests: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()


def pruned(window: Window, now_ms: int) -> Window:
    """Return what still counts at that time."""
    first = now_ms // BUCKET_MS - BUCKETS
    if not window.buckets or window.buckets[0] >= first:
        return window
    place = bisect_left(window.buckets, first)
    return Window(window.buckets[place:], window.requests[place:], window.tokens[place:])


def counted(window: Window, now_ms: int, tokens: int) -> tuple[Window, int]:
    """Return the window with one more request, and the number of the bucket that it went into.

    Where the newest bucket is later than ``now_ms``, it goes there: later means counted for longer.
    """
    bucket = now_ms // BUCKET_MS
    if window.buckets and window.buckets[-1] >= bucket:
        requests = (*window.requests[:-1], window.requests[-1] + 1)
        return (
            Window(window.buckets, requests, (*window.tokens[:-1], window.tokens[-1] + tokens)),
            window.buckets[-1],
        )
    return (
        Window((*window.buckets, bucket), (*window.requests, 1), (*window.tokens, tokens)),
        bucket,
    )


def corrected(window: Window, bucket: int, difference: int) -> Window:
    """Return the window with more (or fewer) tokens in a bucket; one that no longer counts stays away."""
    place = bisect_left(window.buckets, bucket)
    if not difference or place == len(window.buckets) or window.buckets[place] != bucket:
        return window
    tokens = max(window.tokens[place] + difference, 0)
    return Window(
        window.buckets, window.requests, (*window.tokens[:place], tokens, *window.tokens[place + 1 :])
    )


def shifted(window: Window, back_ms: int) -> Window:
    """Return the window as if everything had happened so much earlier, rounded so that nothing ages by it."""
    return Window(
        tuple(bucket - back_ms // BUCKET_MS for bucket in window.buckets), window.requests, window.tokens
    )


def clears_at_ms(buckets: Sequence[int], counts: Sequence[int], excess: int) -> int:
    """Return when ``excess`` of ``counts``, which is at least that much, will have left the window."""
    for bucket, count in zip(buckets, counts, strict=True):
        excess -= count
        if excess <= 0:
            return (bucket + BUCKETS + 1) * BUCKET_MS
    raise ValueError("more is to leave the window than is in it")
