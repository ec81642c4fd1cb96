"""The part of the composition root that says which process this is, and whether another one lives.

Only the composition root imports it.
"""

from __future__ import annotations

import os
import socket

import psutil

from geminid.core import ids
from geminid.store.owners import Owner

BORN_MS_APART = 2_000
"""Two looks at when a process was started differ by less than this."""


def this_process() -> Owner:
    """Return this process, under a name that no other has or had."""
    pid = os.getpid()
    return Owner(
        id=ids.scratch_name(), host=socket.gethostname(), pid=pid, born_ms=_born_ms(pid), heartbeat_ms=0
    )


def lives(pid: int, born_ms: int) -> bool:
    """Return whether a process of this machine that was started then is still there."""
    try:
        ended = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # nobody has asked for its status yet
        return not ended and abs(_born_ms(pid) - born_ms) < BORN_MS_APART
    except psutil.NoSuchProcess:
        return False


def _born_ms(pid: int) -> int:
    return round(psutil.Process(pid).create_time() * 1000)
