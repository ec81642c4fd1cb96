"""Whether a grammar may reach the engine: asked once for each, remembered ever after.

A grammar that the library cannot compile destroys the pipeline it is in, with everybody's answers; one
that compiles slowly stalls them. So each is tried in a process of its own first (``compiler.py``). It
knows verdicts, no OpenVINO. Invariant: ``check`` returns only for grammars that were compiled and not
condemned since.
"""

from __future__ import annotations

import asyncio
import collections
import hashlib
import importlib.metadata
import logging
from collections.abc import Sequence
from pathlib import Path

from geminid.core.errors import InvalidArgument, Problem, Unavailable
from geminid.engines.openvino.compiler import CHECKER, Compiler, Limits, Verdict
from geminid.engines.openvino.poison import Poison

PROVEN_MAX = 4096
SUSPECTED_MAX = 1024
RETRY_AFTER_MS = 2_000

log = logging.getLogger("geminid.engine")


class GrammarChecker:
    """The verdicts on grammars for one model. Used on one event loop only.

    weights: the model's folder. memory: a folder for the file of refused grammars. queue_max: how many
    grammars may wait for their check.
    """

    def __init__(
        self,
        weights: Path,
        memory: Path,
        *,
        limits: Limits | None = None,
        queue_max: int = 64,
        command: Sequence[str] = CHECKER,
    ) -> None:
        self._compiler = Compiler(weights, limits or Limits(), command)
        self._seed = f"{importlib.metadata.version('openvino-genai')}\0{weights}\0".encode()
        self._poison = Poison(memory / f"refused-grammars-{_digest(str(weights).encode())[:16]}.json")
        self._proven: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._suspected: collections.OrderedDict[str, str] = collections.OrderedDict()
        self._checks: dict[str, asyncio.Task[Problem | None]] = {}
        self._queue_max = queue_max
        self._turn = asyncio.Lock()
        self._closed = False

    @property
    def pid(self) -> int:
        """The process id of the running checker process, 0 while there is none."""
        return self._compiler.pid

    async def check(self, grammar: str) -> None:
        """Return when the grammar is proven to compile, quickly, in bounded memory.

        Raises ``InvalidArgument`` when it does not, now or on an earlier try, and ``Unavailable`` when
        that cannot be found out now.
        """
        key = self._key(grammar)
        if reason := self._reason(key):
            raise _refusal(reason)
        if key in self._proven:
            self._proven.move_to_end(key)
            return
        # Shielded: whoever leaves does not take the answer from the others who wait for it.
        if problem := await asyncio.shield(self._checks.get(key) or self._begin(key, grammar)):
            raise problem

    def condemn(self, grammar: str, why: str) -> None:
        """Refuse a grammar until the next start: engines died while they had it."""
        self._condemn(self._key(grammar), Verdict(why))

    async def close(self) -> None:
        """Stop the process; checks that still wait end in ``Unavailable``."""
        self._closed = True
        await asyncio.sleep(0)  # a task that has never run could not catch its cancellation
        for task in self._checks.values():
            task.cancel()
        await asyncio.gather(*self._checks.values(), return_exceptions=True)
        await self._compiler.close()

    def _begin(self, key: str, grammar: str) -> asyncio.Task[Problem | None]:
        if self._closed:
            raise _shutting_down()
        if (waiting := len(self._checks)) >= self._queue_max:
            raise Unavailable(f"{waiting} schemas wait to be checked already.", retry_after_ms=RETRY_AFTER_MS)
        task = self._checks[key] = asyncio.create_task(self._prove(key, grammar))
        task.add_done_callback(lambda _: self._checks.pop(key))
        return task

    async def _prove(self, key: str, grammar: str) -> Problem | None:
        """Return what stands against the grammar; everybody who waits for it is told the same."""
        try:
            async with self._turn:
                verdict = await self._compiler.compile(grammar)
        except Problem as problem:
            return problem
        except asyncio.CancelledError:  # only ``close`` does that
            return _shutting_down()
        if verdict.reason:
            self._condemn(key, verdict)
        if reason := self._reason(key):  # it may also have been condemned meanwhile
            return _refusal(reason)
        self._proven[key] = None
        if len(self._proven) > PROVEN_MAX:
            self._proven.popitem(last=False)
        return None

    def _reason(self, key: str) -> str:
        return self._suspected.get(key) or self._poison.reason(key)

    def _condemn(self, key: str, verdict: Verdict) -> None:
        """Remember a refusal: for ever if it is the library's own doing, else until the next start."""
        log.warning("grammar %s is refused: %s", key, verdict.reason)
        self._proven.pop(key, None)
        if verdict.certain:
            self._poison.add(key, verdict.reason)
            return
        self._suspected[key] = verdict.reason
        if len(self._suspected) > SUSPECTED_MAX:
            self._suspected.popitem(last=False)

    def _key(self, grammar: str) -> str:
        """A new library or another model is another question."""
        return _digest(self._seed + grammar.encode("utf-8", "surrogatepass"))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=20).hexdigest()


def _refusal(reason: str) -> InvalidArgument:
    return InvalidArgument(f"The schema cannot be enforced by this model: {reason}")


def _shutting_down() -> Unavailable:
    return Unavailable("The server is shutting down.")
