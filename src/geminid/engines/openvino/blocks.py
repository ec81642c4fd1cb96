"""How much of a prompt the library's prefix cache must still hold: a lower bound of what it will find.

The library does not tell what it found. It keeps KV cells in blocks of 32 tokens, each known by its tokens
and all before them. Blocks that no answer uses any more are found again until they are overwritten, the
longest unclaimed first (2026.4: a block is claimed when it is overwritten or found; one that is used for the
first time counts as older than all others). So a block is there as long as fewer different ones than there
are have been in use since it was claimed; these are counted here. Of a block that two answers computed at
once there were two, and the library may forget the one and keep the other: such a block is believed in while
nobody uses it. Invariant: no block is believed to be there that may be gone; half-filled ones are never
believed.

It knows tokens and no library. Used by one thread.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

KV_BLOCK_TOKENS = 32
"""Tokens of one KV block of the CPU plugin (2026.4)."""
MARGIN = 8
"""One block in so many is not counted upon, for what is freed a step later than it is noted here."""
CROWDED = 0.97
"""Beyond this share of cells in use the library may take some away from answers that are running."""

Key = object
"""A block by its tokens and those before them, hashed; or by itself, when nobody will ever ask for it."""


def keys_of(token_ids: Sequence[int], before: int = 0) -> Iterator[int]:
    """Yield the key of each block that these tokens fill; ``before`` is that of the block before them."""
    spelled = array("q", token_ids).tobytes()
    size = KV_BLOCK_TOKENS * array("q").itemsize
    for start in range(0, len(spelled) - size + 1, size):
        before = hash((before, spelled[start : start + size]))
        yield before


def blocks_for(tokens: int) -> int:
    """Return how many blocks these tokens need."""
    return -(-tokens // KV_BLOCK_TOKENS)


class _Block:
    """claimed: surely not before then; None while nobody has computed it. released: when its last user left.
    twice: whether it was computed while others used it, so that it is only surely found while nobody does."""

    __slots__ = ("claimed", "released", "twice", "users")

    def __init__(self) -> None:
        self.claimed: int | None = None
        self.released = 0
        self.users = 0
        self.twice = False


class Lease:
    """What one answer uses. ``found``: so many tokens of its prompt need not be computed."""

    def __init__(self, blocks: Blocks, prompt: Sequence[int], since: int) -> None:
        self._blocks = blocks
        self._prompt = prompt
        self._written: list[int] = []
        self._over = False
        self.since = since
        self.keys = list(keys_of(prompt))
        self.found = 0
        self.nameless = 0

    @property
    def computed(self) -> bool:
        """Whether all of the prompt is."""
        return bool(self._written)

    def write(self, token_ids: Sequence[int]) -> None:
        """Note what the answer goes on with: its first token tells that the prompt is computed."""
        if self._over or not token_ids:
            return
        if not self.computed:
            self._blocks.compute(self)
        more = blocks_for(self._length + len(token_ids)) - blocks_for(self._length)
        self._written += token_ids
        if more:
            self._blocks.grow(self, more)

    def end(self) -> None:
        """Note that nothing is used any more."""
        if not self._over:
            self._over = True
            self._blocks.end(self)

    def written_keys(self) -> Iterator[int]:
        """Yield the keys of the blocks behind the prompt's that are full: the last token never is in one."""
        tail = self._prompt[len(self.keys) * KV_BLOCK_TOKENS :]
        return keys_of([*tail, *self._written[:-1]], self.keys[-1] if self.keys else 0)

    @property
    def _length(self) -> int:
        return len(self._prompt) + len(self._written)


class Blocks:
    """The blocks of one pipeline, ``total`` of them. Its time is the number of things that happened."""

    def __init__(self, total: int) -> None:
        self.room = total - total // MARGIN
        self.claims = 0
        self._now = 0
        self._gone = -1  # what was claimed until then may be overwritten
        self._used: dict[Key, _Block] = {}
        self._idle: OrderedDict[Key, _Block] = OrderedDict()  # the longest unused first
        self._nameless = 0  # blocks in use that nobody can find, or that another one has the key of
        self._fresh = total  # at the most so many were never used; they are used before any is overwritten
        self._seen: set[Key] = set()
        self._stale = 0  # blocks that were computed twice come back as if never used

    def begin(self, prompt: Sequence[int]) -> Lease:
        """Note that an answer begins, and what it finds."""
        self._now += 1
        lease = Lease(self, prompt, self._now)
        found = self._there(lease.keys)
        lease.found = max(0, min(found * KV_BLOCK_TOKENS, len(prompt) - 1))
        for number, key in enumerate(lease.keys):
            self._use(key, lease, found=number < found)
        self.grow(lease, blocks_for(len(prompt)) - len(lease.keys))
        self.claims += len(lease.keys)
        return lease

    def holds(self, prompt: Sequence[int]) -> int:
        """Return how many tokens of a prompt would be found now."""
        return self._there(keys_of(prompt)) * KV_BLOCK_TOKENS

    def awaited(self, prompt: Sequence[int]) -> bool:
        """Whether more of a prompt would be found once another answer's prompt is computed."""
        for key in keys_of(prompt):
            block = self._used.get(key) or self._idle.get(key)
            if block is None or block.claimed is None:
                return block is not None
        return False

    def used_since(self, prompt: Sequence[int]) -> int:
        """Return how many different blocks were in use since the oldest of a prompt was claimed; all that
        there is room for when some of it may be gone, or counts as never claimed."""
        blocks = [self._used.get(key) or self._idle.get(key) for key in keys_of(prompt)]
        claimed = min((block.claimed or 0 if block else 0 for block in blocks), default=self._now)
        if claimed <= max(self._gone, 0):
            return self.room
        younger = takewhile(lambda block: block.released > claimed, reversed(self._idle.values()))
        return len(self._used) + self._nameless + sum(1 for _ in younger)

    def crowd(self, used: float) -> None:
        """Note the share of cells in use, 0 to 1, after a step."""
        if used > CROWDED:
            self._gone = self._now

    # -- what leases tell ------------------------------------------------------------------------------

    def compute(self, lease: Lease) -> None:
        """All of a prompt is computed."""
        for key in lease.keys:
            self._compute(key, self._used[key], lease.since)

    def grow(self, lease: Lease, blocks: int) -> None:
        """An answer uses so many more blocks."""
        self._now += 1
        self.claims += blocks
        lease.nameless += blocks
        self._nameless += blocks
        self._age()

    def end(self, lease: Lease) -> None:
        """An answer is over."""
        self._now += 1
        self._nameless -= lease.nameless
        for key in lease.keys:
            self._release(key)
        for key in lease.written_keys() if lease.computed else ():
            known = self._used.get(key) or self._idle.get(key)
            if known is not None:
                known.twice = True
                self._stale += 1
            elif lease.nameless:
                lease.nameless -= 1
                self._compute(key, block := _Block(), lease.since)
                self._rest(key, block)
        for _ in range(lease.nameless):
            self._rest(object(), _Block())
        self._age()

    # -- inside ----------------------------------------------------------------------------------------

    def _there(self, keys: Iterable[Key]) -> int:
        """Return how many of these, from the first on, are surely there."""
        found = 0
        for key in keys:
            block = self._used.get(key) or self._idle.get(key)
            if block is None or block.claimed is None or block.claimed <= self._gone:
                break
            if block.twice and block.users:
                break
            found += 1
        return found

    def _use(self, key: Key, lease: Lease, *, found: bool) -> None:
        block = self._used.get(key) or self._idle.pop(key, None) or _Block()
        if found:
            block.claimed = self._now
        elif block.users:  # it is being computed, or not believed in: then there may be two of it
            block.twice = True
            lease.nameless += 1
            self._nameless += 1
            self._stale += 1
        else:
            block.claimed = None
        block.users += 1
        self._used[key] = block

    def _compute(self, key: Key, block: _Block, since: int) -> None:
        if block.claimed is not None:
            return
        block.claimed = 0 if self._fresh or self._stale else since
        self._stale -= self._stale > 0
        if self._fresh and key not in self._seen:
            self._seen.add(key)
            self._fresh -= 1
            if not self._fresh:
                self._seen.clear()

    def _release(self, key: Key) -> None:
        block = self._used[key]
        block.users -= 1
        if not block.users:
            del self._used[key]
            self._rest(key if block.claimed is not None else object(), block)

    def _rest(self, key: Key, block: _Block) -> None:
        block.released = self._now
        self._idle[key] = block

    def _age(self) -> None:
        """Believe only in what was claimed while the last so many blocks were in use."""
        while len(self._used) + self._nameless + len(self._idle) > self.room:
            if not self._idle:
                self._gone = self._now
                return
            _, oldest = self._idle.popitem(last=False)
            self._gone = max(self._gone, oldest.released)
