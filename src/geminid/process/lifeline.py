"""What every child process does first: tie its life to the server's. It knows no engine."""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with_parent(oom_score: int) -> None:
    """Ask Linux to end this process with the server, even in the middle of a native step.

    oom_score: how much sooner than others it is killed when memory runs out, 0 to 1000.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text(str(oom_score))
