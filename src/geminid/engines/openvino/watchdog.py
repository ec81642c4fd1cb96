"""When does a silent engine process count as hung? A pure rule, fed with observations.

A big prefill on a slow machine is silent for long but uses the processor; a stopped or deadlocked
process does not. So silence alone is waited for much longer than silence without computing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a silent process is waited for.

    stalled_ms: silent with work to do, and using no processor. silent_ms: silent, though computing.
    load_ms: not ready after its start.
    """

    stalled_ms: int = 10_000
    silent_ms: int = 300_000
    load_ms: int = 600_000


class Watchdog:
    """Observes one process. Times are seconds of one monotonic clock."""

    def __init__(self, patience: Patience, now_s: float) -> None:
        self._patience = patience
        self._loading_since_s = now_s
        self._frames_seen = -1
        self._cpu_s = -1.0
        self._heard_at_s = now_s
        self._moved_at_s = now_s

    def look(self, now_s: float, *, ready: bool, idle: bool, frames: int, cpu_s: float) -> str:
        """Say why the process counts as hung, or nothing.

        frames: how many frames it has sent. cpu_s: processor seconds that it has used.
        """
        if idle or frames != self._frames_seen:
            self._frames_seen, self._heard_at_s = frames, now_s
        if idle or self._heard_at_s == now_s or cpu_s > self._cpu_s:
            self._cpu_s, self._moved_at_s = cpu_s, now_s
        if not ready:
            return self._late("not loaded", now_s - self._loading_since_s, self._patience.load_ms)
        return self._late(
            "no sign of life", now_s - self._moved_at_s, self._patience.stalled_ms
        ) or self._late("silent", now_s - self._heard_at_s, self._patience.silent_ms)

    @staticmethod
    def _late(what: str, waited_s: float, allowed_ms: int) -> str:
        waited_ms = round(waited_s * 1000)
        return f"{what} for {waited_ms} ms" if waited_ms > allowed_ms else ""
