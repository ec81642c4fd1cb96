"""The server's hold on one checker process: start it when needed, ask it, replace it.

It knows processes and how long one may take, and remembers no verdict. Invariant: one grammar at a time
is in the process, so that whatever happens to the process is that grammar's doing.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from geminid.core.errors import Unavailable
from geminid.engines.openvino.checker_messages import (
    Check,
    Checked,
    Failed,
    FromChecker,
    Open,
    Opened,
    decode_from_checker,
)
from geminid.process.link import Link

CHECKER = (sys.executable, "-m", "geminid.engines.openvino.checker_process")
"""The command of a checker process; the number of its socket is added."""
PATIENCE = 2
"""A check is killed after this many times what it may cost: its time is measured without the waiting
for a busy machine, the clock of the killer runs on."""
CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")
RETRY_AFTER_MS = 5_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a grammar may cost.

    compile_ms: to compile it and draw a few tokens. step_ms: one step of those. memory_mib: on top of
    the idle process. load_ms: for the process to start. idle_s: after that without a check it is stopped.
    """

    compile_ms: int = 2_000
    step_ms: int = 250
    memory_mib: int = 768
    load_ms: int = 60_000
    idle_s: float = 300.0


class Verdict(NamedTuple):
    """Why a grammar cannot be used, empty when it can; ``certain``: so that it need never be tried again."""

    reason: str = ""
    certain: bool = False


class Compiler:
    """At most one process, and at most one check in it. Used on one event loop, one call at a time."""

    def __init__(self, weights: Path, limits: Limits, command: Sequence[str] = CHECKER) -> None:
        self._weights, self._limits, self._command = weights, limits, command
        self._ids = itertools.count(1)
        self._link: Link | None = None
        self._answer: asyncio.Future[FromChecker] | None = None
        self._idle: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        """The process id, 0 while there is none."""
        return self._link.pid if self._link is not None and not self._link.closed.is_set() else 0

    async def compile(self, grammar: str) -> Verdict:
        """Return whether the grammar can be used.

        Raises ``Unavailable`` when there is no process to ask.
        """
        try:
            grammar.encode()
        except UnicodeEncodeError:
            return Verdict("It contains half a character.", certain=True)
        self._stay()
        try:
            link = await self._running()
            link.send(Check(next(self._ids), grammar))
            answer = await self._wait(link, PATIENCE * self._limits.compile_ms)
        except BaseException:  # also a cancellation: nobody may find a half-used process
            await self.close()
            raise
        return await self._verdict(link, answer)

    async def close(self) -> None:
        """Stop the process, if there is one."""
        self._stay()
        if (link := self._link) is not None:
            self._link = None
            link.kill()
            await link.closed.wait()

    # -- one check -----------------------------------------------------------------------------------

    async def _verdict(self, link: Link, answer: FromChecker | None) -> Verdict:
        match answer:
            case Checked(retiring=False):
                self._leave_later()
                return self._too_slow(answer)
            case Checked():
                await self.close()
                return self._too_slow(answer)
            case Failed():
                await self.close()
                return Verdict(answer.message or "It does not compile.", certain=True)
        died = link.death() if link.closed.is_set() else ""
        await self.close()
        if died:  # a kill may come from anybody, a crash is the library's own
            return Verdict(f"Its check was {died}.", certain=any(name in died for name in CRASHES))
        return Verdict(f"It takes longer than {self._limits.compile_ms} ms.")

    def _too_slow(self, checked: Checked) -> Verdict:
        if (whole := checked.compile_ms + checked.step_ms) > self._limits.compile_ms:
            return Verdict(f"It takes {whole:.0f} ms to compile, {self._limits.compile_ms} are allowed.")
        if checked.step_ms > self._limits.step_ms:
            return Verdict(
                f"It takes {checked.step_ms:.0f} ms for one token, {self._limits.step_ms} are allowed."
            )
        return Verdict()

    async def _wait(self, link: Link, allowed_ms: int) -> FromChecker | None:
        """Return the next answer, None when the process ends or the time is over without one."""
        self._answer = answer = asyncio.get_running_loop().create_future()
        closed = asyncio.ensure_future(link.closed.wait())
        try:
            await asyncio.wait(
                (answer, closed), timeout=allowed_ms / 1000, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            closed.cancel()
        return answer.result() if answer.done() else None

    def _receive(self, message: FromChecker) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

    # -- the process ---------------------------------------------------------------------------------

    async def _running(self) -> Link:
        if self._link is not None and not self._link.closed.is_set():
            return self._link
        try:
            self._link = link = await Link.start(
                self._receive, self._command, decode_from_checker, name="checker"
            )
        except OSError as error:
            raise _unavailable(str(error)) from error
        link.send(Open(str(self._weights), self._limits.memory_mib))
        if not isinstance(await self._wait(link, self._limits.load_ms), Opened):
            raise _unavailable(f"{link.death()}. {link.last_words()}")
        return link

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _leave_later(self) -> None:
        """A process that nobody needs gives its memory back."""
        self._idle = asyncio.get_running_loop().call_later(self._limits.idle_s, self._leave)

    def _leave(self) -> None:
        if (link := self._link) is not None:
            self._link = None  # whoever comes now gets a new one
            link.kill()


def _unavailable(why: str) -> Unavailable:
    return Unavailable(f"Schemas cannot be checked now: {why}", retry_after_ms=RETRY_AFTER_MS)
