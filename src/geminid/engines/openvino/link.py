"""The server's end of the link to one engine process: start it, talk to it, see it end.

It knows frames and a process, not what they mean. Invariant: ``closed`` is set exactly once, when
the process is gone, and after that nothing more is received.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import psutil

from geminid.engines.openvino.messages import decode_from_worker, frame

WORKER = (sys.executable, "-m", "geminid.engines.openvino.worker")
"""The command of an engine process; the number of its socket is added."""
LAST_WORDS_LINES = 12
SEND_BUFFER_BYTES_MAX = 64 * 1024 * 1024

log = logging.getLogger("geminid.engine")


class Link:
    """One running engine process."""

    def __init__(self, process: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._writer = writer
        self._last_words: collections.deque[str] = collections.deque(maxlen=LAST_WORDS_LINES)
        self.closed = asyncio.Event()
        self.frames = 0
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls,
        receive: Callable[[Any], None],
        command: Sequence[str] = WORKER,
        decode: Callable[[bytes], Any] = decode_from_worker,
    ) -> Link:
        """Start a process; each frame it sends is decoded and given to ``receive`` on the event loop.

        Raises ``OSError`` when the machine cannot start one.
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
            )
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            undo.pop_all()
        link = cls(process, writer)
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

    def death(self) -> str:
        """Say in words how the process ended."""
        code = self._process.returncode
        if code is None:
            return "running"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exited with status {code}"

    def kill(self) -> None:
        """End the process at once."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

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
                size = int.from_bytes(await reader.readexactly(4), "big")
                body = await reader.readexactly(size)
                self.frames += 1
                receive(decode(body))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except Exception:
            log.exception("the engine process sent something unreadable")
            self.kill()

    async def _log(self) -> None:
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()
            self._last_words.append(text)
            log.info("engine %d: %s", self.pid, text)

    async def _wait(self) -> None:
        await self._process.wait()
        listener, logger, _ = self._tasks
        await asyncio.wait([listener, logger], timeout=1.0)
        listener.cancel()
        logger.cancel()
        self._writer.close()
        self.closed.set()
