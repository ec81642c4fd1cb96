"""How much of the next step the lines of batches may take: what nobody else wants, and a share.

A pure rule, fed with observations of the engine's loop. It knows classes and times, no requests. Three
cases:

- Others are here: nothing, except a share of the time so that a batch ends one day.
- Others were here a moment ago, and will be again: steps so short, and with such pauses, that whoever comes
  next hardly waits. That is measured: in proportion to what a first token takes once it is begun.
- Nobody was here for a while: everything.

Times are seconds of one monotonic clock.
"""

from __future__ import annotations

import collections

POLITE_S = 30.0
"""For how long after the last request of another class steps stay short."""
WAIT_SHARE = 0.25
"""How long whoever comes may wait for a step in the mean, over the time of a first token."""
PAUSE_MAX = 4.0
"""A pause over the step before it."""
BATCH_SHARE = 0.05
"""Share of the time that batches have beside others who never pause."""
SLICE_S = 0.25
"""This share is taken in slices of so long: setting answers aside and going on with them costs steps, too."""
FIRST_TOKENS = 8
"""So many first tokens are remembered. A quick one of them counts: quick ones are what waiting spoils."""
PIECE_TOKENS = 32
"""The least that a step may take: a block of KV cells."""
CHANGE_MAX = 1.5
"""The allowance grows or shrinks by no more than this in one step."""


class Idle:
    """Watches the loop. tokens_max: what one step can compute."""

    def __init__(self, tokens_max: int) -> None:
        self._tokens_max = tokens_max
        self._polite = float(min(PIECE_TOKENS, tokens_max))
        self._others_at_s: float | None = None
        self._first_tokens_s: collections.deque[float] = collections.deque(maxlen=FIRST_TOKENS)
        self._owed_s = 0.0
        self._slice = self._short = False
        self._next_s = 0.0

    def allowance(self, now_s: float, others: bool) -> int:
        """Return how many tokens of batches the next step may compute. others: whether anybody else has work
        here."""
        if others:
            self._others_at_s = now_s
        self._short = self._others_at_s is not None and now_s - self._others_at_s <= POLITE_S
        if others and not self._slice:
            return 0
        return round(self._polite) if self._short else self._tokens_max

    def pause_s(self, now_s: float) -> float:
        """Return how long to wait for others before the next step of lines alone."""
        return max(0.0, self._next_s - now_s) if self._short else 0.0

    def first_token(self, took_s: float) -> None:
        """Learn what somebody's first token took from the moment in which it was begun."""
        self._first_tokens_s.append(took_s)

    def stepped(self, now_s: float, took_s: float, *, others: bool, waits: bool, tokens: int) -> None:
        """Learn from a step that has just ended. waits: whether batches had work. tokens: how many of theirs
        it computed."""
        if others:
            self._owe(took_s, waits, ran=tokens > 0)
        elif tokens:
            self._slice, self._owed_s = False, 0.0
            if self._short and self._first_tokens_s:
                self._fit(now_s, took_s, tokens)

    def _owe(self, took_s: float, waits: bool, ran: bool) -> None:
        """Count the share: it grows while others are served, and a slice goes on until it is used up."""
        self._owed_s += took_s * (BATCH_SHARE if waits else 0.0) - (took_s if ran else 0.0)
        if self._owed_s >= SLICE_S:
            self._slice = True
        elif self._owed_s <= 0:
            self._slice, self._owed_s = False, 0.0

    def _fit(self, now_s: float, took_s: float, tokens: int) -> None:
        """Move the short step towards a length that needs no pause, and pause for what is missing.

        Who comes at any time, where steps of ``took`` seconds begin every ``period`` seconds, waits for
        took²/2·period in the mean. A step that computed little cannot say that more would fit.
        """
        mean_s = WAIT_SHARE * sorted(self._first_tokens_s)[len(self._first_tokens_s) // 4]
        period_s = took_s * took_s / (2 * mean_s) if mean_s > 0 else took_s
        self._next_s = now_s + min(max(0.0, period_s - took_s), PAUSE_MAX * took_s)
        change = 2 * mean_s / max(took_s, 1e-6)
        if change > 1 and 2 * tokens < self._polite:
            return
        allowed = self._polite * min(CHANGE_MAX, max(1 / CHANGE_MAX, change))
        self._polite = min(max(allowed, PIECE_TOKENS), self._tokens_max)
