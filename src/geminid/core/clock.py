"""Time as a parameter: rooms take a clock instead of asking the system."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds that never go back; only differences have a meaning."""

monotonic: Clock = time.monotonic
