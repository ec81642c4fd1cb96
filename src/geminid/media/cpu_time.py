"""A bound on the processor time of a piece of reading, for what takes seconds unless it is made to take more.

It counts all threads, so that a busy machine does not make a harmless file look like a hostile one; how long
a file may take by the clock is the pool's to say. Invariant: no parser can keep the process from ending.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def within(cpu_ms: int) -> Iterator[None]:
    """End this process by SIGPROF if what is done within takes longer; 0 is no bound. Not to be nested."""
    signal.setitimer(signal.ITIMER_PROF, cpu_ms / 1000)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
