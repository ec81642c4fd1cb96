"""The server's reader processes: a few, started when needed, one file each at a time.

A process that dies, hangs, says what it was not asked or has had too many files is replaced; the file it
was reading is refused and nobody else notices. It knows no file types. Invariant: a process is either idle,
reading for exactly one caller, or gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from geminid.core import clock
from geminid.core.errors import Unavailable
from geminid.core.queue import BoundedQueue
from geminid.core.speech import Listen, Listening, Segment, SpeechEvent, Understood
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.messages import (
    Done,
    FromReader,
    Hear,
    Open,
    Probe,
    Probed,
    Read,
    Refused,
    decode_from_reader,
)
from geminid.media.reading import Ask, Reading
from geminid.process.link import Link

READER = (sys.executable, "-P", "-m", "geminid.media.process")
"""The command of a reader process; the number of its socket is added."""
RETRY_AFTER_MS = 2_000
TOO_LONG = "Reading the file takes longer than it may."
CRASHED = "Reading the file failed: its parser crashed, or took more memory than it may."
KEPT_ENVIRON = ("LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "TZ")
"""What a reader process is told of the server's environment, in which there may be keys."""
OWN_ENVIRON = {
    "HOME": "/nonexistent",  # libraries would look for their settings there
    "HF_HUB_OFFLINE": "1",
    "MALLOC_ARENA_MAX": "2",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}

Answer = TypeVar("Answer", Done, Probed)

log = logging.getLogger("geminid.media")


class PoolConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How files are read.

    processes: at most so many at once. waiting_max: files that wait for one; more are refused with 503.
    idle_ms: after which a process that has nothing to read is ended, since its models take memory.
    jobs_max: files after which a process is replaced. speech: folder of the speech model, or None; a
    function, because the model may be pulled while the server runs. folders: where all files lie that will
    be read, so that the processes are kept from all others; None when they may be anywhere.
    """

    bounds: Bounds = Bounds()
    processes: int = 2
    threads: int = 2
    waiting_max: int = 256
    idle_ms: int = 300_000
    jobs_max: int = 500
    speech: Callable[[], Path | None] = lambda: None
    folders: tuple[Path, ...] | None = None


class _Reader:
    """One process. ``answer`` is what it says next."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.answers: asyncio.Queue[FromReader] = asyncio.Queue()
        self.jobs = 0
        self.idle_since_s = 0.0

    async def ask(self, job: Read | Probe) -> FromReader:
        """Send a job and return its answer; raises as :meth:`next` does."""
        self.send(job)
        return await self.next()

    def send(self, job: Read | Probe | Hear) -> None:
        """Send a job; raises ``ConnectionError`` when the process has said more than it was asked."""
        assert self.link is not None
        if not self.answers.empty():
            raise ConnectionError("said something that it was not asked")
        self.jobs += 1
        self.link.send(job)

    async def next(self) -> FromReader:
        """Return what the process says next.

        Raises ``TimeoutError`` when the process has ended since its time was over, ``ConnectionError`` when
        it ended otherwise.
        """
        assert self.link is not None
        answer = asyncio.create_task(self.answers.get())
        ended = asyncio.create_task(self.link.closed.wait())
        try:
            await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if self.link.killed_by == signal.SIGPROF:
                raise TimeoutError
            raise ConnectionError(self.link.death())
        finally:
            answer.cancel()
            ended.cancel()


class _Hearing:
    """What one process says of one sound. ``kept``: it has said all, and may be used again."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self.kept = False

    async def events(self) -> AsyncIterator[SpeechEvent]:
        while True:
            answer = await self._reader.next()
            match answer:
                case Listening() | Segment():
                    yield answer
                case Understood():
                    self.kept = True
                    yield answer
                    return
                case Refused():
                    self.kept = not answer.spent
                    raise Unreadable(answer.message)
                case _:
                    raise ConnectionError("answered another question")


@contextmanager
def _told(reader: _Reader) -> Iterator[None]:
    """Tell a caller in words what became of the process that read for him."""
    try:
        yield
    except TimeoutError:
        raise Unreadable(TOO_LONG) from None
    except ConnectionError as failure:
        assert reader.link is not None
        log.warning("a reader process %s: %s", failure, reader.link.last_words())
        raise Unreadable(CRASHED) from failure


class ReaderPool:
    """Entry to the reader processes. Used on one event loop only."""

    def __init__(
        self,
        config: PoolConfig,
        *,
        command: Sequence[str] = READER,
        environ: Mapping[str, str] = os.environ,
        clock: clock.Clock = clock.monotonic,
    ) -> None:
        self._config = config
        self._command = command
        self._environ = OWN_ENVIRON | {name: environ[name] for name in KEPT_ENVIRON if name in environ}
        self._clock = clock
        self._queue = BoundedQueue(config.processes, config.waiting_max, "read", RETRY_AFTER_MS)
        self._idle: list[_Reader] = []
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False

    async def read(self, source: Path, ask: Ask) -> Reading:
        """Return what is in a file.

        Raises ``Unreadable`` with words for the caller, or ``Unavailable`` when too many files wait.
        """
        return (await self._run(Read(str(source), ask), Done)).reading

    async def probe(self, source: Path, mime_type: str) -> Probed:
        """Return what a file is; raises as :meth:`read` does."""
        return await self._run(Probe(str(source), mime_type), Probed)

    @asynccontextmanager
    async def hearing(
        self, source: Path, mime_type: str, listen: Listen
    ) -> AsyncIterator[AsyncIterator[SpeechEvent]]:
        """Have what is said in a file written down; the events come as it is heard.

        Whoever leaves before the last of them ends the process that listened. Raises as :meth:`read` does,
        also while events are read.
        """
        async with self._queue.turn():
            reader = await self._reader()
            heard = _Hearing(reader)
            try:
                with _told(reader):
                    async with asyncio.timeout(self._config.bounds.time_ms_max / 1000):
                        reader.send(Hear(str(source), mime_type, listen))
                        yield heard.events()
            finally:
                await self._put_back(reader, kept=heard.kept)

    async def close(self) -> None:
        """End every process that is idle; those that read end with their callers."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await asyncio.gather(*(self._end(reader) for reader in self._idle))
        self._idle.clear()

    async def _run(self, job: Read | Probe, expected: type[Answer]) -> Answer:
        async with self._queue.turn():
            reader = await self._reader()
            kept = False
            try:
                with _told(reader):
                    async with asyncio.timeout(self._config.bounds.time_ms_max / 1000):
                        answer = await reader.ask(job)
                    if isinstance(answer, expected):
                        kept = True
                        return answer
                    if not isinstance(answer, Refused):
                        raise ConnectionError("answered another question")
                    kept = not answer.spent
                    raise Unreadable(answer.message)
            finally:
                await self._put_back(reader, kept=kept)

    async def _reader(self) -> _Reader:
        """Return an idle process that still lives, or a new one."""
        while self._idle:
            reader = self._idle.pop()
            if reader.link is not None and not reader.link.closed.is_set():
                return reader
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep())
        reader = _Reader()
        try:
            reader.link = await Link.start(
                reader.answers.put_nowait,
                self._command,
                decode_from_reader,
                name="reader",
                environ=self._environ,
                folder=Path("/"),
            )
        except OSError as error:
            raise Unavailable(
                f"No process can be started to read files: {error.strerror}.", retry_after_ms=RETRY_AFTER_MS
            ) from error
        reader.link.send(self._opening())
        return reader

    def _opening(self) -> Open:
        config, speech = self._config, self._config.speech()
        folders = None if config.folders is None else tuple(map(str, config.folders))
        return Open(bounds=config.bounds, threads=config.threads, speech=str(speech or ""), folders=folders)

    async def _put_back(self, reader: _Reader, *, kept: bool) -> None:
        if kept and not self._closed and reader.jobs < self._config.jobs_max:
            reader.idle_since_s = self._clock()
            self._idle.append(reader)
            return
        if reader.link is not None:
            reader.link.kill()
            await asyncio.shield(reader.link.closed.wait())

    async def _sweep(self) -> None:
        """End processes that have been idle for long."""
        while True:
            await asyncio.sleep(self._config.idle_ms / 4000)
            until_s = self._clock() - self._config.idle_ms / 1000
            old = [reader for reader in self._idle if reader.idle_since_s < until_s]
            self._idle = [reader for reader in self._idle if reader not in old]
            for reader in old:
                await self._end(reader)

    async def _end(self, reader: _Reader) -> None:
        if reader.link is not None:
            await reader.link.close()
