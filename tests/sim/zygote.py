"""Starts processes in no time: everything is imported once, and each life is a fork of it.

``python -m sim.zygote``: a line of JSON begins a life and is answered with ``["began", pid]``; when one is
over, ``["over", pid, status]`` says so. When its input ends, so do all that it began.
"""

import os
import select
import signal
import sys
import traceback
from contextlib import suppress

import msgspec

from geminid.billing.periods import day_at
from geminid.core.errors import Unavailable
from geminid.store.database import connect
from sim import worker

UNAVAILABLE = 3
"""The status of a process that could not do without its database."""


def main() -> None:
    """Serve until standard input ends."""
    for url in ("sqlite://", "postgresql://"):
        connect(url).dispose()  # imports the driver
    day_at(0)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    living: set[int] = set()
    rest = b""
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            _bury(living)
        if 0 in ready:
            some = os.read(0, 1 << 20)
            if not some:
                break
            *lines, rest = (rest + some).split(b"\n")
            for line in lines:
                pid = _begin(line, (wake, woken))
                living.add(pid)
                _say("began", pid)
    for pid in living:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _begin(line: bytes, mine: tuple[int, int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in (0, *mine):
            os.close(each)
        worker.run(line)
        status = 0
    except Unavailable:  # its connection was cut while it started or stopped: a server would end as well
        status = UNAVAILABLE
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
    finally:
        os._exit(status)


def _bury(living: set[int]) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            living.discard(pid)
            _say("over", pid, os.waitstatus_to_exitcode(status))


def _say(*words: object) -> None:
    os.write(1, msgspec.json.encode(words) + b"\n")


if __name__ == "__main__":
    main()
