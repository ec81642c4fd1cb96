"""The place where one request's answer waits for its reader.

The engine puts, the reader takes. If the reader lags, text is merged, so that memory is bounded by
the answer and not by the number of steps. Invariant: a slot ends in exactly one outcome: every
candidate finished, or one problem.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from geminid.core.errors import Problem
from geminid.core.events import Event, Finished, FinishReason, Started, TextDelta, TokenLogprob
from geminid.core.request import GenerateRequest


class _Pending:
    """What one candidate has produced since its reader last looked."""

    __slots__ = ("logprobs", "reason", "text", "tokens")

    def __init__(self) -> None:
        self.text = ""
        self.tokens = 0
        self.logprobs: tuple[TokenLogprob, ...] = ()
        self.reason: FinishReason | None = None


class Slot:
    """One request on its way through an engine. Used on one event loop only."""

    def __init__(self, request: GenerateRequest) -> None:
        self.request = request
        self.accepted: asyncio.Future[Started] = asyncio.get_running_loop().create_future()
        self.produced = False
        self.deaths = 0  # engine processes that died while they had this request
        self._pending: dict[int, _Pending] = {}
        self._open = set(range(request.candidates))
        self._problem: Problem | None = None
        self._news = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether the outcome is known; what was produced may still wait to be read."""
        return self._problem is not None or not self._open

    @property
    def complete(self) -> bool:
        """Whether every candidate finished, so that the engine holds nothing of the request."""
        return not self._open

    def accept(self, started: Started) -> None:
        """Note that the engine took the request. A second time (after a retry) changes nothing."""
        if not self.accepted.done():
            self.accepted.set_result(started)

    def put(
        self,
        text: str,
        tokens: int,
        candidate: int = 0,
        *,
        logprobs: tuple[TokenLogprob, ...] = (),
        reason: FinishReason | None = None,
    ) -> None:
        """Add what a step produced for one candidate, and its end if ``reason`` is given."""
        if self.ended:
            return
        self.produced = True
        pending = self._pending.setdefault(candidate, _Pending())
        pending.text += text
        pending.tokens += tokens
        pending.logprobs += logprobs
        if reason is not None:
            pending.reason = reason
            self._open.discard(candidate)
        self._news.set()

    def fail(self, problem: Problem) -> None:
        """End the request with a problem, unless it has ended already."""
        if self.ended:
            return
        self._problem = problem
        if not self.accepted.done():
            self.accepted.set_exception(problem)
            self.accepted.exception()  # a reader that left must not cause a warning
        self._news.set()

    async def events(self) -> AsyncIterator[Event]:
        """Yield what was accepted and produced, in order, until the outcome; raises the problem."""
        yield await asyncio.shield(self.accepted)
        while True:
            for candidate in list(self._pending):
                pending = self._pending.pop(candidate)
                if pending.tokens or pending.text:
                    yield TextDelta(pending.text, pending.tokens, candidate, pending.logprobs)
                if pending.reason is not None:
                    yield Finished(pending.reason, candidate)
            if not self._pending:
                if self._problem is not None:
                    raise self._problem
                if not self._open:
                    return
                self._news.clear()
                await self._news.wait()
