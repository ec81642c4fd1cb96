"""Which texts are computed together: those of about one length, the oldest and most urgent first.

It knows lengths, not texts. Invariants: every text that was put in comes out once, unless its request was
dropped; a call never holds more than its bound of tokens, padding counted, but for one text that is longer.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

LENGTH_STEP = 16
"""Texts are padded to multiples of it: the native code prepares itself for each new shape."""
PADDING_SHARE = 0.25
"""Shorter texts ride along while they waste less than this part of a call's room."""


class Item(msgspec.Struct, Generic[T], frozen=True):
    """One text of ``length`` tokens that waits. number: its place in the order of arrival."""

    number: int
    request: int
    length: int
    content: T


Lane = dict[int, deque[Item[T]]]
"""The texts of one urgency by their padded length, the oldest of each length first."""


class TextQueue(Generic[T]):
    """The texts that wait for their call. Not safe for several threads without a lock."""

    def __init__(self, call_tokens_max: int) -> None:
        self._tokens_max = call_tokens_max
        self._lanes: dict[int, Lane[T]] = defaultdict(dict)
        self._numbers = itertools.count()
        self._dropped: set[int] = set()
        self._waiting: dict[int, int] = {}

    def __bool__(self) -> bool:
        """Whether any text waits."""
        return len(self._waiting) > len(self._dropped)

    def put(self, request: int, texts: Iterable[tuple[int, T]], urgency: int) -> None:
        """Add the texts of a request, each as its length and its content."""
        lane = self._lanes[urgency]
        for length, content in texts:
            waiting = lane.setdefault(padded(length), deque())
            waiting.append(Item(next(self._numbers), request, length, content))
            self._waiting[request] = self._waiting.get(request, 0) + 1

    def drop(self, request: int) -> None:
        """Forget the texts of a request that still wait."""
        if request in self._waiting:
            self._dropped.add(request)

    def take(self) -> list[Item[T]]:
        """Return the texts of the next call, empty when none waits."""
        for urgency in sorted(self._lanes):
            lane = self._lanes[urgency]
            if taken := self._call(lane):
                return taken
        return []

    def _call(self, lane: Lane[T]) -> list[Item[T]]:
        for length in list(lane):
            self._clear(lane, length)
        if not lane:
            return []
        longest = min(lane, key=lambda length: lane[length][0].number)
        room = max(1, self._tokens_max // longest)
        taken = list(itertools.islice(self._items(lane, longest), room))
        spare = int(PADDING_SHARE * room * longest)
        for shorter in sorted((length for length in lane if length < longest), reverse=True):
            fits = min(room - len(taken), spare // (longest - shorter))
            more = list(itertools.islice(self._items(lane, shorter), fits))
            taken += more
            spare -= len(more) * (longest - shorter)
        return taken

    def _items(self, lane: Lane[T], length: int) -> Iterator[Item[T]]:
        """Take out the texts of one length that somebody still waits for, one after the other."""
        while length in lane:
            yield self._next(lane, length)
            self._clear(lane, length)

    def _next(self, lane: Lane[T], length: int) -> Item[T]:
        item = lane[length].popleft()
        left = self._waiting.pop(item.request) - 1
        if left:
            self._waiting[item.request] = left
        else:
            self._dropped.discard(item.request)
        return item

    def _clear(self, lane: Lane[T], length: int) -> None:
        """Remove from the front of a length what nobody waits for any more, and an empty length itself."""
        while lane[length] and lane[length][0].request in self._dropped:
            self._next(lane, length)
        if not lane[length]:
            del lane[length]


def padded(length: int) -> int:
    """Return the length to which a text of so many tokens is padded."""
    return -(-length // LENGTH_STEP) * LENGTH_STEP
