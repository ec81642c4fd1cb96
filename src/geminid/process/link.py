"""The server's end of the link to one child process: start it, talk to it, see it end.

It knows frames and a process, not what they mean. Invariant: ``closed`` is set exactly once, when
the process is gone, and after that nothing more is received. The child is not trusted: what it sends and
writes is bounded.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil

from geminid.process.frames import FRAME_BYTES_MAX, HEADER_BYTES, frame

LAST_WORDS_LINES = 12
LINE_CHARACTERS_MAX = 2_000

log = logging.getLogger("geminid.process")


class Link:
    """One running child process. ``name`` is what its lines are logged under."""

    def __init__(self, process: asyncio.subprocess.Process, writer: asyncio.StreamWriter, name: str) -> None:
        self._process = process
        self._writer = writer
        self._name = name
        self._last_words: collections.deque[str] = collections.deque(maxlen=LAST_WORDS_LINES)
        self.closed = asyncio.Event()
        self.frames = 0
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls,
        receive: Callable[[Any], None],
        command: Sequence[str],
        decode: Callable[[bytes], Any],
        *,
        name: str = "engine",
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Link:
        """Start a process, whose command gets the number of its socket added.

        Each frame that it sends is decoded and given to ``receive`` on the event loop. environ, folder: its
        environment and working directory, this process's own when not given. Raises ``OSError`` when the
        machine cannot start one.
        """
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as undo:
            undo.enter_context(ours)
            process = await asyncio.create_subprocess_exec(
                *command,
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env=environ,
                cwd=folder,
            )
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            undo.pop_all()
        link = cls(process, writer, name)
        link._tasks = [
            asyncio.create_task(link._listen(reader, receive, decode)),
            asyncio.create_task(link._log()),
            asyncio.create_task(link._wait()),
        ]
        return link

    @property
    def pid(self) -> int:
        """The process id, valid while not ``closed``."""
        return self._process.pid

    def send(self, value: msgspec.Struct) -> None:
        """Queue one frame. A process that is gone takes it without complaint: ``closed`` tells."""
        if not self._writer.is_closing():
            self._writer.write(frame(value))

    def cpu_seconds(self) -> float:
        """Processor time that the process has used: it grows as long as it computes."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    def last_words(self) -> str:
        """The last lines that the process wrote to its standard error."""
        return "\n".join(self._last_words)

    @property
    def killed_by(self) -> int | None:
        """The number of the signal that ended the process; None when it lives, or ended by itself."""
        code = self._process.returncode
        return -code if code is not None and code < 0 else None

    def death(self) -> str:
        """Say in words how the process ended."""
        if self._process.returncode is None:
            return "running"
        if self.killed_by is not None:
            return f"killed by {signal.Signals(self.killed_by).name}"
        return f"exited with status {self._process.returncode}"

    def kill(self) -> None:
        """End the process at once, and whatever it has started."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # it leads a session of its own

    async def close(self, grace_s: float = 2.0) -> None:
        """Hang up, and kill the process if it does not leave by itself."""
        self._writer.close()
        try:
            await asyncio.wait_for(self.closed.wait(), grace_s)
        except TimeoutError:
            self.kill()
            await self.closed.wait()

    async def _listen(
        self, reader: asyncio.StreamReader, receive: Callable[[Any], None], decode: Callable[[bytes], Any]
    ) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(HEADER_BYTES), "big")
                if size > FRAME_BYTES_MAX:
                    raise ValueError(f"frame of {size} bytes")
                body = await reader.readexactly(size)
                self.frames += 1
                receive(decode(body))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except Exception:
            log.exception("the %s process sent something unreadable", self._name)
            self.kill()

    async def _log(self) -> None:
        assert self._process.stderr is not None
        while line := await _line(self._process.stderr):
            text = _printable(line.decode("utf-8", "replace").rstrip())
            self._last_words.append(text)
            log.info("%s %d: %s", self._name, self.pid, text)

    async def _wait(self) -> None:
        await self._process.wait()
        listener, logger, _ = self._tasks
        await asyncio.wait([listener, logger], timeout=1.0)
        listener.cancel()
        logger.cancel()
        self._writer.close()
        self.closed.set()


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Return the next line, empty at the end; of a line longer than the stream holds, what follows."""
    try:
        return await stream.readline()
    except ValueError:  # reading must go on, or the child would wait for ever
        return b"(a line too long to be told)\n"


def _printable(line: str) -> str:
    """What a child says may come from a file that it reads: no terminal is to obey it."""
    shown = line.expandtabs()[:LINE_CHARACTERS_MAX]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown)
