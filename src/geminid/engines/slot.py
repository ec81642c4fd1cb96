"""The place where one request's answer waits for its reader.

The engine puts, the reader takes. If the reader lags, text is merged, so that memory is bounded by
the answer and not by the number of steps. Invariant: a slot ends in exactly one outcome: every
candidate finished, or one problem.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from geminid.core.errors import Problem
from geminid.core.events import (
    Event,
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    ThoughtDelta,
    TokenLogprob,
    ToolCallMade,
    usage_of,
)
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage


class _Pending:
    """What one candidate has produced since its reader last looked."""

    __slots__ = ("calls", "detail", "logprobs", "reason", "text", "thought", "thought_tokens", "tokens")

    def __init__(self) -> None:
        self.thought = ""
        self.thought_tokens = 0
        self.text = ""
        self.tokens = 0
        self.logprobs: tuple[TokenLogprob, ...] = ()
        self.calls: list[ToolCallMade] = []
        self.reason: FinishReason | None = None
        self.detail = ""

    def events(self, candidate: int) -> Iterator[Event]:
        """Yield it in the order in which an answer is made."""
        if self.thought_tokens or self.thought:
            yield ThoughtDelta(self.thought, self.thought_tokens, candidate)
        if self.tokens or self.text:
            yield TextDelta(self.text, self.tokens, candidate, self.logprobs)
        yield from self.calls
        if self.reason is not None:
            yield Finished(self.reason, candidate, self.detail)


class Slot:
    """One request on its way through an engine. Used on one event loop only."""

    def __init__(self, request: GenerateRequest) -> None:
        self.request = request
        self.accepted: asyncio.Future[Started] = asyncio.get_running_loop().create_future()
        self.produced = False
        self.deaths = 0  # engine processes that died while they had this request
        self._thoughts = self._candidates = 0  # tokens
        self._found = PrefixFound(0)
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

    @property
    def made(self) -> Usage:
        """Everything that was put here, whether or not it was read."""
        return Usage(candidates=self._candidates, thoughts=self._thoughts) + usage_of(self._found)

    def accept(self, started: Started) -> None:
        """Note that the engine took the request. A second time (after a retry) changes nothing."""
        if not self.accepted.done():
            self.accepted.set_result(started)

    def find(self, found: PrefixFound) -> None:
        """Note what of the prompt was computed before, unless something was produced already."""
        if not self.produced and not self.ended:
            self._found = found

    def put(
        self,
        text: str,
        tokens: int,
        candidate: int = 0,
        *,
        logprobs: tuple[TokenLogprob, ...] = (),
        reason: FinishReason | None = None,
        detail: str = "",
    ) -> None:
        """Add text that a step produced for one candidate, and its end if ``reason`` is given."""
        if (pending := self._fill(candidate)) is None:
            return
        pending.text += text
        pending.tokens += tokens
        self._candidates += tokens
        pending.logprobs += logprobs
        if reason is not None:
            pending.reason, pending.detail = reason, detail
            self._open.discard(candidate)

    def put_thought(self, text: str, tokens: int, candidate: int = 0) -> None:
        """Add what a step let one candidate think."""
        if (pending := self._fill(candidate)) is not None:
            pending.thought += text
            pending.thought_tokens += tokens
            self._thoughts += tokens

    def put_call(self, made: ToolCallMade) -> None:
        """Add one whole call."""
        if (pending := self._fill(made.candidate)) is not None:
            pending.calls.append(made)
            self._candidates += made.tokens

    def _fill(self, candidate: int) -> _Pending | None:
        """Return where the candidate's news go, or None when the request has ended."""
        if self.ended:
            return None
        self.produced = True
        self._news.set()
        return self._pending.setdefault(candidate, _Pending())

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
        told = False
        while True:
            if self._pending and not told and self._found.tokens:
                yield self._found
            told |= bool(self._pending)
            for candidate in list(self._pending):
                for event in self._pending.pop(candidate).events(candidate):
                    yield event
            if not self._pending:
                if self._problem is not None:
                    raise self._problem
                if not self._open:
                    return
                self._news.clear()
                await self._news.wait()
