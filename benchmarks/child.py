"""Helper processes of a benchmark: asked on a line of JSON, they answer on a line of JSON.

Their real standard output is kept for answers: what native libraries print goes to standard error.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import psutil

from benchmarks.machine import ROOT

T = TypeVar("T")


class Child:
    """A running ``python -m MODULE ARGUMENTS``; a context manager that ends it."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        environ: dict[str, str] | None = None,
        python: str = sys.executable,
    ) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **(environ or {})},
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        stop(self.process)

    def ask(self, question: Any, answer: type[T]) -> T:
        """Send one question and wait for its answer; raises ``EOFError`` when the child has died."""
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(question) + b"\n")
        self.process.stdin.flush()
        return self.read(answer)

    def read(self, answer: type[T]) -> T:
        """Wait for one line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self._log.seek(0)
            words = self._log.read()[-2000:].decode("utf-8", "replace")
            raise EOFError(f"{self.process.args} ended with status {self.process.wait(5)}:\n{words}")
        return msgspec.json.decode(line, type=answer)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, gently first."""
    if process.stdin:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def serve_lines(question: type[T], answer: Callable[[T], Any], hello: Any = None) -> None:
    """Be a child: say ``hello`` if there is one, then answer questions until the parent hangs up."""
    with os.fdopen(os.dup(1), "wb", buffering=0) as out:
        os.dup2(2, 1)
        if hello is not None:
            out.write(msgspec.json.encode(hello) + b"\n")
        for line in sys.stdin.buffer:
            out.write(msgspec.json.encode(answer(msgspec.json.decode(line, type=question))) + b"\n")


class Usage(msgspec.Struct, frozen=True):
    """What a process and its children have used: processor seconds, resident bytes now and at most.

    ``rss_peak_bytes`` adds up the peak of each process; shared pages are counted in each.
    """

    cpu_s: float
    rss_bytes: int
    rss_peak_bytes: int


def usage(pid: int) -> Usage:
    """Read the usage of a process tree; 0 for what has ended."""
    cpu_s, rss, peak = 0.0, 0, 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
            cpu_s += times.user + times.system
            rss += process.memory_info().rss
            peak += _peak(process.pid)
        except psutil.Error:
            continue
    return Usage(cpu_s, rss, peak)


def _peak(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


def wait_until(what: Callable[[], bool], seconds: float, name: str) -> None:
    """Poll until ``what`` holds; raises ``TimeoutError`` with ``name``."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(name)
        time.sleep(0.1)
